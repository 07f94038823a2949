"""The shape of `spec.stages`. The key of a stage says what it does with traffic."""

from typing import Annotated, Literal

from pydantic import Field

from controller.spec.fields import Block, Duration, HeaderName, Slug, Text


class ShadowBlock(Block):
    percent: Annotated[int, Field(ge=1, le=100)] = Field(
        description="Percent of requests that are copied to the candidate."
    )
    side_effects: Literal["none"] | None = Field(
        default=None,
        description="Must be said: `none`. A mirrored request is really executed by the candidate, tools included.",
    )
    max_requests: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Mirroring stops after so many requests."
    )


class CohortBlock(Block):
    headers: Annotated[dict[HeaderName, Text], Field(min_length=1, max_length=16)] = Field(
        description="Requests with all of these headers go to the candidate."
    )


class CanaryBlock(Block):
    weight: Annotated[int, Field(ge=1, le=99)] = Field(description="Percent of live requests for the candidate.")


class FullBlock(Block):
    """Every live request goes to the candidate; rollback is still armed."""


class ApprovalBlock(Block):
    required: Annotated[int, Field(ge=1, le=10)] = Field(
        description="So many people must approve before the next stage."
    )


class StageBlock(Block):
    name: Slug = Field(description="Name of the stage.")
    shadow: ShadowBlock | None = Field(
        default=None, description="Copies of requests go to the candidate; nobody sees its answers."
    )
    cohort: CohortBlock | None = Field(default=None, description="Chosen users get the candidate.")
    canary: CanaryBlock | None = Field(default=None, description="A share of live requests gets the candidate.")
    full: FullBlock | None = Field(default=None, description="Everyone gets the candidate. The last stage.")
    min_duration: Duration = Field(default="15m", description="Stands at least so long after its traffic was verified.")
    max_duration: Duration = Field(default="24h", description="Not complete by then: onInconclusive.")
    min_samples: Annotated[int, Field(ge=0)] = Field(default=0, description="Judged answers per SLO in this stage.")
    require: Literal["noBreach", "proven"] | None = Field(
        default=None,
        description="What the evidence must say; default noBreach, and proven for the last stage before full.",
    )
    approval: ApprovalBlock | None = Field(default=None, description="People who must agree before the next stage.")


DEFAULT_STAGES = [
    StageBlock.model_validate(stage)
    for stage in (
        {"name": "shadow", "shadow": {"percent": 20, "sideEffects": "none"}, "minDuration": "30m"},
        {"name": "canary-1", "canary": {"weight": 1}},
        {"name": "canary-10", "canary": {"weight": 10}},
        {"name": "canary-50", "canary": {"weight": 50}},
        {"name": "full", "full": {}},
    )
]
"""The stages of a spec that names none."""
