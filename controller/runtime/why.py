"""Why a decision in the journal was taken: the counts as stored, the arithmetic in words, what would have flipped it.

Pure text from journal entries: the daemon and a command without one tell the same.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from controller.domain.record import JournalEntry
from controller.runtime import arithmetic
from controller.runtime.inputs import Inputs, LedgerRow, Row, read

PAGE, MOST = 1_000, 1_000_000


@dataclass(frozen=True, slots=True)
class Decided:
    """The entries of one commit, oldest first, the sentences about them, and what was kept beside them."""

    entries: tuple[JournalEntry, ...]
    lines: tuple[str, ...]
    inputs: Inputs


def find(journal: Callable[[int], Sequence[JournalEntry]], seq: int) -> Decided | None:
    """The decision of number `seq`, or None. `journal` reads so many of the newest entries, newest first."""
    limit = PAGE
    while True:
        known = journal(limit)
        if limit >= MOST or len(known) < limit or known[-1].seq < seq:
            return decided(known, seq)
        limit *= 10


def decided(journal: Sequence[JournalEntry], seq: int) -> Decided | None:
    """The same from entries that were read, newest first."""
    mine = tuple(one for one in reversed(journal) if one.seq == seq)
    if not mine:
        return None
    inputs = read(mine[0].verdicts)
    earlier = [one for one in journal if one.seq < seq and one.run == mine[0].run]
    reasons = {one.reason for one in mine}
    told = [line for one in mine for line in _told(one, inputs, earlier, reasons)]
    return Decided(mine, tuple(dict.fromkeys(line for line in told if line)), inputs)


def _told(entry: JournalEntry, inputs: Inputs, earlier: Sequence[JournalEntry], reasons: set[str]) -> Iterator[str]:
    about = entry.facts.get("slo") is not None
    if entry.reason in ("breached", "alarm", "alert_slo") or (entry.reason == "held" and about):
        yield from _over(entry, inputs)
    elif entry.reason in ("stage_completed", "promoted", "awaiting_approval"):
        yield from _up(inputs)
    elif entry.reason == "trusted":
        yield from _trusted(entry, inputs)
    elif entry.reason in ("blind", "withdrawn", "sight_back"):
        yield from _blind(entry, inputs)
    elif entry.reason == "held":
        yield from _undecided(inputs)
    elif entry.reason == "found":
        yield from _found(entry)
    elif entry.reason in ("evidence_rebuilt", "evidence_lost"):
        yield from _lost(entry)
    elif entry.reason in ("rollback_started", "rollback_verified", "would_roll_back"):
        yield from _rolled_back(entry, inputs, earlier, reasons)
    elif len(reasons) == 1:
        yield from _without_counts(entry, inputs)


def _over(entry: JournalEntry, inputs: Inputs) -> Iterator[str]:
    """A breach: the guilty stream, its ledger, and what would have kept it from acting."""
    row = _guilty(entry, inputs)
    if row is None:
        yield "What was counted was not kept beside this decision: an older version of Tidegate took it."
        return
    if row.value is not None:
        yield from _value(row)
        return
    ledger = arithmetic.ledger_of(row, inputs)
    yield arithmetic.counted(row)
    yield arithmetic.bets(row, inputs)
    if ledger is not None:
        yield arithmetic.together(ledger, inputs)
    yield arithmetic.beside(row)
    yield arithmetic.flip_of_breach(row, inputs)


def _guilty(entry: JournalEntry, inputs: Inputs) -> Row | None:
    slo, scenario = entry.facts.get("slo"), entry.facts.get("scenario")
    same = [row for row in inputs.streams if row.slo == slo and row.scenario == scenario]
    return next((row for row in same if row.guilty), same[0] if same else None)


def _value(row: Row) -> Iterator[str]:
    limit = "" if row.objective is None else f"; the limit is {row.objective:.4g}"
    inside = "One value inside the limit would have begun the count anew."
    often = f", {row.strikes} times in a row outside of it" if row.strikes else ""
    yield f"{row.name} was {row.value:.4g}{limit}{often}."
    yield f"A value is no rate: nothing is weighed, so many in a row act by themselves. {inside}"


def _up(inputs: Inputs) -> Iterator[str]:
    """Nothing spoke against going on, and what was asked for was there."""
    stage = inputs.stage
    if stage is not None:
        asked = "a proof that every SLO is kept" if stage.require == "proven" else "no sign of a breach"
        samples = f" and {stage.min_samples:,} judged answers per SLO" if stage.min_samples else ""
        yield f"Stage {stage.name} asked for {asked}{samples}, verified traffic and its minDuration: all was there."
    for row in _judged(inputs):
        yield from _one_of_up(row, inputs)
    yield from (arithmetic.together(one, inputs) for one in _evidence(inputs))


def _one_of_up(row: Row, inputs: Inputs) -> Iterator[str]:
    if row.value is not None:
        yield f"{row.name} was {row.value:.4g}, inside its limit."
    elif not row.total:
        yield arithmetic.counted(row)
    else:
        sign = f"The bets on 'above the limit' stood at {arithmetic.times(row.log_e)}; {arithmetic.CALM:g} is a sign"
        parts = (
            arithmetic.counted(row),
            f"{sign}.",
            arithmetic.proof_of(row),
            arithmetic.flip_of_going_up(row, inputs),
        )
        yield " ".join(part for part in parts if part)


def _judged(inputs: Inputs) -> Iterator[Row]:
    """The streams that people look at: against the objective, of SLOs that act; a slice only where it was bad."""
    for row in inputs.streams:
        if row.against == "objective" and row.on_breach != "alert" and (row.scenario is None or row.bad):
            yield row


def _evidence(inputs: Inputs) -> Iterator[LedgerRow]:
    return (one for one in inputs.ledgers if one.kind == "evidence")


def _trusted(entry: JournalEntry, inputs: Inputs) -> Iterator[str]:
    """The end of an A/A run: how far the bets on a difference ever got between two copies of one version."""
    answers, peak = entry.facts.get("answers"), entry.facts.get("peak_e")
    if isinstance(answers, int | float) and isinstance(peak, int | float):
        yield (
            f"{entry.facts.get('twin')} is {entry.facts.get('of')} once more: {answers:,.0f} judged answers of either, "
            f"and the bets on 'worse than stable' never stood above {peak:g}; at 20 it would not have been trusted."
        )
    for row in inputs.streams:
        if row.against == "stable" and row.scenario is None:
            yield f"{arithmetic.counted(row)} {arithmetic.beside(row)}"
    yield "From now on a breach of it rolls back; until then it only held."


def _found(entry: JournalEntry) -> Iterator[str]:
    bad, place = entry.facts.get("bad"), f"{entry.facts.get('slo')}/{entry.facts.get('scenario')}"
    if isinstance(bad, int | float):
        yield f"{place}: {bad:,.0f} bad answer{'' if bad == 1 else 's'} that no person has looked at."
    yield "In this scenario the first bad answer is one too many: no arithmetic, a person decides (`review`)."
    yield "What would have flipped it: not a single bad answer in this scenario."


def _lost(entry: JournalEntry) -> Iterator[str]:
    """What was known of the candidate was not in the database."""
    ticks, source = entry.facts.get("ticks"), entry.facts.get("source", "kept")
    if entry.reason == "evidence_lost":
        yield "The evidence was gone and nothing was left to count it from: it is collected anew."
    elif source == "history":
        yield f"The evidence was gone and was counted anew from the metric server's history: {ticks} ticks."
    else:
        yield f"The evidence was gone and was counted anew from the measurements that were kept: {ticks} ticks."
    if entry.facts.get("budget") == "kept":
        yield "Nothing was missing, so it is what it was, and so is the allowance for a false rollback."
    else:
        yield "What was spent of the allowance for a false rollback is not known, so half of it is left."


def _blind(entry: JournalEntry, inputs: Inputs) -> Iterator[str]:
    """Sight, not evidence, decided."""
    if entry.reason == "sight_back":
        yield "Everything can be measured again, so the run goes on; what was counted before still counts."
    else:
        yield "Nothing says that the version is bad: it could not be measured, and blind is neither good nor bad."
        why = [f"{row.name}: {row.blind}" for row in inputs.streams if row.blind and row.scenario is None]
        yield from (f"{text}." for text in why)
        yield "What would have flipped it: one measurement that reads; the counts themselves decided nothing."
    yield from _standing(inputs)


def _undecided(inputs: Inputs) -> Iterator[str]:
    """A deadline, or a person's or another program's doing: the evidence was enough for neither."""
    yield "The evidence was enough neither to go up nor to roll back, or somebody must look at it first."
    for row in _judged(inputs):
        parts = (arithmetic.counted(row), arithmetic.proof_of(row)) if row.value is None else (f"{row.name}: a value.",)
        yield " ".join(part for part in parts if part)
    yield from (arithmetic.together(one, inputs) for one in _evidence(inputs))


def _rolled_back(
    entry: JournalEntry, inputs: Inputs, earlier: Sequence[JournalEntry], reasons: set[str]
) -> Iterator[str]:
    if "breached" in reasons:
        return
    cause = str(entry.facts.get("cause", ""))
    began = next((one for one in earlier if one.reason in ("breached", "rollback_started")), None)
    if entry.reason == "rollback_verified" and began is not None:
        yield f"The data plane counted no more request of the candidate. The decision was #{began.seq}: {_ask(began)}."
    elif cause == "blind":
        yield from _blind(entry, inputs)
    elif cause == "inconclusive":
        yield from _undecided(inputs)
        yield "The spec says `onInconclusive: rollback`: at maxDuration that is enough."
    elif cause != "breach":
        yield from _without_counts(entry, inputs)


def _ask(entry: JournalEntry) -> str:
    return f"`tidegate explain {entry.key} --decision {entry.seq}`"


def _without_counts(entry: JournalEntry, inputs: Inputs) -> Iterator[str]:
    """A person, the spec or the data plane decided, not the counts."""
    yield f"No count led to it: {entry.actor} asked for it." if entry.actor else "No count led to it."
    yield from _standing(inputs)


def _standing(inputs: Inputs) -> Iterator[str]:
    """How the evidence stood at that moment, where some was kept."""
    counts = [arithmetic.counted(row) for row in _judged(inputs) if row.value is None and row.total]
    if counts:
        yield "At that moment:"
        yield from counts
    yield from (arithmetic.together(one, inputs) for one in _evidence(inputs) if counts)
