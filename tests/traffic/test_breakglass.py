"""Everything to stable from the folder beside Envoy alone: no daemon, no database, no spec."""

from collections.abc import Iterator

import pytest

from controller.domain.names import RolloutKey
from controller.domain.traffic import RouterUnavailableError, Split
from controller.testing.conformance.traffic_rig import COHORT, settle, settled
from controller.traffic.breakglass import everything_to_stable, known_rollouts, stable_of
from tests.traffic.rigs import KEY, V11, V12, EnvoyRig, an_envoy_rig

CANARY = Split(V11, V12, weight=25)
SHADOW_AND_ALL = Split(V11, V12, weight=60, mirror=50, cohort=COHORT)
HOME = Split(V11)


@pytest.fixture
def rig() -> Iterator[EnvoyRig]:
    with an_envoy_rig() as fresh:
        yield fresh


def test_break_glass_needs_nothing_but_the_folder(rig: EnvoyRig) -> None:
    settle(rig, SHADOW_AND_ALL)
    folder = str(rig.folder)
    assert known_rollouts(folder) == (KEY,)
    assert stable_of(folder, KEY) == V11
    seen = everything_to_stable(folder, KEY)
    assert seen.accepted
    assert seen.table == HOME.table()
    assert set(rig.send(30)) == {V11}


def test_break_glass_works_in_a_folder_that_cannot_be_written(rig: EnvoyRig) -> None:
    settle(rig, CANARY)
    (rig.folder / ".spare").unlink()
    (rig.folder / ".spare").mkdir()
    assert everything_to_stable(str(rig.folder), KEY).table == HOME.table()


def test_break_glass_says_when_only_the_files_could_be_changed(rig: EnvoyRig, monkeypatch: pytest.MonkeyPatch) -> None:
    settle(rig, CANARY)
    rig.cut()
    try:
        monkeypatch.setattr("controller.traffic.breakglass._PATIENCE", 0)
        with pytest.raises(RouterUnavailableError, match="the files now send everything to v11"):
            everything_to_stable(str(rig.folder), KEY)
    finally:
        rig.mend()
    settled(rig, HOME)


def test_break_glass_lists_who_is_there(rig: EnvoyRig) -> None:
    settle(rig, HOME)
    with pytest.raises(RouterUnavailableError, match=r"no route of a/b .*: assistants/support-bot"):
        everything_to_stable(str(rig.folder), RolloutKey("a", "b"))
