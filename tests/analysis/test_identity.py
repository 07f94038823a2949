"""Before a run: every message says which label to fix."""

from dataclasses import replace

from controller.analysis.asking import asks
from controller.analysis.identity import check_identity, identity_asks
from controller.domain.measure import FamilyAsk, FamilyReading, QueryAsk, Series, Snapshot, ValueReading
from controller.domain.rollout import Identity
from controller.domain.slo import Absent, Matcher, PromqlIndicator, RatioIndicator, Slo
from controller.testing.builders import a_rollout
from tests.analysis.counters import FAILED, HARM, JUDGED, METRIC, a_version, an_slo, at, by_hazard, latency, series
from tests.analysis.counters import snapshot as shot_of

STABLE, CANDIDATE = a_version("v11"), a_version("v12")


def problems(slo: Slo, *found: Series, metric: str = METRIC) -> tuple[str, ...]:
    return check_identity(a_rollout(slos=(slo,)), STABLE, CANDIDATE, shot_of(0, *found, metric=metric))


def counter(version: str, verdict: str, hazard: str = "none") -> Series:
    return series([(0, 0)], version=version, verdict=verdict, hazard=hazard)


def full(*versions: str) -> list[Series]:
    return [counter(v, verdict, h) for v in versions for verdict in ("ok", "bad") for h in ("none", "ssh")]


def test_nothing_to_say_when_both_are_there_and_apart() -> None:
    assert problems(by_hazard("ssh"), *full("v11", "v12")) == ()


def test_a_version_without_series_names_those_that_have_some() -> None:
    assert problems(an_slo(), *full("v10", "v11"))[0] == (
        f'slo harm: no series of {METRIC}{{verdict="bad"}} has version="v12"; the label `version` has the values '
        "v10, v11. To fix it, create every label combination at zero when the exporter starts, or set metrics.identity"
    )


def test_a_counter_that_never_failed_yet_is_not_zero_but_absent() -> None:
    slo = an_slo(RatioIndicator(HARM, JUDGED, FAILED))
    assert [text.partition(";")[0] for text in problems(slo, *full("v11", "v12"))] == [
        f'slo harm: there is no series of {METRIC}{{verdict="error"}}'
    ]


def test_none_yet_keeps_no_run_from_starting_where_the_first_creates_its_series() -> None:
    late = an_slo(RatioIndicator(HARM, JUDGED, FAILED, absent=Absent.ZERO))
    ok = [counter(version, "ok") for version in ("v11", "v12")]
    assert problems(late, *ok) == ()
    assert problems(late, *ok, counter("v11", "bad")) == ()
    (first,) = problems(late, ok[0])
    assert first.startswith(f'slo harm: no series of {METRIC}{{verdict in ok|bad}} has version="v12"')
    (first,) = problems(late, *ok, series([(0, 0)], verdict="bad", model="m"))
    assert "has the label `version`; its labels are model, verdict" in first


def test_the_label_is_not_on_the_family() -> None:
    (first, *_) = problems(an_slo(), series([(0, 0)], model="m", verdict="bad"), series([(0, 0)], verdict="ok"))
    assert "has the label `version`; its labels are model, verdict" in first
    assert "set metrics.identity.label to the label that names the version" in first


def test_the_same_series_for_both() -> None:
    one = series([(0, 0)], version="v11", model="v12", verdict="bad")
    two = series([(0, 0)], version="v11", model="v12", verdict="ok")
    candidate = replace(CANDIDATE, identity=Identity("model", "v12"))
    found = check_identity(a_rollout(slos=(an_slo(),)), STABLE, candidate, shot_of(0, one, two))
    assert found[0].startswith(
        f'slo harm: {METRIC}{{model="v12",verdict="bad",version="v11"}} belongs to v11 and to v12'
    )


def test_a_bound_that_is_no_bucket_lists_the_buckets() -> None:
    buckets = [series([(0, 0)], version=v, le=le) for v in ("v11", "v12") for le in ("2.5", "5.0", "+Inf")]
    counts = [series([(0, 0)], version=v) for v in ("v11", "v12")]
    families = {"seconds_bucket": FamilyReading(tuple(buckets)), "seconds_count": FamilyReading(tuple(counts))}
    shot = Snapshot(at(0), families)
    (said,) = check_identity(a_rollout(slos=(latency(4.0),)), STABLE, CANDIDATE, shot)
    assert said.startswith("slo latency: 4 is no bucket bound of seconds; the buckets are 2.5, 5, inf; set `under`")
    assert check_identity(a_rollout(slos=(latency(5.0),)), STABLE, CANDIDATE, shot) == ()


def test_a_required_scenario_and_the_baseline() -> None:
    only_ssh = [counter(v, verdict, "ssh") for v in ("v11", "v12") for verdict in ("ok", "bad")]
    found = problems(by_hazard("ssh", "cse"), *only_ssh)
    assert len(found) == 4
    assert 'verdict="bad", version="v12"} has hazard="cse"; its values are ssh' in found[2]
    assert 'has hazard="none"; its values are ssh. To fix it, create every hazard at zero' in found[3]


def test_a_server_that_cannot_answer() -> None:
    shot = shot_of(0, problem="http://prometheus:9090 cannot be reached")
    (said,) = check_identity(a_rollout(slos=(an_slo(),)), STABLE, CANDIDATE, shot)
    assert said == f"slo harm: {METRIC}: http://prometheus:9090 cannot be reached"


def test_a_query_must_give_a_value_for_both() -> None:
    slo = an_slo(PromqlIndicator('cost{version="{{version}}"}'), name="cost")
    shot = Snapshot(at(0), values={'cost{version="v11"}': ValueReading(0.1)})
    found = check_identity(a_rollout(slos=(slo,)), STABLE, CANDIDATE, shot)
    assert found == ('slo cost: cost{version="v12"} was not asked for',)
    (_, query) = asks(a_rollout(slos=(slo,)), [STABLE, CANDIDATE])
    assert query == QueryAsk('cost{version="v12"}')


def test_asks_for_all_versions_so_that_others_can_be_named() -> None:
    found = identity_asks(a_rollout(slos=(an_slo(),)), [STABLE, CANDIDATE])
    assert found == (FamilyAsk(METRIC, (Matcher("verdict", ("bad", "ok")),)),)
