"""Which routes may carry a candidate, and who is stable, when only files can say it."""

from dataclasses import replace
from pathlib import Path

import pytest

from controller.domain.names import VersionName
from controller.domain.observation import SpecSeen
from controller.domain.record import TickRecord
from controller.domain.rollout import Mode, ModelRollout
from controller.domain.route import EnvoyRoute
from controller.domain.state import Phase
from controller.domain.traffic import RouteTable, Split
from controller.ports import RouteBinding, Specs
from controller.runtime.known_routes import KnownRoute, known_routes
from controller.testing.builders import CANDIDATE, STABLE, THIRD, a_mark, a_position, a_rollout
from controller.testing.clock import START
from controller.traffic.envoy_files import ConfigFolder
from controller.traffic.envoy_record import Record

CANARY = Split(STABLE, CANDIDATE, weight=25)


@pytest.fixture
def spec(tmp_path: Path) -> ModelRollout:
    made = a_rollout()
    target = EnvoyRoute(admin="127.0.0.1:1", config_dir=str(tmp_path / "envoy"), listen=None)
    return replace(made, route=replace(made.route, target=target))


def binding(spec: ModelRollout) -> RouteBinding:
    return RouteBinding(spec.key, spec.route, {version.name: version.backend for version in spec.versions})


def write(spec: ModelRollout, split: Split) -> None:
    folder = ConfigFolder(str(Path(spec.route.envoy.config_dir)))
    folder.path.mkdir()
    Record.of(binding(spec), split).write(folder)


def found(spec: ModelRollout | None, tmp_path: Path, *spooled: TickRecord) -> list[KnownRoute]:
    specs = Specs({spec.key: SpecSeen(spec)} if spec else {})
    return list(known_routes(specs, spooled, (), tmp_path, observe=False).values())


def decided(spec: ModelRollout, split: Split, phase: Phase = Phase.ROLLING_BACK) -> TickRecord:
    position = a_position(phase, spec, traffic=a_mark(split))
    return TickRecord(spec.key, 7, START, position, None)


def test_the_record_says_it(spec: ModelRollout, tmp_path: Path) -> None:
    write(spec, CANARY)
    (one,) = found(spec, tmp_path)
    assert (one.stable, one.candidate, one.observed) == (STABLE, CANDIDATE, False)


def test_a_record_below_the_state_folder_needs_no_spec(spec: ModelRollout, tmp_path: Path) -> None:
    write(spec, CANARY)
    (one,) = found(None, tmp_path)
    assert (one.key, one.stable, one.candidate) == (spec.key, STABLE, CANDIDATE)


def test_a_spooled_decision_is_newer_than_the_record(spec: ModelRollout, tmp_path: Path) -> None:
    """Promoted long ago, then turned back: written down in the spool, and nothing of it carried out."""
    write(spec, Split(CANDIDATE))
    (one,) = found(spec, tmp_path, decided(spec, Split(STABLE)))
    assert (one.stable, one.candidate) == (STABLE, CANDIDATE)


def test_the_spool_says_it_without_a_record(spec: ModelRollout, tmp_path: Path) -> None:
    (one,) = found(None, tmp_path, decided(spec, CANARY, Phase.HELD))
    assert (one.stable, one.candidate) == (STABLE, CANDIDATE)
    assert one.binding == binding(spec)


def test_a_damaged_record_gives_way_to_the_spec(spec: ModelRollout, tmp_path: Path) -> None:
    write(spec, CANARY)
    for file in tmp_path.rglob("tidegate.*.json"):
        file.write_text("{")
    (one,) = found(spec, tmp_path)
    assert (one.stable, one.candidate) == (None, CANDIDATE)


def test_an_observed_rollout_is_not_ours_to_move(spec: ModelRollout, tmp_path: Path) -> None:
    write(spec, CANARY)
    (one,) = found(replace(spec, mode=Mode.OBSERVE), tmp_path)
    assert one.observed


@pytest.mark.parametrize(
    ("initial", "wanted", "shares", "stable"),
    [
        (None, CANDIDATE, {STABLE: 100}, STABLE),
        (None, CANDIDATE, {STABLE: 75, CANDIDATE: 25}, None),
        (STABLE, CANDIDATE, {STABLE: 75, CANDIDATE: 25}, STABLE),
        (STABLE, STABLE, {STABLE: 75, CANDIDATE: 25}, None),
        (STABLE, THIRD, {CANDIDATE: 75, THIRD: 25}, None),
        (STABLE, CANDIDATE, {THIRD: 100}, THIRD),
        (None, CANDIDATE, {VersionName("v99"): 100}, None),
    ],
)
def test_a_spec_says_what_is_stable_only_where_it_cannot_be_wrong(
    spec: ModelRollout, initial: VersionName | None, wanted: VersionName, shares: dict[VersionName, int], stable: object
) -> None:
    told = replace(spec, initial_stable=initial, version=wanted)
    one = KnownRoute(binding(told), None, wanted, told)
    assert one.stable_in(RouteTable(tuple(shares.items()))) == stable
