"""From the record of one tick to the lines of its journal. Pure; every store writes the same lines."""

from controller.domain.names import Digest
from controller.domain.record import JournalEntry, TickRecord
from controller.domain.state import Run


def journal_of(record: TickRecord) -> tuple[JournalEntry, ...]:
    """One entry per notice, in order, with the run and the commit that the notice belongs to."""
    run = run_of(record)
    run_id = record.run or (run.id if run else None)
    return tuple(
        JournalEntry(
            key=record.key,
            seq=record.seq,
            at=notice.at,
            reason=notice.reason.value,
            severity=notice.severity.value,
            actor=notice.actor,
            run=run_id,
            commit=run.provenance.commit if run else None,
            facts=notice.facts,
            verdicts=record.verdicts,
        )
        for notice in record.notices
    )


def run_of(record: TickRecord) -> Run | None:
    """The run this record is about, or None: a position may still carry an earlier run than the one named."""
    run = record.position.run
    return run if run is not None and record.run in (None, run.id) else None


def digest_of(record: TickRecord) -> Digest | None:
    """The candidate's digest this record is about: that of its evidence, else of its run."""
    if record.evidence is not None:
        return record.evidence.digest
    run = run_of(record)
    return run.digest if run else None
