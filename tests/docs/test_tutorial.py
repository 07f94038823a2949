"""The first rollout, as written: every command of the page in one shell, with real servers on ports of our own."""

import contextlib
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from controller.traffic.envoy_process import stop_envoy
from tests.docs.pages import ROOT, blocks
from tests.parts.net import free_port

PAGE = "docs/tutorials/first-rollout.md"
PORT = re.compile(r"\b180\d\d\b")


@pytest.mark.xdist_group("tutorial")
def test_the_tutorial_does_what_it_says(tmp_path: Path) -> None:
    script = "\n".join(block.text for block in blocks("bash") if block.page == PAGE)
    demo = (ROOT / "rollouts" / "demo.yaml").read_text()
    ports = {port: str(free_port()) for port in sorted(set(PORT.findall(script + demo)))}
    (tmp_path / "rollouts").mkdir()
    (tmp_path / "rollouts" / "demo.yaml").write_text(_moved(demo, ports))
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    said = _run(_moved(script, ports), tmp_path)
    assert re.search(r"Completed.*v12 is stable", said), said
    assert re.search(r"RolledBack.*v12 → v13", said), said
    assert "rolled back" in said
    assert not (tmp_path / "tour").exists()


def _moved(text: str, ports: dict[str, str]) -> str:
    return PORT.sub(lambda found: ports[found[0]], text)


def _run(script: str, folder: Path) -> str:
    """What the shell says. Everything it started is gone afterwards, also when it fails half-way."""
    shell = subprocess.Popen(
        # Its loops wait for ever: should the test itself be killed, the shell still ends, and its children with it.
        ["timeout", "--kill-after=5", "160", "bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={**os.environ, "COLUMNS": "160", "LC_ALL": "C.UTF-8", "TIDEGATE_HTTP": "127.0.0.1:0"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = shell.communicate(timeout=150)
        assert shell.returncode == 0, said + _logs(folder)
        return said
    finally:
        _end(shell, folder)


def _end(shell: "subprocess.Popen[str]", folder: Path) -> None:
    with contextlib.suppress(ProcessLookupError):  # it ended by itself, with everything that it started
        os.killpg(shell.pid, signal.SIGTERM)
    shell.wait(10)
    if shell.stdout is not None:
        shell.stdout.close()
    if (folder / "tour").exists():
        stop_envoy(str(folder / "tour" / "envoy"))


def _logs(folder: Path) -> str:
    logs = sorted((folder / "tour" / "logs").glob("*"))
    return "".join(f"\n--- {log.name}\n{log.read_text(errors='replace')[-1500:]}" for log in logs)
