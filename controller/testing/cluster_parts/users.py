"""Who may ask the API server: users with fixed tokens, and the kubeconfig files that let them in."""

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

ADMIN = "admin"


def _new_token() -> str:
    return secrets.token_urlsafe(24)


@dataclass(frozen=True, slots=True)
class User:
    """A name with its groups. Without a group or a role binding a user may do next to nothing."""

    name: str
    groups: tuple[str, ...] = ()
    token: str = field(default_factory=_new_token, repr=False)


def the_usual() -> tuple[User, ...]:
    """`admin` may do everything; `alice`, `bob` and `carol` (group `oncall`) only what a test grants them."""
    return User(ADMIN, ("system:masters",)), User("alice"), User("bob"), User("carol", ("oncall",))


def write_tokens(users: Sequence[User], path: Path) -> Path:
    """The file that `--token-auth-file` wants."""
    lines = (f'{user.token},{user.name},{user.name},"{",".join(user.groups)}"' for user in users)
    return _write_secret(path, "\n".join(lines) + "\n")


def write_kubeconfig(path: Path, *, server: str, ca_file: Path, token: str, name: str) -> Path:
    """A kubeconfig (JSON is YAML too) for the user `name` of the API server at `server`."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "contexts": [{"name": name, "context": {"cluster": "test", "user": name, "namespace": "default"}}],
        "clusters": [{"name": "test", "cluster": {"server": server, "certificate-authority": str(ca_file)}}],
        "users": [{"name": name, "user": {"token": token}}],
    }
    return _write_secret(path, json.dumps(document, indent=1))


def _write_secret(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(text)
    return path
