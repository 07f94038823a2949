"""The two pieces of YAML that begin an A/A run: a twin of the version that serves, and the line that names it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from controller.cli.output import Code, CommandError
from controller.cli.plan import read_rollout
from controller.domain.rollout import ModelRollout
from controller.spec.yaml_text import read_documents, write_document

MARK = "{{version}}"


def fragments(file: Path, name: str | None = None) -> str:
    """What to add to `file`. Raises CommandError when its rollout cannot be compared with itself."""
    rollout = read_rollout(file, name)
    serving = next(one for one in rollout.versions if one.name == rollout.version)
    if not serving.pinned:
        why = f"{serving.name} has no bundle: nobody could tell that its twin is the same"
        raise CommandError(why, Code.WRONG_USE, f"Give spec.versions, name: {serving.name}, a `bundle` first.")
    if all(slo.versus_stable is None for slo in rollout.slos):
        raise CommandError(f"no SLO of {rollout.key} has `versusStable`: nothing is compared", Code.WRONG_USE)
    twin = _twin(_version(file, rollout), f"{serving.name}-aa")
    return "".join(_told(str(serving.name), twin))


def _told(serving: str, twin: Mapping[str, Any]) -> Iterator[str]:
    yield f"# spec.versions: the bundle of {serving} on a backend of its own; say where that is\n"
    yield write_document([dict(twin)])
    yield f"# spec.version: instead of `version: {serving}`; put that back when `tidegate aa` says trusted\n"
    yield write_document({"version": twin["name"]})


def _version(file: Path, rollout: ModelRollout) -> Mapping[str, Any]:
    """The version that serves, as it is written in the file."""
    for document in read_documents(file.read_text(encoding="utf-8")):
        value: Any = document.value
        metadata = value["metadata"]
        if (metadata.get("namespace", "default"), metadata["name"]) == (rollout.key.namespace, rollout.key.name):
            found: Mapping[str, Any] = next(one for one in value["spec"]["versions"] if one["name"] == rollout.version)
            return found
    raise CommandError(f"{file} changed while it was read; try again", Code.REFUSED)


def _twin(version: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The same but for its name, where it listens, and how its series are told apart."""
    twin = {**version, "name": name}
    backend = dict(version["backendRef"])
    own = {"port": int(backend.get("port", 0)) + 1} if backend.get("kind") == "Host" else {"name": f"{name}-backend"}
    twin["backendRef"] = {**backend, **own}
    identity = version.get("identity")
    if isinstance(identity, Mapping) and MARK not in str(identity.get("value", "")):
        twin["identity"] = {**identity, "value": name}
    return twin
