"""What lies on this machine, or is reached from it: the daemon, rollout files, Envoys, metric servers."""

import os
import socket
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from controller.cli import daemon
from controller.cli.checks import Check, Checks, fine, unseen, wrong
from controller.cli.output import CommandError
from controller.domain.rollout import MetricServer, ModelRollout
from controller.domain.route import EnvoyRoute
from controller.domain.traffic import RouterUnavailableError
from controller.spec.parse import parse_bytes
from controller.traffic.envoy_admin import EnvoyAdmin

PATIENCE = 3.0
PORTS = {"http": 80, "https": 443}


def of_daemon(path: Path) -> Checks:
    """Does it answer, and what does it say of its sources and rollouts?"""
    try:
        told = daemon.ask(path, "get", {})
    except CommandError as error:
        yield wrong("daemon", error.message, "tidegate run --rollouts FOLDER   (or name its --state-dir)")
        return
    yield fine("daemon", f"answers on {path}; {len(told['rollouts'])} rollouts")
    for source in told.get("sources") or ():
        if source.get("trouble"):
            yield wrong(f"source {source.get('name')}", str(source["trouble"]))
    for one in told["rollouts"]:
        about = f"rollout {one['namespace']}/{one['name']}"
        for problem in (*(one.get("problems") or ()), *((one["trouble"],) if one.get("trouble") else ())):
            yield wrong(about, str(problem))


def read(paths: Sequence[Path]) -> tuple[list[ModelRollout], list[Check]]:
    """The rollouts of files and folders, and what is wrong with them."""
    found, checks = [], []
    for path in paths:
        files = [path] if path.is_file() else sorted([*path.rglob("*.yaml"), *path.rglob("*.yml")])
        for file in files:
            parsed = parse_bytes(file.read_bytes(), str(file))
            problems = [problem for one in parsed for problem in one.problems]
            found += [one.rollout for one in parsed if one.rollout is not None]
            checks.append(_file(file, len(problems)))
        if not files:
            checks.append(wrong(str(path), "there is no rollout file", "Name a file, or a folder of *.yaml files."))
    return found, checks


def _file(file: Path, problems: int) -> Check:
    if problems:
        return wrong(str(file), f"{problems} problems", f"tidegate lint {file}")
    return fine(str(file), "reads well")


def envoys(rollouts: Iterable[ModelRollout]) -> Checks:
    """Do the Envoys that rollouts name answer, and can their folders be written?"""
    targets = {one.route.target for one in rollouts if isinstance(one.route.target, EnvoyRoute)}
    for admin in sorted({target.admin for target in targets}):
        yield _envoy(admin)
    for folder in sorted({target.config_dir for target in targets}):
        about = f"folder {folder}"
        if os.access(folder, os.W_OK | os.X_OK):
            yield fine(about, "can be written")
        else:
            yield wrong(about, "does not exist, or cannot be written by this account", "Make it, or run as its owner.")


def _envoy(admin: str) -> Check:
    about = f"Envoy {admin}"
    try:
        ready = EnvoyAdmin(admin).ready()
    except RouterUnavailableError as error:
        return wrong(about, str(error), "Does Envoy run? Is envoy.admin its admin address?")
    return fine(about, "answers and is ready") if ready else wrong(about, "answers, and is not ready yet")


def metric_servers(rollouts: Iterable[ModelRollout]) -> Checks:
    """Can they be reached from here? A name that only the cluster knows is no fault of theirs."""
    for url in sorted({url for one in rollouts for url in _urls(one.metrics)}):
        yield _reachable(url)


def _urls(server: MetricServer) -> tuple[str, ...]:
    return server.urls


def _reachable(url: str) -> Check:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or PORTS.get(parts.scheme, 80)
    about = f"metrics {host}:{port}"
    try:
        socket.create_connection((host, port), PATIENCE).close()
    except socket.gaierror:
        return unseen(about, "its name is not known here; in the cluster it may be: run doctor in the controller's pod")
    except OSError as error:
        return wrong(about, f"cannot be reached from here: {error.strerror or error}", "Does it run? Is the URL right?")
    return fine(about, "takes connections from here")
