"""The closed list of whys, one line each: what happened, and what a person does about it."""

from collections.abc import Mapping

from controller.domain.decision import Reason
from controller.domain.measure import BlindCause
from controller.domain.state import Cause, HeldCause
from docs.blocks.markdown import code, table

NOTHING = "nothing"

MEANINGS: Mapping[Reason, tuple[str, str]] = {
    Reason.ADOPTED: (
        "Tidegate learned what is stable: from the route, the record beside it, or `initialStable`.",
        NOTHING,
    ),
    Reason.RUN_STARTED: ("A run began: `version` names a version that does not serve yet.", NOTHING),
    Reason.LOADING: ("Kept for a candidate that is still loading; at present the rollout's message says it.", NOTHING),
    Reason.LOADED: ("The candidate answers its start-up check.", NOTHING),
    Reason.PREFLIGHT_FAILED: (
        "The run does not start: the probe failed, or the metrics do not tell the versions apart.",
        "fix what it names; it looks again by itself",
    ),
    Reason.STAGE_ENTERED: ("The traffic of a stage was asked for.", NOTHING),
    Reason.STAGE_VERIFIED: ("The data plane holds the traffic of the stage; its clock starts.", NOTHING),
    Reason.STAGE_COMPLETED: ("Everything that the stage requires is there.", NOTHING),
    Reason.SHARE_REJECTED: (
        "The share that was counted cannot come from the weight that was set. The run is held.",
        "look for another route, or a way past the gateway; then `resume`",
    ),
    Reason.BREACHED: ("An SLO with `onBreach: rollback` is over its limit. A rollback follows.", NOTHING),
    Reason.WOULD_ROLL_BACK: (
        "Observe mode: this would have been a rollback.",
        "take the traffic away yourself, or set `mode: enforce`",
    ),
    Reason.ROLLBACK_STARTED: ("The candidate's traffic is being taken away.", "wait for the next line"),
    Reason.ROLLBACK_VERIFIED: ("The candidate gets no traffic, and the data plane's counters show it.", NOTHING),
    Reason.NOT_VERIFIED: (
        "A split is not confirmed after 30 s. After a rollback this is the loudest alert there is.",
        "act now: see [break glass](../how-to/break-glass.md)",
    ),
    Reason.PROMOTED: ("The candidate passed its last stage; it is stable now.", NOTHING),
    Reason.RETURNED: ("Back on the former stable inside `rollbackWindow`, at once.", NOTHING),
    Reason.HELD: ("The weights stay as they are; the cause says why.", "see the causes below"),
    Reason.RESUMED: ("A hold or pause ended: somebody asked, or the spec is good again.", NOTHING),
    Reason.WITHDRAWN: (
        "Blind for longer than `onBlind.after`: the candidate gets no traffic, the run is kept.",
        "repair the measurement; the run goes on by itself",
    ),
    Reason.SIGHT_BACK: ("What was blind can be measured again.", NOTHING),
    Reason.BLIND: ("An SLO cannot be measured.", "repair the measurement; see the causes below"),
    Reason.PAUSED: ("Somebody stopped the advance. The guard goes on.", "`resume` when it may go on"),
    Reason.AWAITING_APPROVAL: ("A stage is complete and wants people to agree.", "`approve`, or `abort`"),
    Reason.APPROVED: ("Somebody agreed.", NOTHING),
    Reason.ABORTED: ("A run ended before it had any traffic.", NOTHING),
    Reason.RETRIED: ("Somebody asked to try a version again, perhaps without the time of a known fault.", NOTHING),
    Reason.REFUSED: ("A request did not fit the moment; the one who asked was told why.", NOTHING),
    Reason.STALLED: (
        "A person must put the spec or the route right. Traffic is left as it is, a run stays guarded.",
        "read the message, fix it",
    ),
    Reason.SPEC_BROKEN: ("Kept for a broken spec; at present `stalled` says it.", "`tidegate lint` the file"),
    Reason.SPEC_EDITED: ("An edit was taken up in the middle of a run.", NOTHING),
    Reason.EXTERNAL_CHANGE: (
        "Somebody else lowered the candidate's traffic. The lower share is kept, the run is held.",
        "find out who; then `resume` or `abort`",
    ),
    Reason.DRIFT_CORRECTED: ("Somebody else changed the route; it is being put back.", "find out who writes to it"),
    Reason.ALERT_SLO: ("An SLO with `onBreach: alert` is over its limit. The run goes on.", "decide"),
    Reason.MIRROR_LIMIT: ("A shadow stage mirrored `maxRequests`; it mirrors no more.", NOTHING),
    Reason.EVIDENCE_LOST: (
        "The evidence of a run is gone. It is collected anew, with half of the budget.",
        "find out what happened to the database",
    ),
    Reason.EVIDENCE_REBUILT: (
        "Lost evidence was counted anew: from what was kept, or Prometheus' history. With gaps, half of the budget.",
        "find out what happened to the database",
    ),
    Reason.FOUND: (
        "A bad answer in a scenario with zero tolerance. The candidate gets no traffic until somebody looked at it.",
        "look at the answer; `review --confirm` or `review --dismiss`",
    ),
    Reason.REVIEWED: ("Somebody looked at what was found: confirmed is a rollback, dismissed goes on.", NOTHING),
    Reason.ALARM: (
        "The version that serves turned bad after its promotion, and the former one cannot take over.",
        "act now: bring the former version's backend up, or roll out another one",
    ),
    Reason.WINDOW_CLOSED: ("`rollbackWindow` is over: the former stable is not kept any more.", NOTHING),
    Reason.TRUSTED: (
        "An A/A run kept the comparison with stable calm: from now on it may roll back.",
        NOTHING,
    ),
    Reason.TRUST_REVOKED: (
        "That trust is withdrawn, by somebody or because an SLO changed: the comparison with stable holds again.",
        "after a change of the judge, the margin or the SLO: another A/A run",
    ),
    Reason.STATE_LOST: (
        "What was stored of this rollout did not read back, or was gone. Everything was sent to stable; a run is held.",
        "see the message; then `resume` or `abort`",
    ),
}

HELD: Mapping[HeldCause, tuple[str, str]] = {
    HeldCause.BLIND: ("an SLO cannot be measured", "nothing: it ends by itself when it can be measured again"),
    HeldCause.DEADLINE: ("`maxDuration` or the start-up deadline passed", "`resume` grants the time again"),
    HeldCause.BREACH: ("an SLO with `onBreach: hold` is over its limit", "`resume` accepts it, `abort` ends the run"),
    HeldCause.EXTERNAL: ("somebody else changed the traffic", "`resume` goes back to the stage's traffic"),
    HeldCause.FROZEN: (
        "the judge's alarm rang on stable too: the judge or the questions changed",
        "look at the judge; `resume`",
    ),
    HeldCause.REVIEW: (
        "a bad answer in a zero-tolerance scenario waits for a person",
        "`review --confirm` or `--dismiss`",
    ),
}

ENDED: Mapping[Cause, tuple[str, str]] = {
    Cause.BREACH: ("an SLO was over its limit", "the digest is rejected: only `retry` tries it again"),
    Cause.CONFIRMED: (
        "a person confirmed a bad answer in a zero-tolerance scenario",
        "the digest is rejected: only `retry` tries it again",
    ),
    Cause.BLIND: ("`onBlind.then: rollback`", "`retry` tries it again and keeps the evidence"),
    Cause.ABORTED: ("somebody asked", "`retry` tries it again and keeps the evidence"),
    Cause.REVERTED: ("`version` names the stable version again", "the digest is not rejected"),
    Cause.SUPERSEDED: ("`version` names a third version", "a run to that one starts at once"),
    Cause.EDITED: ("bundles, routes or stages changed, or an SLO was loosened", "a new run starts at the first stage"),
    Cause.INCONCLUSIVE: ("`maxDuration` passed and `onInconclusive: rollback`", "`retry` tries it again"),
}

SIGHT: Mapping[BlindCause, tuple[str, str]] = {
    BlindCause.QUERY_FAILED: ("the metric server did not answer, or only in part", "look at the metric server"),
    BlindCause.ABSENT: ("there is no such series", "check the metric's name and `match`; export it at zero"),
    BlindCause.STALE: ("the newest sample is older than three scrapes", "look at the exporter and at the scrape"),
    BlindCause.IDENTITY_LOST: ("no series carries the version's label", "see the how-to on Prometheus"),
    BlindCause.JUDGE_ERRORS: ("the judge failed more often than `judge.maxErrors`", "look at the judge"),
    BlindCause.JUDGE_SILENT: ("no answer was judged for `judge.maxAge`", "look at the judge and its queue"),
    BlindCause.SCENARIO_MISSING: ("a `required` scenario has no series", "export every scenario at zero"),
    BlindCause.FROZEN: ("the stable version broke the same objective too: the judge may be wrong", "look at the judge"),
}


def table_of(titles: tuple[str, str, str], rows: Mapping[str, tuple[str, str]]) -> str:
    """Three columns."""
    return table(titles, ((code(name), *told) for name, told in rows.items()))


def reasons() -> Mapping[str, tuple[str, str]]:
    """In the order of the code. A KeyError names the reason that has no line yet."""
    return {reason.value: MEANINGS[reason] for reason in Reason}


def causes() -> str:
    """Why a run is held, why it ended, why it is blind."""
    parts = (
        ("Why a run is held", {one.value: HELD[one] for one in HeldCause}),
        ("Why a run was rolled back", {one.value: ENDED[one] for one in Cause}),
        ("Why an SLO is blind", {one.value: SIGHT[one] for one in BlindCause}),
    )
    return "\n\n".join(f"## {title}\n\n{table_of(('cause', 'meaning', 'what ends it'), rows)}" for title, rows in parts)


def all_reasons() -> str:
    """All reasons."""
    return table_of(("reason", "meaning", "what you do"), reasons())
