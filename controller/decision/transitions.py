"""Which phase may follow which: the rules obey this table, and the picture in the docs is drawn from it."""

from collections.abc import Mapping

from controller.domain.state import Phase

P = Phase

TRANSITIONS: Mapping[Phase, frozenset[Phase]] = {
    P.IDLE: frozenset({P.PENDING, P.STALLED}),
    P.PENDING: frozenset({P.PROGRESSING, P.HELD, P.PAUSED, P.ROLLED_BACK, P.IDLE, P.STALLED}),
    P.PROGRESSING: frozenset({P.HELD, P.PAUSED, P.AWAITING_APPROVAL, P.ROLLING_BACK, P.COMPLETED, P.STALLED}),
    P.HELD: frozenset({P.PROGRESSING, P.PENDING, P.PAUSED, P.ROLLING_BACK, P.ROLLED_BACK, P.IDLE, P.STALLED}),
    P.PAUSED: frozenset({P.PROGRESSING, P.PENDING, P.HELD, P.ROLLING_BACK, P.ROLLED_BACK, P.IDLE, P.STALLED}),
    P.AWAITING_APPROVAL: frozenset({P.PROGRESSING, P.HELD, P.PAUSED, P.ROLLING_BACK, P.STALLED}),
    P.ROLLING_BACK: frozenset({P.ROLLED_BACK, P.IDLE}),
    P.ROLLED_BACK: frozenset({P.PENDING, P.IDLE, P.STALLED}),
    P.COMPLETED: frozenset({P.PENDING, P.IDLE, P.ROLLING_BACK, P.STALLED}),
    P.STALLED: frozenset(
        {P.IDLE, P.PENDING, P.PROGRESSING, P.HELD, P.ROLLING_BACK, P.ROLLED_BACK, P.COMPLETED, P.PAUSED}
    ),
}


def allowed(before: Phase, after: Phase) -> bool:
    """May `after` follow `before`? Staying is always allowed."""
    return before is after or after in TRANSITIONS[before]


def as_mermaid(table: Mapping[Phase, frozenset[Phase]] = TRANSITIONS) -> str:
    """The table as a Mermaid state diagram, in the table's own order."""
    order = list(table)
    arrows = [
        f"    {before.value} --> {after.value}" for before in order for after in sorted(table[before], key=order.index)
    ]
    return "\n".join(["stateDiagram-v2", f"    [*] --> {P.IDLE.value}", *arrows, ""])
