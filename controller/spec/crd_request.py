"""`RolloutRequest`: what a person asks, as a resource. It never changes, and who asked is checked at admission."""

from controller.domain.request import Ask
from controller.spec.cel import RULES, Cel, quoted
from controller.spec.crd_status import block, moment, text
from controller.spec.fields import NAME, TEXT
from controller.spec.openapi import Schema

REQUEST_KIND = "RolloutRequest"
STATES = ("Pending", "Done", "Refused")
VERDICTS = ("confirm", "dismiss")
UNCHANGED = Cel("self == oldSelf", "a request stays as it was made (make another one)")
REVIEWED = Cel(
    f'self.action != "review" || (has(self.argument) && self.argument in [{", ".join(map(quoted, VERDICTS))}])',
    "a review needs the argument confirm or dismiss",
)
REASONED = Cel(f"self.reason.matches({quoted(TEXT)})", "needs a reason (say why, for the history)", ".reason")


def request_spec() -> Schema:
    """What is asked, of which rollout, by whom and why."""
    asks = ", ".join(Ask)
    spec = block(
        "What is asked. It cannot be changed afterwards.",
        ("rollout", "action", "reason", "requestedBy"),
        rollout=text("Name of the ModelRollout, in the same namespace.", 63) | {"pattern": NAME},
        run=text("Id of the run that is meant: another one is not touched. Empty or left out: the present one."),
        action=text(f"One of {asks}. Each is a verb of its own in RBAC, on modelrollouts.")
        | {"enum": [str(ask) for ask in Ask]},
        argument=text("confirm or dismiss for a review; FROM..TO (ISO 8601) for a retry that leaves out a fault.", 256),
        reason=text("Why; kept in the history.", 1024) | {"minLength": 1},
        requestedBy=text("Who asks: the name by which the API server knows them. Another name is refused.", 256),
    )
    spec[RULES] = [rule.as_schema() for rule in (UNCHANGED, REVIEWED, REASONED)]
    return spec


def request_status() -> Schema:
    """What became of it."""
    return block(
        "What became of it; written by the controller.",
        state=text("Pending, Done or Refused.") | {"enum": list(STATES)},
        message=text("What was done, or why it was refused.", 4096),
        observedAt=moment("When the controller saw it."),
    )
