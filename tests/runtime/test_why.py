"""Decisions explained from the journal alone: what was counted, the arithmetic, what would have flipped it."""

import json
import math
from dataclasses import replace

import pytest

from controller.domain.decision import Reason
from controller.domain.measure import BlindCause
from controller.domain.names import RunId
from controller.domain.observation import Readiness
from controller.domain.record import JournalEntry, TickRecord
from controller.domain.slo import Margin
from controller.domain.state import Phase
from controller.runtime import why
from controller.runtime.explain import explain
from controller.runtime.inputs import Inputs, LedgerRow, Row, read, written
from controller.store.entries import journal_of
from controller.testing.builders import STABLE, a_rollout, a_slo
from controller.testing.clock import START
from controller.testing.drive import drive, drive_until
from controller.testing.stores import Fault
from controller.testing.world import World
from controller.web.protocol import Request
from controller.web.socket import RequestRefusedError
from tests.runtime.rig import KEY, Rig, the_slo
from tests.runtime.test_control import Asked, ask, control_of
from tests.stories.test_pure_stories_of_evidence import calm, found_in_canary
from tests.stories.told import a_good_world, turn_harmful, until_stage

__all__ = ["ask"]


def decision(rig: Rig, reason: str) -> why.Decided:
    """The newest decision of that reason."""
    journal = rig.store.journal(KEY, 1000)
    seq = next(entry.seq for entry in journal if entry.reason == reason)
    found = why.find(lambda limit: rig.store.journal(KEY, limit), seq)
    assert found is not None
    return found


def text(found: why.Decided) -> str:
    return "\n".join(found.lines)


def by_hand(reason: str, facts: dict[str, object], *rows: Row, ledgers: tuple[LedgerRow, ...] = ()) -> list[str]:
    """The sentences for an entry made by hand."""
    kept = json.dumps({"streams": [_row(row) for row in rows], "ledgers": [_ledger(one) for one in ledgers]})
    when = a_rollout().key
    entry = JournalEntry(when, 7, START, reason, "warn", None, RunId("r-1"), None, facts, kept)  # type: ignore[arg-type]
    found = why.decided([entry], 7)
    assert found is not None
    return list(found.lines)


def _row(row: Row) -> dict[str, object]:
    return {name: getattr(row, name) for name in Row.__slots__}


def _ledger(one: LedgerRow) -> dict[str, object]:
    return {name: getattr(one, name) for name in LedgerRow.__slots__}


def a_breach(**changes: object) -> Row:
    """10 of 308 at a limit of 1 %, a quarter of the ledger."""
    row = Row(
        "harm", bad=10, total=308, log_e=math.log(412), objective=0.01, p0=0.01, ticks=60, share=0.25,
        action="rollback", guilty=True, stable_bad=3, stable_total=2900,
    )  # fmt: skip
    return replace(row, **changes)  # type: ignore[arg-type]


ROLLBACK = (LedgerRow("rollback", "evidence", math.log(103.1), math.log(20)),)


def test_a_breach_for_somebody_who_knows_no_statistics() -> None:
    lines = by_hand("breached", {"slo": "harm", "scenario": None}, a_breach(), ledgers=ROLLBACK)
    assert lines[0] == (
        "harm: 10 of 308 judged answers were bad (3.25 %); the limit is 1 %: "
        "a version exactly at that limit would have had about 3.08."
    )
    assert lines[1] == (
        "The bets on 'above the limit' grew from 1 to 412; weighted 0.25 of the ledger that is 103 of the 20 needed "
        "for a rollback."
    )
    assert "a version that keeps every limit gets that far in at most 5 % of runs" in lines[2]
    assert lines[3].startswith("Stable had 3 of 2,900 (0.103 %) at the same time")
    assert "of the 10 bad answers good instead, or about" in lines[4]


def test_a_stable_that_is_as_bad_points_to_the_judge() -> None:
    lines = by_hand("breached", {"slo": "harm"}, a_breach(stable_bad=95), ledgers=ROLLBACK)
    assert any("Look at the judge and at the traffic before you blame the candidate" in line for line in lines)


def test_a_comparison_with_stable_and_a_turn_are_named_as_what_they_are() -> None:
    stable = a_breach(against="stable", p0=0.002)
    assert "beside stable's 0.103 % at most 0.2 % is allowed" in by_hand("held", {"slo": "harm"}, stable)[0]
    turn = a_breach(against="change", log_e=math.log(4e6))
    told = by_hand("breached", {"slo": "harm"}, turn, ledgers=(LedgerRow("rollback", "change", 15.2, 15.0),))
    assert any("forgets good days, stood at more than a million" in line for line in told)
    assert not any("What would have flipped it" in line for line in told)


def test_a_value_acts_by_itself() -> None:
    cost = Row("cost", value=0.031, objective=0.02, strikes=3, guilty=True, on_breach="hold")
    lines = by_hand("held", {"slo": "cost", "cause": "breach"}, cost)
    assert lines[0] == "cost was 0.031; the limit is 0.02, 3 times in a row outside of it."
    assert "One value inside the limit would have begun the count anew." in lines[1]


@pytest.mark.parametrize("kept", ["", "harm: pass", "[]", "{}", '{"streams":[{"slo":"harm","later":1}]}'])
def test_what_older_or_newer_daemons_kept_is_read_too(kept: str) -> None:
    assert all(row == Row("harm") for row in read(kept).streams)
    entry = JournalEntry(KEY, 3, START, "breached", "warn", None, None, None, {"slo": "harm"}, kept)
    found = why.decided([entry], 3)
    assert found is not None
    assert found.lines


def test_a_rollback_of_a_real_pass(canary: Rig) -> None:
    canary.breach()
    canary.passes()
    found = decision(canary, "breached")
    assert {entry.reason for entry in found.entries} == {"breached", "rollback_started"}
    row = next(one for one in found.inputs.streams if one.guilty)
    assert (row.share, row.p0, row.action) == (1.0, 0.05, "rollback")
    assert row.ticks > 0
    for part in ("harm: ", "the limit is 5 %", "of the 20 needed for a rollback", "What would have flipped it"):
        assert part in text(found), text(found)
    ended = text(decision(canary, "rollback_verified"))
    assert f"The decision was #{found.entries[0].seq}: `tidegate explain {KEY} --decision" in ended


def test_a_stage_that_was_left_says_what_would_have_kept_it(canary: Rig) -> None:
    told = text(decision(canary, "stage_completed"))
    assert "Stage shadow asked for no sign of a breach" in told
    assert "more bad answers among them it would have shown signs of a breach" in told


def test_a_promotion(canary: Rig) -> None:
    for _ in range(40):
        canary.tick()
        if canary.held.position.phase is Phase.COMPLETED:
            break
    told = text(decision(canary, "promoted"))
    assert "Stage full asked for" in told
    assert "'below the limit' stood at" in told


def test_blind_is_told_as_blind(canary: Rig) -> None:
    canary.counters.problem = "the server answered 500"
    canary.tick()
    told = text(decision(canary, "blind"))
    assert "could not be measured, and blind is neither good nor bad" in told
    assert "the server answered 500" in told
    assert "one measurement that reads" in told


def test_what_a_person_asked_for_needs_no_count(ask: Asked, canary: Rig) -> None:
    ask("pause", name="support-bot", reason="lunch")
    told = decision(canary, "paused")
    assert told.lines[0] == "No count led to it: ada asked for it."
    ask("abort", name="support-bot", reason="customers complain")
    assert "No count led to it: ada asked for it." in text(decision(canary, "rollback_started"))


def test_every_decision_of_a_run_has_sentences(canary: Rig) -> None:
    canary.breach()
    canary.passes()
    for entry in canary.store.journal(KEY, 1000):
        found = why.decided(canary.store.journal(KEY, 1000), entry.seq)
        assert found is not None
        assert found.lines, entry.reason


def test_the_daemon_answers_for_one_decision(ask: Asked, canary: Rig) -> None:
    canary.breach()
    seq = decision(canary, "breached").entries[0].seq
    answer = ask("explain", name="support-bot", decision=seq)
    assert answer["decision"] == seq
    assert "What would have flipped it" in "\n".join(answer["lines"])  # type: ignore[arg-type]  # a list of sentences
    with pytest.raises(RequestRefusedError, match="has no decision #9999 in its journal"):
        ask("explain", name="support-bot", decision=9999)
    canary.store.fault = Fault.UNAVAILABLE
    with pytest.raises(RequestRefusedError, match="the journal cannot be read now"):
        control_of(canary)(Request("explain", {"name": "support-bot", "decision": seq}, "ada"))


def test_the_weights_kept_are_those_the_ledger_used(rig: Rig) -> None:
    """A comparison that is not trusted yet leads to a hold, and leaves its SLO's whole weight to the rollback."""
    compared = replace(the_slo(), versus_stable=Margin(points=0.01))  # type: ignore[type-var]
    rig.want(slos=(compared,), version="v12")
    for _ in range(30):
        rig.tick(bad=2)
        run = rig.held.position.run
        if run is not None and run.stage > 0:
            break
    inputs: Inputs = decision(rig, "stage_completed").inputs
    rows = {row.against: row for row in inputs.streams}
    assert (rows["objective"].action, rows["stable"].action) == ("rollback", "hold")
    assert rows["objective"].share == pytest.approx(1.0)
    assert rows["stable"].share == pytest.approx(1.0)
    for ledger in inputs.ledgers:
        if ledger.kind == "evidence":
            mine = [row for row in inputs.streams if row.action == ledger.action and row.against != "change"]
            whole = sum((row.share or 0) * math.exp(row.log_e) for row in mine)
            assert ledger.log_e == pytest.approx(math.log(whole))


def test_explain_speaks_of_stable_when_the_comparison_does(rig: Rig) -> None:
    compared = replace(the_slo(), versus_stable=Margin(points=0.001), max_bad=0.1)  # type: ignore[type-var]
    rig.want(slos=(compared,), version="v12")
    for _ in range(14):
        rig.tick(bad=8)
    told = "\n".join(explain(rig.held, rig.clock.now()))
    assert "harm: worse than stable: " in told, told
    assert "holds and does not roll back" in told


def told_in(world: World, reason: Reason) -> why.Decided:
    """The decision of that reason, with what the daemon keeps beside it."""
    for number, passed in enumerate(world.passes):
        decision, before = passed.decision, passed.before
        if reason not in {notice.reason for notice in decision.notices}:
            continue
        run = decision.position.run or before.run
        stage = before.run.current if before.run is not None and before.under_way else None
        kept = written(decision.judgement, decision.evidence, run.spec if run else None, stage)
        at, notices = passed.seen.now, decision.notices
        record = TickRecord(KEY, number + 1, at, decision.position, None, notices=notices, verdicts=kept)
        found = why.decided(tuple(reversed(journal_of(record))), number + 1)
        assert found is not None
        return found
    raise AssertionError(f"{reason} was never told")


def test_a_withdrawal_says_that_nothing_was_wrong_with_the_version() -> None:
    world = until_stage(a_good_world(), 1)
    world.truth.dark[None, None] = BlindCause.QUERY_FAILED
    drive_until(world, lambda w: w.position.run is not None and w.position.run.withdrawn, 100)
    told = told_in(world, Reason.WITHDRAWN).lines
    assert told[0] == (
        "Nothing says that the version is bad: it could not be measured, and blind is neither good nor bad."
    )
    assert told[1] == "harm: the ratio of v12 cannot be read (query_failed)."
    assert told[2] == "What would have flipped it: one measurement that reads; the counts themselves decided nothing."
    assert told[3] == "At that moment:"
    assert told[4].startswith("harm: ")
    assert "judged answers were bad" in told[4]


def test_a_finding_is_no_arithmetic() -> None:
    found = told_in(found_in_canary(), Reason.FOUND)
    bad = found.entries[0].facts["bad"]
    assert found.lines == (
        f"harm/cse: {bad:,.0f} bad answer{'' if bad == 1 else 's'} that no person has looked at.",
        "In this scenario the first bad answer is one too many: no arithmetic, a person decides (`review`).",
        "What would have flipped it: not a single bad answer in this scenario.",
    )


def test_an_alarm_after_promotion_is_explained_like_a_breach() -> None:
    world = a_good_world()
    drive_until(world, lambda w: w.position.phase is Phase.COMPLETED, 400)
    drive(world, 10)
    world.loading[STABLE] = Readiness.UNREACHABLE
    turn_harmful(world)
    drive_until(world, lambda w: Reason.ALARM in {notice.reason for notice in w.notices}, 200)
    told = "\n".join(told_in(world, Reason.ALARM).lines)
    for part in ("harm: ", "judged answers were bad", "the limit is 5 %", "for a rollback"):
        assert part in told, told


def test_trust_says_what_it_rests_on() -> None:
    world = calm(a_slo(versus_stable=Margin(points=0.02)))
    found = told_in(world, Reason.TRUSTED)
    facts = next(one for one in found.entries if one.reason == "trusted").facts
    first = (
        f"v12 is v11 once more: {facts['answers']:,.0f} judged answers of either, and the bets on 'worse than stable' "
        f"never stood above {facts['peak_e']:g}; at 20 it would not have been trusted."
    )
    assert first in found.lines
    told = "\n".join(found.lines)
    assert "beside stable's" in told
    assert "From now on a breach of it rolls back; until then it only held." in found.lines


@pytest.mark.parametrize(
    ("reason", "facts", "parts"),
    [
        ("evidence_lost", {}, ("nothing was left", "half of it is left")),
        ("evidence_rebuilt", {"ticks": 40, "budget": "half", "source": "history"}, ("history: 40 ticks", "half")),
        (
            "evidence_rebuilt",
            {"ticks": 40, "budget": "kept", "source": "kept"},
            ("were kept: 40", "Nothing was"),
        ),
    ],
)
def test_lost_evidence_says_where_it_came_from(reason: str, facts: dict[str, object], parts: tuple[str, ...]) -> None:
    told = "\n".join(by_hand(reason, facts))
    assert all(part in told for part in parts), told


def test_a_proof_that_waits_for_the_judge_says_so() -> None:
    row = Row(
        "harm", total=2000, objective=0.05, p0=0.05, proof_p0=0.05, log_proof=4.0, log_proof_limit=3.0, ticks=60,
        late="180 of 200 answers that are older than 2 min are judged (90.0%), 95% are needed",
    )  # fmt: skip
    told = "\n".join(by_hand("held", {"cause": "deadline"}, row))
    assert "not proven, because the judge is late: 180 of 200 answers" in told
