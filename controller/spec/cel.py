"""Rules that the API server checks at admission, in the Common Expression Language."""

import json
from dataclasses import dataclass

from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

RULES = "x-kubernetes-validations"


@dataclass(frozen=True, slots=True)
class Cel:
    """What must hold of `self`, and what is said where it does not.

    `message` is text, or with `computed` an expression that gives it. `field` is where it is said, below `self`.
    As an annotation of a field's type it goes into the schema of that field.
    """

    rule: str
    message: str
    field: str = ""
    computed: bool = False

    def as_schema(self) -> dict[str, str]:
        """The rule as a CustomResourceDefinition has it."""
        told = {"messageExpression": self.message} if self.computed else {"message": self.message}
        return {"rule": self.rule, **told, **({"fieldPath": self.field} if self.field else {})}

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        known = handler(schema)
        known[RULES] = [*known.get(RULES, []), self.as_schema()]
        return known


def quoted(text: str) -> str:
    """A text as a literal."""
    return json.dumps(text, ensure_ascii=False)


def around(before: str, expression: str, after: str) -> str:
    """A text with the value of an expression in the middle."""
    return f"{quoted(before)} + {expression} + {quoted(after)}"


def given(*fields: str) -> str:
    """How many of these fields are given."""
    return " + ".join(f"(has(self.{field}) ? 1 : 0)" for field in fields)
