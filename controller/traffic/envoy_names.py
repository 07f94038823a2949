"""What Envoy's things are called, so that each says which rollout and version it belongs to. Pure."""

import re
from enum import StrEnum
from urllib.parse import quote, unquote

from controller.domain.names import RolloutKey, VersionName

ROUTE_CONFIG = "tidegate"
CLUSTERS_FILE = "cds.json"
ROUTES_FILE = "rds.json"
LISTENERS_FILE = "lds.json"
BOOTSTRAP_FILE = "bootstrap.json"


class Role(StrEnum):
    """Live and mirrored requests have clusters of their own, so that each is counted for itself."""

    LIVE = "live"
    MIRROR = "mirror"


def owner(key: RolloutKey) -> str:
    """The name of the rollout's virtual host, and with a slash the start of all its other names."""
    return f"tidegate/{_plain(key.namespace)}/{_plain(key.name)}"


def cluster_name(key: RolloutKey, version: VersionName, role: Role) -> str:
    """`tidegate/NAMESPACE/NAME/VERSION/live` or `.../mirror`."""
    return f"{owner(key)}/{_plain(version)}/{role}"


def version_of(key: RolloutKey, cluster: str) -> VersionName | None:
    """The version whose cluster this is, or None when it is no cluster of this rollout."""
    found = re.fullmatch(re.escape(owner(key)) + r"/([^/]+)/(live|mirror)", cluster)
    return VersionName(unquote(found[1])) if found else None


def emergency_key(key: RolloutKey) -> str:
    """The runtime key that, at 100, sends everything to stable without any file."""
    return f"{owner(key)}/emergency"


def record_file(key: RolloutKey) -> str:
    """The file beside Envoy's that describes this rollout's route to the break-glass command."""
    return f"tidegate.{quote(str(key), safe='')}.json"


def record_key(file: str) -> RolloutKey:
    """The rollout that a record file describes: the reverse of `record_file`."""
    return RolloutKey.parse(unquote(file.removeprefix("tidegate.").removesuffix(".json")))


def split_address(address: str) -> tuple[str, int]:
    """`host:port` or `[v6]:port` in two. Raises ValueError."""
    host, colon, port = address.rpartition(":")
    if not (host and colon and port.isdigit() and int(port) < 65536):
        raise ValueError(f"`{address}` is no host:port; write for example 127.0.0.1:8080")
    return host.strip("[]"), int(port)


def _plain(part: str) -> str:
    # Slashes would blur the parts, and Envoy replaces colons in the names of its counters.
    return quote(part, safe="")
