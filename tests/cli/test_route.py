"""The break-glass, against a real Envoy: no daemon, no database, and verified in Envoy's own counters."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.domain.traffic import Split
from tests.cli.conftest import Ran, tidegate
from tests.parts.net import wait_until
from tests.traffic.rigs import V11, V12, EnvoyRig, an_envoy_rig

pytestmark = pytest.mark.xdist_group("envoy")
HALF = Split(V11, V12, weight=50, mirror=0)


@pytest.fixture
def rig() -> Iterator[EnvoyRig]:
    with an_envoy_rig() as rig:
        rig.router.apply(HALF)
        wait_until(lambda: rig.router.observe().accepted, 10, "Envoy to take the split")
        yield rig


def broken_glass(rig: EnvoyRig, *args: str | Path) -> Ran:
    return tidegate("route", "support-bot", "--stable", "--reason", "v12 insults people", *args)


def test_everything_goes_to_stable_while_requests_come(rig: EnvoyRig) -> None:
    assert set(rig.send(40)) == {V11, V12}
    stop = threading.Event()
    answered: list[str] = []

    def send() -> None:
        while not stop.is_set():
            answered.extend(rig.send(5))

    sender = threading.Thread(target=send)
    sender.start()
    try:
        ran = broken_glass(rig, "--config-dir", rig.folder, "--output", "json")
    finally:
        stop.set()
        sender.join()
    assert ran.code == 0, ran.err + ran.out
    assert ran.json["verified"] is True
    assert ran.json["envoy_holds"] == "100 % to v11"
    assert set(rig.send(40)) == {V11}
    assert answered


def test_who_when_and_why_are_noted(rig: EnvoyRig) -> None:
    assert broken_glass(rig, "--config-dir", rig.folder).code == 0
    began, noted = (json.loads(line) for line in (rig.folder / "breakglass.jsonl").read_text().splitlines())
    assert (began["actor"], began["reason"], began["verified"]) == (noted["actor"], noted["reason"], None)
    assert (noted["rollout"], noted["stable"], noted["reason"], noted["verified"]) == (
        "assistants/support-bot",
        "v11",
        "v12 insults people",
        True,
    )
    assert noted["actor"]
    assert noted["at"].endswith("+00:00")


def test_the_folder_is_found_in_a_broken_spec(rig: EnvoyRig, tmp_path: Path) -> None:
    (tmp_path / "bot.yaml").write_text(
        f"kind: ModelRollout\nspec:\n  routes:\n  - envoy: {{configDir: {rig.folder}}}\n  nonsense: ["
    )
    ran = broken_glass(rig, "--rollouts", tmp_path)
    assert ran.code == 0, ran.err
    assert "v11 serves everything, verified in Envoy's counters" in ran.out


def test_the_folder_is_found_below_the_state_folder(rig: EnvoyRig) -> None:
    assert broken_glass(rig, "--state-dir", rig.folder.parent / rig.folder.name).code == 0


def test_an_envoy_that_does_not_answer_is_never_called_done(rig: EnvoyRig) -> None:
    rig.cut()
    try:
        ran = broken_glass(rig, "--config-dir", rig.folder)
    finally:
        rig.mend()
    assert ran.code == 1
    assert "ACT NOW: assistants/support-bot is not confirmed on v11" in ran.out
    assert '"name": "tidegate/assistants/support-bot/v11/live", "weight": 100' in ran.out
    assert "runtime_modify?tidegate/assistants/support-bot/emergency=100" in ran.out


def test_an_unknown_rollout_lists_nothing_to_guess(rig: EnvoyRig) -> None:
    ran = tidegate("route", "other", "--stable", "--config-dir", rig.folder)
    assert ran.code == 1
    assert "no route of `other`" in ran.err
    assert "--config-dir" in ran.err


def test_only_stable_is_built(tmp_path: Path) -> None:
    ran = tidegate("route", "support-bot", "--config-dir", tmp_path)
    assert ran.code == 2
    assert "--stable" in ran.err
