"""A real Envoy and what goes wrong around it: each fault holds or rolls back, and says what it is."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from controller.domain.traffic import RouterUnavailableError, RouteTable, Split
from controller.testing.conformance.traffic_rig import settle, settled
from controller.traffic.envoy import EnvoyRouter
from tests.parts.net import LOOPBACK, wait_until
from tests.traffic.rigs import V11, V12, EnvoyRig, an_envoy_rig

CANARY = Split(V11, V12, weight=25)
SHADOW_AND_ALL = Split(V11, V12, weight=60, mirror=50, cohort=(("x-cohort", "employees"),))
HOME = Split(V11)


@pytest.fixture
def rig() -> Iterator[EnvoyRig]:
    with an_envoy_rig() as fresh:
        yield fresh


def unwritable(folder: Path) -> None:
    """Not by permissions, which do not bind root: what every write goes through is a folder."""
    (folder / ".spare").unlink(missing_ok=True)
    (folder / ".spare").mkdir()


def gone(folder: Path) -> None:
    folder.rename(folder.with_name(folder.name + "-moved"))
    folder.write_text("a file where the folder was")


def read_only(folder: Path) -> None:
    """Mounted so, which binds root too. Needs the right to mount."""
    bound = subprocess.run(["mount", "--bind", folder, folder], check=False, stderr=subprocess.DEVNULL)
    if bound.returncode != 0:
        pytest.skip("needs the right to mount")
    subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)


def back(folder: Path) -> None:
    if str(folder) in Path("/proc/mounts").read_text():
        subprocess.run(["umount", folder], check=True)
    if (folder / ".spare").is_dir():
        (folder / ".spare").rmdir()
    if folder.is_file():
        folder.unlink()
        folder.with_name(folder.name + "-moved").rename(folder)


def test_a_killed_envoy_comes_back_with_the_split_it_had(rig: EnvoyRig) -> None:
    first = settle(rig, CANARY)
    pid = rig.pid
    rig.kill()
    seen = rig.router.observe()
    assert rig.pid != pid
    assert seen.table == CANARY.table()
    assert seen.epoch != first.epoch
    assert set(rig.send(40)) <= {V11, V12}


def test_a_rollback_onto_a_killed_envoy_holds_when_it_is_back(rig: EnvoyRig) -> None:
    settle(rig, CANARY)
    rig.kill()
    rig.router.apply(HOME)
    assert settled(rig, HOME).table == HOME.table()
    assert set(rig.send(50)) == {V11}


def test_a_rollback_is_written_while_the_admin_does_not_answer(rig: EnvoyRig) -> None:
    settle(rig, CANARY)
    rig.cut()
    try:
        rig.router.apply(HOME)
        with pytest.raises(RouterUnavailableError, match="no answer from Envoy's admin"):
            rig.router.observe()
    finally:
        rig.mend()
    assert settled(rig, HOME).counts[V12].active == 0
    assert set(rig.send(50)) == {V11}


def test_the_split_is_not_raised_while_the_admin_does_not_answer(rig: EnvoyRig) -> None:
    settle(rig, HOME)
    rig.cut()
    try:
        with pytest.raises(RouterUnavailableError, match="check that Envoy runs"):
            rig.router.apply(CANARY)
    finally:
        rig.mend()
    assert settled(rig, HOME).table == HOME.table()


def test_an_adopted_envoy_is_the_same_process(rig: EnvoyRig) -> None:
    settle(rig, CANARY)
    pid = rig.pid
    again = EnvoyRouter(rig.binding)
    assert again.observe().table == CANARY.table()
    assert rig.pid == pid


def test_envoy_outlives_a_killed_controller(rig: EnvoyRig) -> None:
    target = rig.binding.route.envoy
    program = f"""
        import os, signal
        from controller.domain.names import RolloutKey, VersionName
        from controller.domain.route import BackendRef, EnvoyRoute, Route
        from controller.domain.traffic import Split
        from controller.ports import RouteBinding
        from controller.traffic.envoy import EnvoyRouter
        route = EnvoyRoute(admin={target.admin!r}, config_dir={target.config_dir!r}, listen={target.listen!r})
        backends = {{VersionName("v11"): BackendRef("Host", "127.0.0.1", {rig.models[V11].server_port})}}
        EnvoyRouter(RouteBinding(RolloutKey("assistants", "support-bot"), Route(route), backends)).apply(Split("v11"))
        os.killpg(os.getpgid(0), signal.SIGKILL)
    """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], start_new_session=True, check=False)
    assert ended.returncode == -signal.SIGKILL
    wait_until(lambda: rig.send(1) == [V11], 5, "traffic to flow without a controller")
    pid = rig.pid
    settle(rig, CANARY)
    assert rig.pid == pid


def test_a_pid_that_another_process_got_is_not_taken_for_envoy(rig: EnvoyRig) -> None:
    settle(rig, CANARY)
    rig.kill()
    process = json.loads((rig.folder / "envoy-process.json").read_text())
    (rig.folder / "envoy-process.json").write_text(json.dumps({**process, "pid": os.getpid()}))
    assert rig.router.observe().table == CANARY.table()
    assert rig.pid != os.getpid()


@pytest.mark.parametrize("damage", [unwritable, gone, read_only])
@pytest.mark.parametrize("before", [CANARY, SHADOW_AND_ALL, Split(V11, V12, weight=100)])
def test_a_rollback_happens_though_the_folder_cannot_be_written(
    rig: EnvoyRig, damage: Callable[[Path], None], before: Split
) -> None:
    settle(rig, before)
    damage(rig.folder)
    try:
        with pytest.raises(
            RouterUnavailableError, match=r"cannot .* was told through its runtime .* repair the folder"
        ):
            rig.router.apply(HOME)
        seen = settled(rig, HOME)
        assert set(rig.send(30)) | set(rig.send(20, {"x-cohort": "employees"})) == {V11}
        assert rig.router.observe().counts[V12].total == seen.counts[V12].total
        with pytest.raises(RouterUnavailableError, match="cannot"):
            rig.router.apply(CANARY)
        assert settled(rig, HOME)
    finally:
        back(rig.folder)
    settle(rig, CANARY)
    assert V12 in set(rig.send(100))


def test_a_rollback_through_the_runtime_is_made_lasting_when_the_folder_is_back(rig: EnvoyRig) -> None:
    settle(rig, CANARY)
    unwritable(rig.folder)
    with pytest.raises(RouterUnavailableError, match="through its runtime"):
        rig.router.apply(HOME)
    assert settled(rig, HOME)
    assert "v12/live" in (rig.folder / "rds.json").read_text()
    back(rig.folder)
    assert settled(rig, HOME)
    assert "v12" not in (rig.folder / "rds.json").read_text()
    rig.restart()
    assert settled(rig, HOME)


def test_nothing_is_raised_when_the_folder_cannot_be_written(rig: EnvoyRig) -> None:
    settle(rig, HOME)
    unwritable(rig.folder)
    with pytest.raises(RouterUnavailableError, match=r"cannot write .*rds.json|cannot write .*cds.json"):
        rig.router.apply(CANARY)
    assert rig.router.observe().table == HOME.table()
    back(rig.folder)


@pytest.fixture
def small_disk(rig: EnvoyRig) -> Iterator[Path]:
    """The rig's folder on a disk of 1 MiB. Needs the right to mount."""
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", rig.folder], check=False)
    if mounted.returncode != 0:
        pytest.skip("needs the right to mount a small disk")
    try:
        yield rig.folder
    finally:
        rig.stop()
        subprocess.run(["umount", rig.folder], check=True)


def test_a_full_disk_does_not_stop_a_rollback(rig: EnvoyRig, small_disk: Path) -> None:
    settle(rig, CANARY)
    fill = (small_disk / "fill").open("wb", buffering=0)
    with contextlib.suppress(OSError), fill:
        while fill.write(b"x" * 4096):
            pass
    assert shutil.disk_usage(small_disk).free == 0
    rig.router.apply(HOME)
    settled(rig, HOME)
    assert "v12" not in (small_disk / "rds.json").read_text()
    assert set(rig.send(30)) == {V11}


@pytest.mark.parametrize(
    ("weights", "shares"),
    [((40, 60), ((V11, 60), (V12, 40))), ((1, 3), ((V11, 75), (V12, 25))), ((0, 1), ((V11, 100),))],
)
def test_a_split_changed_by_hand_is_seen_as_it_is(
    rig: EnvoyRig, weights: tuple[int, int], shares: tuple[tuple[str, int], ...]
) -> None:
    settle(rig, CANARY)

    def change(resources: list[dict]) -> None:  # type: ignore[type-arg]
        main = next(r for r in resources[0]["virtual_hosts"][0]["routes"] if r["name"].endswith("/main"))
        for cluster, weight in zip(main["route"]["weighted_clusters"]["clusters"], weights, strict=True):
            cluster["weight"] = weight

    rig.edit("rds.json", change)
    wanted = RouteTable(shares=shares)  # type: ignore[arg-type]
    wait_until(lambda: rig.router.observe().table == wanted, 5, "the change by hand")
    assert rig.router.observe().accepted
    settle(rig, HOME)
    assert set(rig.send(30)) == {V11}


def test_a_route_that_is_no_split_is_told(rig: EnvoyRig) -> None:
    settle(rig, CANARY)

    def change(resources: list[dict]) -> None:  # type: ignore[type-arg]
        for route in resources[0]["virtual_hosts"][0]["routes"]:
            route["route"] = {"cluster": "somebody-elses"}

    rig.edit("rds.json", change)

    def told() -> bool:
        try:
            rig.router.observe()
        except RouterUnavailableError as error:
            return "somebody-elses" in str(error) and "rds.json" in str(error)
        return False

    wait_until(told, 5, "the strange cluster to be told")
    settle(rig, HOME)


def test_a_damaged_file_is_written_anew_from_what_envoy_holds(rig: EnvoyRig) -> None:
    settle(rig, CANARY)
    rig.add_foreign()
    foreign = rig.foreign()
    for name in ("rds.json", "cds.json"):
        (rig.folder / name).write_text('{"resources": [')
    assert not rig.router.observe().accepted
    settle(rig, HOME)
    assert rig.foreign() == foreign


def test_a_taken_port_is_told_and_opened_when_it_is_free(rig: EnvoyRig) -> None:
    with socket.socket() as taken:
        taken.bind((LOOPBACK, rig.port))
        taken.listen()
        with pytest.raises(RouterUnavailableError, match=rf"does not listen on {LOOPBACK}:{rig.port}.*in use"):
            rig.router.apply(HOME)
        with pytest.raises(RouterUnavailableError, match="does not listen"):
            rig.router.observe()
    settle(rig, HOME)
    assert rig.send(3) == [V11] * 3
