"""Writes CRDs, admission policy and JSON Schema in manifests/ from the models: `python -m controller.spec.generate`.

With `--check` nothing is written: it says which files differ from what the models say, and exits with 1.
"""

import json
import sys
from pathlib import Path

from controller.spec.admission_policy import policy
from controller.spec.crd import crd
from controller.spec.openapi import inlined, plain
from controller.spec.schema import KIND, RolloutDocument

CHECKOUT = Path(__file__).resolve().parents[2]
MANIFESTS, CHART = CHECKOUT / "manifests", CHECKOUT / "helm" / "tidegate" / "files"


def json_schema() -> str:
    """The JSON Schema of a rollout file, for editors and other checkers."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": KIND,
        **plain(inlined(RolloutDocument.model_json_schema(by_alias=True))),
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def files() -> dict[Path, str]:
    """What is generated: path -> text."""
    applied = {"crd.yaml": crd(), "admission.yaml": policy()}
    texts = {**applied, "modelrollout.schema.json": json_schema()}
    shipped = {MANIFESTS / name: text for name, text in texts.items()}
    # A chart can only take up files of its own folder.
    return {**shipped, **{CHART / name: text for name, text in applied.items()}}


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
