"""Where specs come from: a watched folder, a git repository, a cluster, or several of them as one."""

from controller.sources.combined import CombinedSource
from controller.sources.custom_resources import CustomResources
from controller.sources.directory import DirectorySource
from controller.sources.git import GitSource

__all__ = ["CombinedSource", "CustomResources", "DirectorySource", "GitSource", "combine"]

combine = CombinedSource
"""Several sources as one source."""
