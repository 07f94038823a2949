"""What the design knows and this version does not do yet: refused by name with a plain sentence, never ignored."""

from collections.abc import Iterator, Mapping, Sequence

from controller.spec.finding import Finding, Path

UNBUILT = {
    "spec.slos[].identity": (
        "an identity per indicator is not built yet",
        "use metrics.identity or versions[].identity",
    ),
    "spec.slos[].indicator.identity": (
        "an identity per indicator is not built yet",
        "use metrics.identity or versions[].identity",
    ),
    "spec.scale": ("versions are scaled one by one", "move it to the version: spec.versions[].scale"),
    "spec.alerts": ("alerts per rollout are not built yet", "remove it; alerts are set up for the whole daemon"),
    "status": ("a status is not read from a file", "remove it"),
}
"""Path (list positions left out) -> what is wrong, what to do. A field that is built loses its line here, no more."""


def refused(value: object) -> Iterator[Finding]:
    """One finding for every field of a document that is not built yet."""
    for pattern, told in UNBUILT.items():
        steps = pattern.replace("[]", ".[]").split(".")
        yield from (Finding(path, *told) for path in _places(value, steps, ()))


def _places(value: object, steps: Sequence[str], at: Path) -> Iterator[Path]:
    if not steps:
        yield at
    elif steps[0] == "[]":
        for number, inner in enumerate(value if isinstance(value, list) else ()):
            yield from _places(inner, steps[1:], (*at, number))
    elif isinstance(value, Mapping) and steps[0] in value:
        yield from _places(value[steps[0]], steps[1:], (*at, steps[0]))
