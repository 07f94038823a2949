"""Killed with SIGKILL at every statement of a commit: the tick is there whole, or not at all."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from controller.domain.decision import Reason
from controller.store.store import open_store
from controller.testing.conformance.store_samples import KEY, a_record, with_alert, with_notice
from tests.store.rigs import ROOT, url_of

# Each fork kills itself when so many statements were sent; the last one lives. Reports who was killed.
DRIVER = """
import json, os, shutil, signal, sys
from pathlib import Path
from sqlalchemy import event
from controller.domain.decision import Reason
from controller.store.store import open_store
from controller.testing.conformance.store_samples import a_record, with_alert, with_notice

folder, killed = Path(sys.argv[1]), []
while not killed or killed[-1]:
    copy = folder / f"{len(killed)}.db"
    shutil.copy(folder / "base.db", copy)
    child = os.fork()
    if child == 0:
        left = [len(killed) + 1]
        with open_store(f"sqlite:///{copy}", ("slack",)) as store:
            def count(*_):
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
            event.listen(store._database._engine, "after_cursor_execute", count)
            event.listen(store._database._engine, "commit", count)
            store.commit(with_alert(with_notice(a_record(2), Reason.BREACHED), "breach"))
        os._exit(0)
    killed.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL)
print(json.dumps(killed))
"""


@pytest.fixture(scope="module")
def graves(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[bool]]:
    folder = tmp_path_factory.mktemp("graves")
    with open_store(url_of(folder / "base.db"), ("slack",)) as store:
        store.commit(a_record(1))
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, str(folder)], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)


def test_nothing_half_written_is_left_by_a_kill(graves: tuple[Path, list[bool]]) -> None:
    folder, killed = graves
    assert len(killed) > 8, "every statement was a place to die"
    for number, dead in enumerate(killed):
        with open_store(url_of(folder / f"{number}.db"), ("slack",)) as store:
            (stored,) = store.load()
            rows = (
                stored.seq,
                len(store.journal(KEY, 9)),
                len(store.due(a_record(9).at, 9)),
                store.prune(a_record(9).at),
            )
            assert rows == ((1, 0, 0, 1) if dead else (2, 1, 1, 2)), f"killed at statement {number + 1}"
            assert stored.evidence == a_record(stored.seq).evidence
            if dead:
                store.commit(with_alert(with_notice(a_record(2), Reason.BREACHED), "breach"))
