"""Where a rollout can be, and what may follow what: drawn from the table that the rules obey."""

from collections.abc import Mapping

from controller.decision.transitions import TRANSITIONS, as_mermaid
from controller.domain.state import LIVE, Phase
from docs.blocks.markdown import code, table

MEANINGS: Mapping[Phase, tuple[str, str]] = {
    Phase.IDLE: ("Stable serves; no run.", "nothing"),
    Phase.PENDING: ("A run began: the candidate loads, then probe and metrics are checked.", "read what it waits for"),
    Phase.PROGRESSING: ("The run stands on a stage, or its traffic is on its way.", "nothing"),
    Phase.HELD: ("The weights stay as they are; the cause says why.", "see the cause; `resume` or `abort`"),
    Phase.PAUSED: ("A person stopped the advance.", "`resume`"),
    Phase.AWAITING_APPROVAL: ("A stage is complete and wants people to agree.", "`approve` or `abort`"),
    Phase.ROLLING_BACK: ("The candidate's traffic is being taken away, not verified yet.", "wait; alarm after 30 s"),
    Phase.ROLLED_BACK: ("Verified zero; the run is over.", "a new version, or `retry`"),
    Phase.COMPLETED: ("The candidate is stable now.", "nothing"),
    Phase.STALLED: ("A person must put the spec or the route right; traffic stays as it is.", "read the message"),
}


def all_phases() -> str:
    """One row per phase."""
    rows = ((code(one.value), MEANINGS[one][0], "yes" if one in LIVE else "", MEANINGS[one][1]) for one in Phase)
    return table(("phase", "meaning", "guarded", "what you do"), rows)


def transitions() -> str:
    """The picture."""
    return f"```mermaid\n{as_mermaid(TRANSITIONS)}```"
