"""The demo on Kubernetes: v12 is promoted, v13 is rolled back, through an HTTPRoute that Contour and Envoy serve.

Nothing here tells Tidegate which version is bad: it only patches `spec.version`, as a person would, and watches.
"""

import json
import shlex
import threading
from pathlib import Path

from controller.demo import programs
from controller.demo.cluster import answered, rollout, told
from controller.demo.cluster.stage import Stage, staged, start_controller, start_world
from controller.demo.processes import Program, Running
from controller.demo.watching import (
    RATE,
    RUN_LIMIT,
    DemoError,
    Show,
    View,
    alerts,
    answers,
    as_expected,
    follow,
    keep_on,
    wait,
    watch,
)
from controller.testing.cluster_parts.programs import program

RESOURCE = f"mro/{rollout.NAME}"
PROOF = {"v12": "Promoted", "v13": "RolledBack"}
"""The condition that `kubectl wait` is to see for each version."""


def main(show: Show, keep: bool = False, limit: float = RUN_LIMIT) -> int:
    """0 when v12 was promoted and v13 rolled back, both counted by the model servers. `limit`: seconds per run."""
    with staged(show) as stage:
        start_world(stage, show)
        start_controller(stage, show)
        _raise_curtain(stage, show)
        runs = [_play(stage, show, version, limit) for version in PROOF]
        _tell(stage, show)
        result = _result(stage, show, runs)
        if not keep:
            result["answered"] = _end_of_client(stage)
        show.result(result)
        if keep:
            _keep(stage, show)
    return 0 if as_expected(runs) else 1


def _raise_curtain(stage: Stage, show: Show) -> None:
    """Apply the rollout with v11, which serves already; then let the customers in."""
    file = stage.folder / "support-bot.yaml"
    file.write_text(rollout.TEXT)
    _kubectl(stage, show, "apply", "--filename", file)
    name = f"{rollout.NAMESPACE}/{rollout.NAME}"
    threading.Thread(target=follow, args=(stage, name), name="follow", daemon=True).start()
    waiter = _begin_to_wait(stage, show, "Ready", 60)
    wait(lambda: waiter.exit_code() is not None, 65, "the rollout to be Ready", stage)
    _waited(waiter, show)
    port = int(stage.contour.url.rpartition(":")[2])
    wait(lambda: answers(port), 30, "Envoy to answer with v11", stage)
    show.note(f"Envoy serves v11 at {stage.contour.url}; customers send {RATE:.0f} chat requests a second")
    stage.processes.start(programs.client(stage.contour.url, rate=RATE, duration=1800.0, seed=7), wait=False)


def _play(stage: Stage, show: Show, version: str, limit: float) -> View:
    """Want `version` and watch until its run is over."""
    patch = json.dumps({"spec": {"version": version}})
    _kubectl(stage, show, "patch", RESOURCE, "--namespace", rollout.NAMESPACE, "--type=merge", f"--patch={patch}")
    show.note("from here on Tidegate is on its own")
    waiter = _begin_to_wait(stage, show, PROOF[version], limit)
    meter = answered.Meter(stage.models, version)
    outcome = watch(stage, show, version, limit, lambda: _measure(meter, stage, show, version))
    waiter.wait_ended(30)
    _waited(waiter, show)
    return {**_outcome(stage, show, version, outcome), "measured": meter.measured}


def _measure(meter: answered.Meter, stage: Stage, show: Show, version: str) -> None:
    found = meter.see(stage.view)
    if found:
        show.note(
            f"{version} should have got {found['weight']} %: its model server answered {found['share']} % of"
            f" {found['requests']} requests"
        )


def _outcome(stage: Stage, show: Show, version: str, outcome: str) -> View:
    breach = stage.view.get("breach")
    known = dict(breach) if isinstance(breach, dict) and outcome == "rolled_back" else {}
    if known:
        show.note(told.way_to_zero(known))
    return {
        "version": version,
        "outcome": outcome,
        "candidate_share_verified": answered.share(stage.models, version),
        "breach_to_zero_seconds": told.seconds_between(known.get("measured_at"), known.get("verified_at")),
        "bad_answers_served": int(str(known.get("live_bad") or 0).partition(".")[0]),
        "requests_served": answered.answered(stage.models[version]),
        "breach": known or None,
    }


def _tell(stage: Stage, show: Show) -> None:
    show.note(f"$ kubectl get {RESOURCE} -n {rollout.NAMESPACE}")
    for line in stage.kubectl("get", RESOURCE, "--namespace", rollout.NAMESPACE).splitlines():
        show.note(f"  {line}")
    show.note("its conditions:")
    for line in told.condition_lines(told.conditions(stage.kubectl)):
        show.note(f"  {line}")
    show.note(f"$ kubectl events -n {rollout.NAMESPACE} --for {RESOURCE}")
    for event in told.events(stage.kubectl):
        show.note(f"  {event['reason']}: {event['note']}")


def _result(stage: Stage, show: Show, runs: list[View]) -> View:
    told_of = alerts(stage, show, len(runs))
    conditions, events = told.conditions(stage.kubectl), told.events(stage.kubectl)
    counted = "that the model servers answer"
    return {"runs": runs, "alerts": told_of, "conditions": conditions, "events": events, "counted": counted}


def _end_of_client(stage: Stage) -> View:
    """Stop the customers; what they got, by status and by version."""
    log = stage.processes["client"].log
    stage.processes.stop("client")
    found: View = json.loads(log.read_text().splitlines()[-1])
    return found


def _keep(stage: Stage, show: Show) -> None:
    tools = program("kubectl").parent
    show.note("everything keeps running until Ctrl-C. In another shell:")
    show.note(f"  export KUBECONFIG={stage.server.kubeconfig()} PATH={tools}:$PWD/.venv/bin:$PATH")
    show.note(f"  kubectl get {RESOURCE} -n {rollout.NAMESPACE} -o yaml")
    show.note(f"  kubectl tidegate watch {rollout.NAME} -n {rollout.NAMESPACE}")
    show.note(f"  curl {stage.contour.url}/v1/models; tail -f {stage.folder / 'logs' / 'tidegate.log'}")
    keep_on(stage, show)


def _kubectl(stage: Stage, show: Show, *words: str | Path) -> None:
    """Say it, do it, show what it said."""
    show.note(f"$ kubectl {shlex.join(map(str, words))}")
    show.note(f"  {stage.kubectl(*words).strip()}")


def _begin_to_wait(stage: Stage, show: Show, condition: str, seconds: float) -> Running:
    words = ["wait", f"--for=condition={condition}", RESOURCE, "--namespace", rollout.NAMESPACE]
    words.append(f"--timeout={seconds:.0f}s")
    show.note(f"$ kubectl {shlex.join(words)}")
    argv = [str(program("kubectl")), "--kubeconfig", str(stage.server.kubeconfig()), *words]
    return stage.processes.start(Program(f"wait-{condition}", argv, health=None), wait=False)


def _waited(waiter: Running, show: Show) -> None:
    said = waiter.log.read_text().strip()
    if waiter.exit_code() != 0:
        raise DemoError(f"`kubectl wait` for {waiter.program.name.partition('-')[2]} gave up: {said}")
    show.note(f"  {said}")
