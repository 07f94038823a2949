"""The shape of `spec.slos`."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from controller.spec.fields import (
    Block,
    Duration,
    LabelName,
    LabelValue,
    MetricName,
    Percent,
    RatioText,
    Scenario,
    SharePercent,
    Slug,
    TestablePercent,
    Text,
    WeightText,
)
from controller.spec.schema_templates import FromTemplateBlock

Match = Annotated[
    dict[LabelName, Annotated[list[LabelValue], Field(min_length=1, max_length=64)]],
    Field(max_length=32),
]
Number = Annotated[float, Field(allow_inf_nan=False)]


class SelectorBlock(Block):
    metric: MetricName = Field(description="Name of a counter.")
    match: Match = Field(default={}, description="Label -> the values that count.")


class WeightsBlock(Block):
    label: LabelName = Field(description="Label that says how an answer was sampled.")
    values: Annotated[dict[Text, WeightText], Field(min_length=1, max_length=64)] = Field(
        description="Value of that label -> how many answers one judged answer stands for; others stand for one."
    )


class RatioBlock(Block):
    bad: SelectorBlock = Field(description="Counts the bad answers.")
    total: SelectorBlock = Field(description="Counts all judged answers, the bad ones too.")
    errors: SelectorBlock | None = Field(default=None, description="Counts answers that the judge failed to judge.")
    eligible: SelectorBlock | None = Field(
        default=None,
        description="Counts the answers sampled for judging, when they are produced: then a proof waits for the judge.",
    )
    weights: WeightsBlock | None = Field(
        default=None, description="Where some kinds of answers are judged more often than others."
    )
    once_per: LabelName | None = Field(
        default=None,
        description="Label of a user or conversation: of each of its values one bad answer counts per block (or tick).",
    )
    absent: Literal["blind", "zero"] | None = Field(
        default=None,
        description="While total has series: none of bad or errors is unknown (`blind`, unless given), or `zero` where "
        "the first one creates its series.",
    )


class LatencyBlock(Block):
    histogram: MetricName = Field(description="Name of a histogram, without `_bucket`.")
    under: Duration = Field(description="Answers slower than this are bad; must be a bucket bound of the histogram.")
    match: Match = Field(default={}, description="Label -> the values that count.")


class IndicatorBlock(Block):
    ratio: RatioBlock | None = Field(default=None, description="Bad of total, both counters.")
    latency: LatencyBlock | None = Field(default=None, description="Share of answers under a histogram's bound.")
    promql: Annotated[str, Field(max_length=4096)] | None = Field(
        default=None,
        description="A value from PromQL, judged by `threshold`; `{{version}}` only in a label's quoted value.",
    )


class ObjectiveBlock(Block):
    max: TestablePercent | None = Field(default=None, description="At most this share of bad answers.")
    min: TestablePercent | None = Field(default=None, description="At least this share of good answers.")


class ThresholdBlock(Block):
    max: Number | None = Field(default=None, description="The value must not be above.")
    min: Number | None = Field(default=None, description="The value must not be below.")
    consecutive: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=3, description="So many bad values in a row are a breach."
    )


class ScenariosBlock(Block):
    label: LabelName = Field(description="Label whose values are the scenarios (hazard, vertical, language).")
    baseline: Scenario = Field(default="none", description="Value of that label on answers that belong to no scenario.")
    required: Annotated[list[Scenario], Field(max_length=64)] = Field(
        default=[], description="Scenarios that must have data; without it the SLO is blind."
    )
    zero_tolerance: Annotated[list[Scenario], Field(max_length=64)] = Field(
        default=[], description="Scenarios whose first bad answer withdraws the candidate, until a person reviewed it."
    )


Labelled = Annotated[int, Field(ge=0, le=1_000_000)]
SomeLabelled = Annotated[int, Field(ge=1, le=1_000_000)]


class CalibrationBlock(Block):
    found: Labelled = Field(description="So many of `bad` the judge called bad too.")
    bad: SomeLabelled = Field(description="Answers that people call bad.")
    flagged: Labelled = Field(description="So many of `good` the judge called bad.")
    good: SomeLabelled = Field(description="Answers that people call good.")


class JudgeBlock(Block):
    max_errors: Percent = Field(default="5%", description="More judge errors than this share: the SLO is blind.")
    max_age: Duration = Field(default="10m", description="Newest judged answer older than this: the SLO is blind.")
    judge_latency: Duration | None = Field(
        default=None,
        alias="latency",
        description="How long the judge takes for 99 of 100 answers (2m): with indicator.ratio.eligible.",
    )
    sensitivity: Percent | None = Field(
        default=None, description="Share of bad answers that the judge calls bad, the same for every version."
    )
    specificity: Percent | None = Field(
        default=None, description="Share of good answers that the judge calls good, the same for every version."
    )
    calibration: CalibrationBlock | None = Field(
        default=None, description="Labels by people, instead of sensitivity and specificity: bounds follow from them."
    )


class VersusStableBlock(Block):
    points: Percent | None = Field(default=None, description="Share of bad answers: stable's and at most this more.")
    ratio: RatioText | None = Field(
        default=None, description='Share of bad answers: at most so many times stable\'s; a number in quotes, "1.25".'
    )


def _indicator_or_template(schema: dict[str, Any]) -> None:
    """In a file the template may stand in for the indicator; both are joined before anything is checked."""
    schema["required"].remove("indicator")


class SloBlock(Block):
    model_config = ConfigDict(json_schema_extra=_indicator_or_template)

    name: Slug = Field(description="Name of the SLO.")
    indicator: IndicatorBlock = Field(description="What is measured: exactly one of ratio, latency, promql.")
    from_template: FromTemplateBlock | None = Field(
        default=None, description="Take the indicator, and what is not said here, from an SLOTemplate."
    )
    weight: SharePercent | None = Field(
        default=None, description="Share of the false-rollback budget; SLOs without one share the rest equally."
    )
    objective: ObjectiveBlock | None = Field(
        default=None, description="What ratio and latency are held to: max or min."
    )
    versus_stable: VersusStableBlock | None = Field(
        default=None, description="How much worse than stable, side by side, the candidate may be: points or ratio."
    )
    threshold: ThresholdBlock | None = Field(default=None, description="What a promql value is held to.")
    scenarios: ScenariosBlock | None = Field(default=None, description="Slices by a label; each is judged too.")
    judge: JudgeBlock | None = Field(default=None, description="When the judge itself is not to be trusted.")
    on_breach: Literal["rollback", "hold", "alert"] = Field(default="rollback", description="What a breach leads to.")
    max_false_promotion: TestablePercent = Field(
        default="5%", description="Chance of calling a version proven that is exactly at its limit."
    )
