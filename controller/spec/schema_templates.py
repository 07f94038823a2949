"""The shape of `SLOTemplate`, and of the place in a rollout that uses one."""

from typing import Annotated, Any, Literal

from pydantic import Field

from controller.spec.fields import Argument, Block, LabelName, Name, Text

TEMPLATE_KIND = "SLOTemplate"


class FromTemplateBlock(Block):
    name: Name = Field(description="Name of the SLOTemplate.")
    namespace: Name | None = Field(
        default=None,
        description="Its namespace. Default: the rollout's own, else the shared one, else the catalog that comes with "
        "Tidegate.",
    )
    arguments: Annotated[dict[LabelName, Argument], Field(max_length=32)] = Field(
        default={}, description="Parameter -> its value, a text."
    )


class ParameterBlock(Block):
    name: LabelName = Field(description="Name of the parameter; `{{args.NAME}}` stands for its value.")
    description: Text = Field(description="What it means, for those who use the template.")
    default: Argument | None = Field(default=None, description="Its value where none is given.")
    type: Literal["text", "number", "label"] = Field(
        default="text",
        description="`number`, `label`: only a number, or the name of a label, can be given. They may stand outside of "
        "quotes in PromQL.",
    )


class TemplateSpecBlock(Block):
    description: Text | None = Field(default=None, description="What the SLO measures, and what it needs.")
    parameters: Annotated[list[ParameterBlock], Field(max_length=32)] = Field(
        default=[],
        description="What those who use it can say.",
        json_schema_extra={"x-kubernetes-list-map-keys": ["name"]},
    )
    slo: Annotated[dict[str, Any], Field(min_length=1)] = Field(
        description="An SLO as in a rollout, without its name. `{{args.NAME}}` in a text stands for an argument. "
        "What a rollout says beside fromTemplate wins over it, field by field.",
        json_schema_extra={"x-kubernetes-preserve-unknown-fields": True},
    )


class TemplateMetadataBlock(Block):
    name: Name = Field(description="Name of the template.")
    namespace: Name = Field(default="default", description="Namespace of the template.")
    labels: dict[str, str] = Field(default={}, description="Labels, for people and tools.")
    annotations: dict[str, str] = Field(default={}, description="Annotations, for people and tools.")


class TemplateDocument(Block):
    """An SLO that rollouts share, with parameters."""

    api_version: Literal["tidegate.dev/v1alpha1"] = Field(description="Version of the schema.")
    kind: Literal["SLOTemplate"] = Field(description="Kind of the resource.")
    metadata: TemplateMetadataBlock = Field(description="What the template is called.")
    spec: TemplateSpecBlock = Field(description="The SLO and its parameters.")
