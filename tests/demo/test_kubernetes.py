"""The whole demo on Kubernetes, as people start it: what it decides, what it leaves behind, and where it cannot run."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.testing.cluster_parts.netns import Netns, NetnsRefusedError

pytestmark = [pytest.mark.xdist_group("demo-kubernetes"), pytest.mark.timeout(400)]

COMMAND = (sys.executable, "-m", "controller", "demo", "--kubernetes")
BESIDE = 8.0
"""Percentage points that a share may be off: some 800 requests, and moments of the weight before and after."""


@pytest.fixture(scope="module")
def allowed() -> None:
    """Skips where this machine makes no network namespace."""
    try:
        Netns().stop()
    except NetnsRefusedError as refused:
        pytest.skip(str(refused))


@pytest.fixture
def place() -> Iterator[dict[str, str]]:
    """An environment whose temporary folder is empty when the demo is over, with no process left that has it."""
    with tempfile.TemporaryDirectory(prefix="demo-") as folder:  # a short name: there is a socket in it
        yield {**os.environ, "TMPDIR": folder}
        assert list(Path(folder).iterdir()) == []
        assert processes_with(f"TMPDIR={folder}") == []


def processes_with(setting: str) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if setting.encode() in (process / "environ").read_bytes().split(b"\0"):
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


@pytest.mark.usefixtures("allowed")
def test_a_good_version_is_promoted_and_a_bad_one_rolled_back(place: dict[str, str]) -> None:
    done = subprocess.run((*COMMAND, "--output", "json"), env=place, capture_output=True, text=True, timeout=360)
    assert done.returncode == 0, done.stderr[-4000:]
    (line,) = done.stdout.splitlines()
    result = json.loads(line)
    v12, v13 = result["runs"]
    check_promoted(v12)
    check_rolled_back(v13)
    got = result["answered"]
    assert set(got["statuses"]) == {"200"}, "nobody is sent to where nothing answers"
    assert got["versions"]["v13"] == v13["requests_served"], "customers and model servers count the same"
    check_told(result)
    assert "as system:serviceaccount:tidegate:tidegate" in done.stderr
    assert done.stderr.count("condition met") == 3


def check_promoted(run: dict[str, Any]) -> None:
    assert (run["version"], run["outcome"], run["candidate_share_verified"]) == ("v12", "promoted", 100.0)
    assert [one["weight"] for one in run["measured"]] == [10, 50, 100]
    assert all(abs(one["share"] - one["weight"]) < BESIDE for one in run["measured"])


def check_rolled_back(run: dict[str, Any]) -> None:
    assert (run["version"], run["outcome"], run["candidate_share_verified"]) == ("v13", "rolled_back", 0.0)
    assert run["requests_served"] > 0, "it had real users before it was taken back"
    assert 0 < run["breach_to_zero_seconds"] < 12
    assert run["breach"]["slo"] in ("hallucination", "harm")


def check_told(result: dict[str, Any]) -> None:
    """In Slack, in conditions, in Events: the same story, and nothing that was not counted."""
    texts = [alert["payload"]["text"] for alert in result["alerts"]]
    assert "v12 serves 100 %, verified" in texts[1]
    assert "v13 → v12, 100 % on v12, verified" in texts[3]
    assert "No user got an answer" not in json.dumps(result)
    told = {one["type"]: one["status"] for one in result["conditions"]}
    assert told == {
        "Ready": "True",
        "Promoted": "False",
        "Reconciling": "False",
        "Stalled": "False",
        "RolledBack": "True",
    }
    reasons = {one["reason"] for one in result["events"]}
    assert {"RunStarted", "StageVerified", "Promoted", "Breached", "RollbackVerified"} <= reasons


@pytest.mark.usefixtures("allowed")
@pytest.mark.parametrize("moment", ["starting Contour", "kubectl apply"])
def test_an_interrupt_leaves_nothing_behind(moment: str, place: dict[str, str]) -> None:
    """Ctrl-C reaches the whole group, as on a terminal; the fixture looks for what is left."""
    with subprocess.Popen(
        COMMAND, env=place, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as demo:
        assert demo.stdout is not None
        told = []
        for line in demo.stdout:
            told.append(line)
            if moment in line:
                os.killpg(demo.pid, signal.SIGINT)
        assert demo.wait(30) == 130, "".join(told)[-2000:]


def test_without_a_network_of_its_own_it_says_what_to_do(tmp_path: Path, place: dict[str, str]) -> None:
    done = subprocess.run(
        (*COMMAND, "--output", "json"), env={**place, "PATH": str(tmp_path)}, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    told = json.loads(done.stderr)
    assert "no unshare" in told["error"]
    assert "`make demo`" in told["todo"]
