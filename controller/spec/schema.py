"""`ModelRollout` as people write it: the one definition; the CRD, the JSON Schema and the reference come from it."""

from typing import Annotated, Literal

from pydantic import Field

from controller.spec.fields import Block, Duration, Name, TestablePercent
from controller.spec.schema_metrics import MetricsBlock
from controller.spec.schema_routes import RouteBlock
from controller.spec.schema_slos import SloBlock
from controller.spec.schema_stages import DEFAULT_STAGES, StageBlock
from controller.spec.schema_versions import VersionBlock

GROUP = "tidegate.dev"
API_VERSION = "tidegate.dev/v1alpha1"
KIND = "ModelRollout"


class AnalysisBlock(Block):
    interval: Duration = Field(default="15s", description="How often is measured and judged: one tick.")
    max_false_rollback: TestablePercent = Field(
        default="5%",
        description="Chance that a version which keeps its objectives is ever rolled back (or held) in a run.",
    )
    horizon: Duration | None = Field(
        default=None, description="Planned length of a run; default twice the sum of the stages' minDuration."
    )
    block: Duration | None = Field(
        default=None,
        description="Answers are judged together in blocks of this length, as long as bad answers tend to come in "
        "bursts; a multiple of interval. Default: interval.",
    )
    semantics: Literal["local", "average"] = Field(
        default="local",
        description="An objective is kept when the rate is below it in every block (`local`), or on average since the "
        "start of the run (`average`).",
    )


class OnBlindBlock(Block):
    after: Duration = Field(default="5m", description="Blind for so long, then act.")
    then: Literal["withdraw", "hold", "rollback"] = Field(default="withdraw", description="What to do then.")


class SpecBlock(Block):
    version: Name = Field(description="The version that should serve. Changing this line starts a run.")
    versions: Annotated[list[VersionBlock], Field(min_length=1, max_length=64)] = Field(
        description="The versions there are.", json_schema_extra={"x-kubernetes-list-map-keys": ["name"]}
    )
    routes: Annotated[list[RouteBlock], Field(min_length=1, max_length=8)] = Field(
        description="Where the rollout's requests pass.", json_schema_extra={"x-kubernetes-list-type": "atomic"}
    )
    metrics: MetricsBlock = Field(description="Where and how is measured.")
    slos: Annotated[list[SloBlock], Field(min_length=1, max_length=32)] = Field(
        description="What is measured and the objectives it is held to.",
        json_schema_extra={"x-kubernetes-list-map-keys": ["name"]},
    )
    stages: Annotated[list[StageBlock], Field(min_length=1, max_length=32)] = Field(
        default=DEFAULT_STAGES,
        description="The way from stable to candidate. Default: shadow 20 % for 30m, canary 1, 10 and 50 %, full.",
        json_schema_extra={"x-kubernetes-list-map-keys": ["name"]},
    )
    mode: Literal["enforce", "observe"] = Field(
        default="enforce", description="`observe`: judge and say what would be done, write no route."
    )
    suspend: bool = Field(default=False, description="True: nothing advances, the guard goes on.")
    analysis: AnalysisBlock = Field(default=AnalysisBlock(), description="How often is judged, and how carefully.")
    on_inconclusive: Literal["hold", "rollback"] = Field(
        default="hold", description="What happens at a stage's maxDuration without enough evidence."
    )
    on_blind: OnBlindBlock = Field(default=OnBlindBlock(), description="What happens when the guard cannot measure.")
    rollback_window: Duration = Field(
        default="24h", description="After promotion the former stable is kept so long and can be returned to."
    )
    initial_stable: Name | None = Field(
        default=None, description="Which version serves now; only read when nothing else says it."
    )


class MetadataBlock(Block):
    name: Name = Field(description="Name of the rollout.")
    namespace: Name = Field(default="default", description="Namespace of the rollout.")
    labels: dict[str, str] = Field(default={}, description="Labels, for people and tools.")
    annotations: dict[str, str] = Field(default={}, description="Annotations, for people and tools.")


class RolloutDocument(Block):
    """A staged rollout of a model version, guarded by its SLOs."""

    api_version: Literal["tidegate.dev/v1alpha1"] = Field(description="Version of the schema.")
    kind: Literal["ModelRollout"] = Field(description="Kind of the resource.")
    metadata: MetadataBlock = Field(description="What the rollout is called.")
    spec: SpecBlock = Field(description="What is wanted.")
