"""Writes the CRD and the JSON Schema in manifests/ from the models: `python -m controller.spec.generate`.

With `--check` nothing is written: it says which files differ from what the models say, and exits with 1.
"""

import json
import sys
from pathlib import Path

from controller.spec.openapi import Schema, inlined, structural
from controller.spec.schema import GROUP, KIND, RolloutDocument
from controller.spec.yaml_text import write_document

MANIFESTS = Path(__file__).resolve().parents[2] / "manifests"
HEADER = "# Generated from controller/spec/schema.py by `make schema`. Do not edit.\n"
COLUMNS = (
    ("Version", ".spec.version", "The version that should serve"),
    ("Stable", ".status.stable", "The version that serves"),
    ("Phase", ".status.phase", "Where the rollout is"),
)


def json_schema() -> str:
    """The JSON Schema of a rollout file, for editors and other checkers."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": KIND,
        **inlined(RolloutDocument.model_json_schema(by_alias=True)),
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def crd() -> str:
    """The CustomResourceDefinition."""
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"modelrollouts.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {"kind": KIND, "listKind": f"{KIND}List", "plural": "modelrollouts", "singular": "modelrollout"}
            | {"shortNames": ["mro"]},
            "scope": "Namespaced",
            "versions": [_version()],
        },
    }
    return write_document(definition, HEADER)


def _version() -> Schema:
    return {
        "name": "v1alpha1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [
            {"name": name, "type": "string", "jsonPath": path, "description": text} for name, path, text in COLUMNS
        ]
        + [{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}],
        "schema": {"openAPIV3Schema": _resource()},
    }


def _resource() -> Schema:
    """The whole resource. The API server owns apiVersion, kind and metadata."""
    schema = structural(inlined(RolloutDocument.model_json_schema(by_alias=True)))
    properties = schema["properties"]
    assert isinstance(properties, dict)
    return {
        "type": "object",
        "description": schema["description"],
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": properties["spec"],
            "status": {
                "type": "object",
                "description": "Where the rollout stands; written by the controller.",
                "x-kubernetes-preserve-unknown-fields": True,
            },
        },
    }


def files() -> dict[Path, str]:
    """What is generated: path -> text."""
    return {MANIFESTS / "crd.yaml": crd(), MANIFESTS / "modelrollout.schema.json": json_schema()}


def main(arguments: list[str]) -> int:
    """Write the files, or with `--check` say which differ. The exit code."""
    stale = [path for path, text in files().items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if "--check" in arguments:
        for path in stale:
            print(f"{path} differs from the models; run `make schema`", file=sys.stderr)
        return 1 if stale else 0
    MANIFESTS.mkdir(exist_ok=True)
    for path in stale:
        path.write_text(files()[path], encoding="utf-8")
        print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
