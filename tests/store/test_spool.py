"""Decisions outlive a crash and a full disk; what was cut off is never taken for a decision."""

import os
import stat
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.domain.decision import Reason
from controller.domain.names import RolloutKey
from controller.domain.record import TickRecord
from controller.store.spool import Spool, SpoolUnavailableError
from controller.testing.conformance.store_samples import KEY, a_record, with_alert, with_notice
from tests.store.rigs import ROOT, as_nobody, open_folder, small_disk

OTHER = RolloutKey("assistants", "sales-bot")


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


def a_decision(seq: int, key: RolloutKey = KEY) -> TickRecord:
    return replace(with_alert(with_notice(a_record(seq, key), Reason.BREACHED), f"{seq}"), measurements=())


def test_an_unused_spool_is_empty_and_touches_nothing(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    assert (spool.read(), spool.torn()) == ([], 0)
    spool.clear({KEY: 1})
    assert list(tmp_path.iterdir()) == []


def test_decisions_come_back_in_order_without_measurements(spool: Spool, tmp_path: Path) -> None:
    spool.write(a_record(1))
    spool.write(a_decision(2))
    assert Spool(tmp_path / "spool").read() == [replace(a_record(1), measurements=()), a_decision(2)]
    assert stat.S_IMODE((tmp_path / "spool" / "decisions").stat().st_mode) == 0o600


def test_clearing_keeps_what_is_newer_and_what_is_of_others(spool: Spool) -> None:
    for decision in (a_decision(1), a_decision(1, OTHER), a_decision(2), a_decision(3)):
        spool.write(decision)
    spool.clear({KEY: 2})
    assert spool.read() == [a_decision(1, OTHER), a_decision(3)]
    spool.clear({KEY: 9, OTHER: 9})
    assert spool.read() == []


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.floats(0, 1, exclude_max=True))
def test_a_last_line_that_was_cut_off_is_passed_over(tmp_path: Path, part: float) -> None:
    folder = tmp_path / f"{part.hex()}"
    spool, file = Spool(folder), folder / "decisions"
    spool.write(a_decision(1))
    whole = file.stat().st_size
    spool.write(a_decision(2))
    length = file.stat().st_size - whole - 1  # without the end of the line, it is whole
    os.truncate(file, whole + int(part * length))
    assert spool.read() == [a_decision(1)]
    spool.write(a_decision(3))
    assert spool.read() == [a_decision(1), a_decision(3)]
    assert spool.torn() == (1 if int(part * length) else 0)
    spool.clear({KEY: 1})
    assert (spool.read(), spool.torn()) == ([a_decision(3)], 0)
    assert (folder / "decisions.torn").exists() == bool(int(part * length))


def test_a_decision_of_a_newer_version_is_an_error_not_a_loss(spool: Spool, tmp_path: Path) -> None:
    from base64 import b64encode
    from zlib import crc32

    spool.write(a_decision(1))
    newer = b64encode(b"tg2 record json 00000000\n{}")
    with (tmp_path / "spool" / "decisions").open("ab") as file:
        file.write(f"{crc32(newer):08x} ".encode() + newer + b"\n")
    with pytest.raises(SpoolUnavailableError, match="its format is 'tg2'"):
        spool.read()


def test_threads_write_whole_lines(spool: Spool) -> None:
    keys = [RolloutKey("assistants", f"bot-{number}") for number in range(5)]

    def write(key: RolloutKey) -> None:
        for seq in (1, 2, 3):
            spool.write(a_decision(seq, key))

    threads = [threading.Thread(target=write, args=(key,)) for key in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted((one.key, one.seq) for one in spool.read()) == [(key, n) for key in keys for n in (1, 2, 3)]


def test_a_folder_that_cannot_be_written_is_an_error_that_says_what_to_do() -> None:
    with open_folder() as folder:
        spool, decision = Spool(folder / "spool"), a_decision(1)
        folder.chmod(0o555)
        with as_nobody(), pytest.raises(SpoolUnavailableError, match=r"written: .*denied.*see that the folder"):
            spool.write(decision)


def test_a_full_disk_loses_no_earlier_decision() -> None:
    with small_disk("1m") as disk:
        spool = Spool(disk / "spool")
        written = 0

        def write_on() -> None:
            nonlocal written
            while written < 5000:
                spool.write(a_decision(written + 1))
                written += 1

        with pytest.raises(SpoolUnavailableError, match="No space left on device"):
            write_on()
        assert [one.seq for one in spool.read()] == list(range(1, written + 1))


def test_a_hung_disk_does_not_hang_a_rollback(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    heal = threading.Event()
    monkeypatch.setattr(os, "fsync", lambda handle: heal.wait(30))
    with pytest.raises(SpoolUnavailableError, match=r"no answer in 0\.5 s"):
        spool.write(a_decision(1))
    heal.set()


def test_a_process_killed_after_writing_leaves_its_decision(tmp_path: Path) -> None:
    code = """
import os, signal, sys
from pathlib import Path
from controller.store.spool import Spool
from controller.testing.conformance.store_samples import a_record
Spool(Path(sys.argv[1])).write(a_record(1))
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "spool")], cwd=ROOT, capture_output=True)
    assert done.returncode == -9, done.stderr
    assert [one.seq for one in Spool(tmp_path / "spool").read()] == [1]
