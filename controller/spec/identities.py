"""Which series belong to a version, filled in."""

from controller.domain.rollout import Identity
from controller.spec.schema_versions import VERSION_MARK, IdentityBlock, VersionBlock


def identity_of(version: VersionBlock, shared: IdentityBlock) -> Identity:
    """The version's own identity, else the one that all versions share."""
    block = version.identity or shared
    return Identity(block.label, block.value.replace(VERSION_MARK, version.name))
