"""The benchmark on a cluster, tiny: everything is measured and stopped; its pieces count and tell what is so."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from benchmarks.kubernetes import audit, fleet, fleet_scene, metrics, page, rows, takeover
from benchmarks.kubernetes.size import Size
from benchmarks.table import Row
from controller.spec.parse import parse_document

TINY = Size(fleets=(4,), under_way=4, changes=2, rest=2.0, watched=3.0, pair=8)
BORN = 1_000.0


def judged(at: float, turned: dict[str, metrics.Turn]) -> dict[tuple[str, str, str], float]:
    """The newest counts of bot-0001 by (version, hazard, verdict)."""
    query = f'{fleet.family("harm")}{{deployment=~"bot-0001|bot-0002",verdict=~"ok|bad"}}[60s]'
    found = json.loads(metrics.matrix(query, at, BORN, turned))["data"]["result"]
    mine = [one for one in found if one["metric"]["deployment"] == "bot-0001"]
    of = ("version", "hazard", "verdict")
    return {tuple(one["metric"][name] for name in of): float(one["values"][-1][1]) for one in mine}


def test_the_fleets_documents_are_good_ones() -> None:
    parsed = parse_document(fleet.a_rollout(1, 8000, "v2"), "bot")
    assert parsed.problems == ()
    assert parsed.rollout is not None
    assert len(parsed.rollout.slos) == 4
    route = fleet.a_route(1, 8000)
    assert fleet.candidate_weight(route) == 0
    route["spec"]["rules"][0]["backendRefs"].append({"name": "bot-0001-v2", "weight": 10})
    assert fleet.candidate_weight(route) == 10


def test_counters_never_fall_and_turn_bad_when_told() -> None:
    turned = {"bot-0001": (2_000.0, "counts")}
    before, after = judged(1_999.9, turned), judged(2_000.0, turned)
    assert all(after[key] >= before[key] for key in before)
    assert after["v2", "none", "bad"] - before["v2", "none", "bad"] >= metrics.SUDDENLY
    assert after["v1", "none", "bad"] - before["v1", "none", "bad"] <= 1
    leaked = {"bot-0001": (2_000.0, "leak")}
    found = judged(2_000.0, leaked)
    assert [key for key in found if found[key] > judged(2_000.0, {})[key]] == [("v2", "leak", "bad")]


def test_requests_are_counted_by_time_verb_and_resource(tmp_path: Path) -> None:
    def entry(second: int, verb: str, resource: str, part: str = "") -> str:
        at = datetime.fromtimestamp(second, UTC).isoformat()
        ref = {"resource": resource} | ({"subresource": part} if part else {})
        return json.dumps({"requestReceivedTimestamp": at, "verb": verb, "objectRef": ref})

    lines = [
        entry(5, "patch", "leases"), entry(15, "patch", "leases"), entry(15, "watch", "httproutes"),
        entry(16, "patch", "modelrollouts", "status"), entry(17, "get", "httproutes"), entry(18, "create", "events"),
        entry(25, "patch", "httproutes"),
    ]  # fmt: skip
    (tmp_path / "audit.log").write_text("\n".join(lines) + '\n{"half a li')
    found = audit.requests_between(tmp_path, 10, 20)
    assert found["patch", "modelrollouts/status"] == 1
    assert (audit.beyond(found), audit.writes(found)) == (3, 1)


def test_the_page_keeps_what_people_wrote(tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    file.write_text(f"# Above\n\n{page.BEGIN}\nold\n{page.END}\n\nbelow\n")
    row = Row("100", "breach", "13.0 s", "≤ 12 s", False, "a note")
    page.write({"load before": "0.10, 1, 1", "CPU": "a fast one"}, [row], file)
    text = file.read_text()
    assert text.startswith("# Above\n")
    assert text.endswith("below\n")
    assert "old" not in text
    assert "| 100 | breach [1] | 13.0 s | ≤ 12 s | **no** |" in text
    assert "was quiet" in text
    file.write_text("nothing here")
    with pytest.raises(ValueError, match="say where the table goes"):
        page.write({}, [row], file)


def test_the_real_page_has_its_marks() -> None:
    text = page.PAGE.read_text()
    assert text.index(page.BEGIN) < text.index(page.END)


def test_a_wrong_option_is_refused_before_anything_starts() -> None:
    argv = [sys.executable, "-m", "benchmarks.kubernetes.run", "--only", "everything"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "invalid choice" in done.stderr


def servers() -> set[int]:
    """The API servers that this process started and that still run."""
    return {one.pid for one in psutil.Process().children(recursive=True) if "kube-apiserver" in one.name()}


@pytest.mark.xdist_group("bench-kubernetes")
@pytest.mark.timeout(300)
def test_a_tiny_fleet_is_measured_and_nothing_is_left() -> None:
    told: list[str] = []
    before = servers()  # this worker's own tests may have one
    found = fleet_scene.play(4, TINY, told.append)
    assert len(told) == 7
    assert len(found.first_weight) == len(found.put_back) == 2
    assert len(found.leak.to_zero) == len(found.counts.to_zero) == 2
    assert all(0 < seconds < 60 for seconds in (*found.leak.to_verified, *found.counts.to_verified))
    assert audit.beyond(found.rest.requests) == 0, found.rest.requests
    assert all(row.measured for row in rows.of_fleet(found))
    assert servers() == before


@pytest.mark.xdist_group("bench-kubernetes")
@pytest.mark.timeout(300)
def test_a_killed_replica_is_replaced() -> None:
    found = takeover.play(TINY, lambda _: None)
    assert 0 < len(found.taken) <= 8
    assert all(0 < seconds < takeover.TAKING for seconds in found.taken)
    assert all(row.measured for row in rows.of_takeover(found))
