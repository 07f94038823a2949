"""The arithmetic of one decision, in words for people who know no statistics. Pure text from what was kept."""

import math
from collections.abc import Iterator

from controller.runtime.flips import fewer_bad, more_bad, more_bad_without_proof, more_good, unevenness
from controller.runtime.inputs import Inputs, LedgerRow, Row

CALM = 3.0
"""Evidence of a breach above this keeps a stage from being left upwards (`decision.advance`)."""
EVEN, UNTELLABLE = 2.5, 6.0
REPLAY = "Replay it exactly with other counts: `tidegate backtest FILE --counts`"
DEEDS = {"rollback": "a rollback", "hold": "a hold", "alert": "an alert"}


def percent(rate: float) -> str:
    """A rate for people: 0.08 is `8 %`, 0.0005 is `0.05 %`."""
    return f"{100 * rate:.3g} %"


def times(log_value: float) -> str:
    """An e-value for people: `412`, `2.5`, `less than 0.01`, `more than a million`."""
    if log_value >= math.log(1e6):
        return "more than a million"
    value = math.exp(max(log_value, -700.0))
    if value < 0.01:
        return "less than 0.01"
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"


def counted(row: Row) -> str:
    """What was counted, and what a version at the limit would have shown."""
    if not row.total:
        return f"{row.name}: no judged answer of the candidate was counted."
    found = f"{row.bad:,.0f} of {row.total:,.0f} judged answers {'was' if row.bad == 1 else 'were'} bad"
    limit = row.objective if row.p0 is None or row.against != "stable" else row.p0
    if limit is None:
        return f"{row.name}: {found} ({percent(row.bad / row.total)})."
    about = f"{limit * row.total:,.3g}" if limit * row.total < 100 else f"{limit * row.total:,.0f}"
    if row.against == "stable":
        what = f"beside stable's {percent(row.stable_bad / row.stable_total)} at most {percent(limit)} is allowed"
    else:
        what = f"the limit is {percent(limit)}"
    told = f"{row.name}: {found} ({percent(row.bad / row.total)}); {what}"
    return f"{told}: a version exactly at that limit would have had about {about}.{_moved(row)}"


def _moved(row: Row) -> str:
    if row.against == "stable" or row.p0 is None or row.objective is None or math.isclose(row.p0, row.objective):
        return ""
    return f" Its judge errs at a known rate, so the counts were held to {percent(row.p0)}."


def beside(row: Row) -> str:
    """What stable had, and what that says."""
    if not row.stable_total:
        return "Nothing of stable was judged at that time: there is nothing to compare it with."
    stable = row.stable_bad / row.stable_total
    told = (
        f"Stable had {row.stable_bad:,.0f} of {row.stable_total:,.0f} ({percent(stable)}) at the same time, by the "
        "same judge"
    )
    if row.total and row.bad and stable >= 0.7 * row.bad / row.total:
        return f"{told}: about as bad. Look at the judge and at the traffic before you blame the candidate."
    return f"{told}."


def bets(row: Row, inputs: Inputs) -> str:
    """How the evidence of a breach came about, and what it counts."""
    ledger = ledger_of(row, inputs)
    needed = limit_of(ledger, inputs)
    if row.against == "change":
        head = f"The detector of a change, which forgets good days, stood at {times(row.log_e)}"
    else:
        bet = "worse than stable" if row.against == "stable" else "above the limit"
        head = f"The bets on '{bet}' {_moved_to(row.log_e)}"
    if row.share is None or ledger is None:
        return f"{head}; {times(needed)} are needed for {DEEDS[row.on_breach]}."
    if row.share > 0.999:
        return f"{head}; {times(needed)} are needed for {DEEDS.get(ledger.action, ledger.action)}."
    scale = " of the detectors" if ledger.kind == "change" else ""
    weighed = f"weighted {row.share:.2g} of the ledger{scale} that is {times(_part(row))} of the {times(needed)} needed"
    halved = f" (the weight was cut to {row.budget:.2g} by earlier tries)" if row.budget < 1 else ""
    return f"{head}; {weighed} for {DEEDS.get(ledger.action, ledger.action)}{halved}."


def _moved_to(log_e: float) -> str:
    return f"{'grew' if log_e > 0.05 else 'fell' if log_e < -0.05 else 'went'} from 1 to {times(log_e)}"


def limit_of(ledger: LedgerRow | None, inputs: Inputs) -> float:
    """log of what a ledger acts at; an `alert` SLO, which has none, acts alone at the same."""
    same = (one.log_limit for one in inputs.ledgers if one.kind == "evidence")
    return ledger.log_limit if ledger else next(same, math.log(20))


def ledger_of(row: Row, inputs: Inputs) -> LedgerRow | None:
    """The ledger that a stream counts in; None for `alert` SLOs."""
    kind = "change" if row.against == "change" else "evidence"
    action = row.action or row.on_breach
    return next((one for one in inputs.ledgers if one.action == action and one.kind == kind), None)


def together(ledger: LedgerRow, inputs: Inputs) -> str:
    """The whole ledger: who contributed, and how often a good version gets so far."""
    what = "All detectors of a change" if ledger.kind == "change" else "All evidence"
    mine = sorted(_within(ledger, inputs), key=_part, reverse=True)
    told = ", ".join(f"{_named(row)} {times(_part(row))}" for row in mine[:3])
    most = f" ({told})" if len(mine) > 1 else ""
    stood = f"{what} together stood at {times(ledger.log_e)} of the {times(ledger.log_limit)} needed"
    if ledger.kind == "change":
        return f"{stood} for {DEEDS.get(ledger.action, ledger.action)}{most}."
    rare = percent(math.exp(-ledger.log_limit))
    kept = f"a version that keeps every limit gets that far in at most {rare} of runs"
    return f"{stood} for {DEEDS.get(ledger.action, ledger.action)}{most}; {kept}."


def _named(row: Row) -> str:
    return row.name if row.against != "stable" else f"{row.name} against stable"


def flip_of_breach(row: Row, inputs: Inputs) -> str:
    """How many fewer bad or more good answers, and it would not have acted."""
    needed = _needed_alone(row, inputs)
    if row.against == "change" or row.p0 is None or not row.total or needed is None:
        return ""
    uneven = unevenness(row.log_e, row.bad, row.total, row.p0, row.ticks)
    if uneven > UNTELLABLE:
        return f"What would have flipped it cannot be told from the totals: the bad answers came unevenly. {REPLAY}."
    facts = (row.log_e, needed, row.bad, row.total, row.p0, row.ticks)
    fewer, good = fewer_bad(*facts), more_good(*facts)
    told = [f"about {fewer:,} of the {row.bad:,.0f} bad answers good instead"] if fewer else []
    told += [f"about {good:,} more good answers and no bad one"] if good else []
    if not told:
        return ""
    rough = f" (very roughly, for they came unevenly; {REPLAY[0].lower()}{REPLAY[1:]})" if uneven > EVEN else ""
    return f"What would have flipped it: {', or '.join(told)}{rough}."


def _needed_alone(row: Row, inputs: Inputs) -> float | None:
    """log E at which this stream, beside all the others as they were, makes its ledger act; None: the others do."""
    ledger = ledger_of(row, inputs)
    if ledger is None or row.share is None:
        return limit_of(ledger, inputs)
    others = [math.exp(min(_part(one), 700.0)) for one in _within(ledger, inputs) if one is not row]
    free = math.exp(ledger.log_limit) - sum(others)
    return math.log(free / row.share) if free > 0 and row.share > 0 else None


def _within(ledger: LedgerRow, inputs: Inputs) -> list[Row]:
    return [row for row in inputs.streams if row.share and ledger_of(row, inputs) is ledger]


def _part(row: Row) -> float:
    """log of what the stream counts in its ledger."""
    return math.log(row.share) + row.log_e if row.share else -math.inf


def proof_of(row: Row) -> str:
    """Whether the counts prove that it is good."""
    needed = row.log_proof_limit
    if row.against != "objective" or row.scenario is not None or needed is None:
        return ""
    state = "proven" if row.proven else "not proven"
    if row.late is not None:
        state = f"not proven, because the judge is late: {row.late}"
    return f"The bets on 'below the limit' stood at {times(row.log_proof)} of the {times(needed)} needed: {state}."


def flip_of_going_up(row: Row, inputs: Inputs) -> str:
    """How many more bad answers, and the stage would not have been left upwards."""
    if row.p0 is None or not row.total or row.against != "objective":
        return ""
    told = list(_against_going_up(row, inputs))
    if not told:
        return ""
    least = min(told)
    return f"With about {least[0]:,} more bad {'answer' if least[0] == 1 else 'answers'} among them {least[1]}."


def _against_going_up(row: Row, inputs: Inputs) -> Iterator[tuple[int, str]]:
    assert row.p0 is not None
    signs = more_bad(row.log_e, math.log(CALM), row.bad, row.total, row.p0, row.ticks)
    if signs:
        yield signs, "it would have shown signs of a breach, and waited"
    required = inputs.stage is None or inputs.stage.require == "proven"
    if required and row.proven and row.scenario is None and row.proof_p0 and row.log_proof_limit:
        missing = more_bad_without_proof(row.log_proof, row.log_proof_limit, row.bad, row.total, row.proof_p0)
        if missing:
            yield missing, "the proof would have been missing, and it would have waited"
