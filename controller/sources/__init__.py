"""Where specs come from: a watched folder, a git repository, or several of them as one."""

from controller.sources.combined import CombinedSource
from controller.sources.directory import DirectorySource
from controller.sources.git import GitSource

__all__ = ["CombinedSource", "DirectorySource", "GitSource", "combine"]

combine = CombinedSource
"""Several sources as one source."""
