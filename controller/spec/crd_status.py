"""The schema of `ModelRollout.status`, which the controller writes: where a rollout stands, in numbers and words."""

from controller.spec.openapi import Schema

REASON = r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"
SLOS = 512
"""More SLOs and scenarios than that are not told in a status; the history has them all."""


def block(description: str, required: tuple[str, ...] = (), **fields: Schema) -> Schema:
    """An object with fields."""
    node: Schema = {"type": "object", "description": description}
    if required:
        node["required"] = list(required)
    return {**node, "properties": fields}


def text(description: str, longest: int = 253) -> Schema:
    """A text."""
    return {"type": "string", "description": description, "maxLength": longest}


def whole(description: str) -> Schema:
    """A whole number."""
    return {"type": "integer", "format": "int64", "description": description}


def number(description: str) -> Schema:
    """A number."""
    return {"type": "number", "description": description}


def yes(description: str) -> Schema:
    """True or false."""
    return {"type": "boolean", "description": description}


def moment(description: str) -> Schema:
    """An instant."""
    return {"type": "string", "format": "date-time", "description": description}


def listed(description: str, item: Schema, most: int, key: str = "") -> Schema:
    """A list. Its writers share it item by item, told apart by `key`; without one it is one writer's."""
    shared: Schema = {"x-kubernetes-list-type": "map" if key else "atomic"}
    if key:
        shared["x-kubernetes-list-map-keys"] = [key]
    return {"type": "array", "description": description, "maxItems": most, **shared, "items": item}


def status() -> Schema:
    """The whole of it. Fields that this version does not know are kept, so that a newer controller can say more."""
    return block(
        "Where the rollout stands; written by the controller.",
        observedGeneration=whole("The newest generation of the spec that this status takes into account."),
        phase=text("Idle, Pending, Progressing, Held, Paused, AwaitingApproval, RollingBack, RolledBack, Completed."),
        message=text("What it waits for, or what is wrong.", 4096),
        stable=text("The version that serves."),
        candidate=text("The version being rolled out, or the one that was."),
        former=text("The version that served before, while it can be returned to."),
        held=text("Why it is held: blind, deadline, breach, external, frozen, review."),
        sequence=whole("Number of the decision that this status tells."),
        run=_run(),
        stage=text("Name of the stage it stands on."),
        traffic=_traffic(),
        slos=_slos(),
        countsAt=moment("When the numbers in slos were counted."),
        breach=_breach(),
        conditions=_conditions(),
    ) | {"x-kubernetes-preserve-unknown-fields": True}


def _run() -> Schema:
    return block(
        "The present run, or the last one.",
        id=text("Its id."),
        number=whole("Which run of this rollout it is, from 1."),
        stable=text("The version it started from."),
        candidate=text("The version it rolls out."),
        digest=text("Hash of the candidate's bundle."),
        startedAt=moment("When it began."),
        stage=text("Name of its stage."),
        stageIndex=whole("Position of its stage, from 0."),
        stageSince=moment("When the stage's traffic was verified."),
        withdrawn=yes("True: the candidate is at verified zero and can return."),
    )


def _split(description: str) -> Schema:
    return block(
        description,
        weight=whole("Percent of live requests."),
        mirror=whole("Percent of requests that are copied."),
        cohort=yes("Are chosen users sent to the candidate?"),
    )


def _traffic() -> Schema:
    return block(
        "What the candidate gets.",
        desired=_split("What it should get."),
        verified=_split("What the route was last proven to give it."),
        verifiedAt=moment("When that was proven."),
    )


def _slos() -> Schema:
    one = block(
        "One SLO, or one scenario of it.",
        ("name", "verdict"),
        name=text("Name of the SLO."),
        scenario=text("The scenario; empty for all answers.", 1024),
        against=text("What it is held to: the objective, or stable."),
        verdict=text("pass, breach, inconclusive or blind."),
        bad=number("Bad answers counted."),
        total=number("Judged answers counted."),
        rate=number("Share of bad answers."),
        lower=number("Lower end of what the rate can be."),
        upper=number("Upper end of what the rate can be."),
        objective=number("The greatest allowed share of bad answers."),
        evidence=number("Evidence against the version; a breach is at 1 divided by the budget."),
    )
    return listed("The verdict on every SLO and scenario, with its counts.", one, SLOS)


def _breach() -> Schema:
    return block(
        "Why the last run was rolled back; kept until the next one.",
        cause=text("breach, blind, aborted, reverted, superseded, edited, inconclusive or confirmed."),
        slo=text("The guilty SLO."),
        scenario=text("The guilty scenario.", 1024),
        bad=number("Bad answers counted."),
        total=number("Judged answers counted."),
        objective=number("The greatest allowed share of bad answers."),
        value=number("The value that was outside of its threshold."),
        firstBadAt=moment("When the first bad answer was seen."),
        decidedAt=moment("When the rollback was decided."),
        verifiedAt=moment("When the candidate was proven to get nothing."),
        exposed=whole("Live requests that the candidate answered."),
        detail=text("More, in words.", 4096),
        actor=text("Who asked for it, when a person did."),
    )


def _conditions() -> Schema:
    one = block(
        "One condition.",
        ("type", "status", "lastTransitionTime", "reason", "message"),
        type=text("Ready, Promoted, Reconciling, Stalled or RolledBack.", 316) | {"pattern": r"^[A-Za-z][A-Za-z0-9]*$"},
        status={"type": "string", "enum": ["True", "False", "Unknown"], "description": "Does it hold?"},
        observedGeneration=whole("The generation of the spec that it is about."),
        lastTransitionTime=moment("When its status last changed."),
        reason=text("Why, in one word.", 1024) | {"minLength": 1, "pattern": REASON},
        message=text("Why, in a sentence.", 32768),
    )
    return listed("What kubectl wait and other tools look at.", one, 16, "type")
