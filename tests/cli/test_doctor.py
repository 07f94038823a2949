"""`tidegate doctor` for the daemon of a machine: what is looked at, and what is said to do."""

import socket
from pathlib import Path
from typing import Any

from tests.cli.conftest import FakeDaemon, quick

ROLLOUT = """
apiVersion: tidegate.dev/v1alpha1
kind: ModelRollout
metadata: {{name: bot}}
spec:
  version: v11
  versions:
  - {{name: v11, backendRef: {{kind: Host, name: 127.0.0.1, port: 8001}}, bundle: {{w: v11}}}}
  routes: [{{envoy: {{admin: "127.0.0.1:{admin}", configDir: "{folder}"}}}}]
  metrics:
    prometheus: {{url: "http://127.0.0.1:{metrics}", scrapeInterval: 15s}}
    identity: {{label: version, value: "{{{{version}}}}"}}
  slos:
  - name: harm
    indicator: {{ratio: {{bad: {{metric: harm_bad_total}}, total: {{metric: harm_total}}}}}}
    objective: {{max: "1%"}}
  stages: [{{name: full, full: {{}}}}]
"""


def findings(told: Any, about: str) -> list[str]:
    return [one["finding"] for one in told["checks"] if about in one["about"]]


def test_a_daemon_that_answers_is_well(daemon: FakeDaemon) -> None:
    ran = quick("doctor", "--state-dir", daemon.state_dir)
    assert ran.code == 0, ran.out
    assert "answers on" in ran.out
    assert "nothing is wrong" in ran.out


def test_its_sources_and_rollouts_are_told(daemon: FakeDaemon) -> None:
    daemon.rollouts[0] |= {"problems": ["spec.stages: no stage is `full`"]}
    ran = quick("doctor", "--state-dir", daemon.state_dir, "--output", "json")
    assert ran.code == 1
    assert [one["said"] for one in ran.json["checks"] if one["finding"] == "problem"] == [
        "spec.stages: no stage is `full`"
    ]


def test_no_daemon_and_nothing_that_the_files_name(state_dir: Path) -> None:
    folder = state_dir / "rollouts"
    folder.mkdir()
    with socket.socket() as closed, socket.create_server(("127.0.0.1", 0)) as metrics:
        closed.bind(("127.0.0.1", 0))  # taken, and nobody listens
        admin, port = closed.getsockname()[1], metrics.getsockname()[1]
        (folder / "bot.yaml").write_text(ROLLOUT.format(admin=admin, metrics=port, folder=state_dir / "nowhere"))
        (folder / "broken.yaml").write_text("kind: ModelRollout")
        ran = quick("doctor", "--state-dir", state_dir, "--rollouts", folder, "--output", "json")
    assert ran.code == 1
    assert findings(ran.json, "daemon") == ["problem"]
    assert findings(ran.json, "bot.yaml") == ["ok"]
    assert findings(ran.json, "broken.yaml") == ["problem"]
    assert findings(ran.json, f"Envoy 127.0.0.1:{admin}") == ["problem"]
    assert findings(ran.json, "folder") == ["problem"]
    assert findings(ran.json, f"metrics 127.0.0.1:{port}") == ["ok"]


def test_what_cannot_be_meant_is_refused(state_dir: Path) -> None:
    assert quick("doctor", "--rollouts", state_dir / "none").code == 2
    wrong = quick("doctor", "--kubeconfig", state_dir / "none")
    assert wrong.code == 2
    assert "no usable access to a Kubernetes cluster" in wrong.err
