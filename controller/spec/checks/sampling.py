"""How answers are sampled and counted: no weight may depend on what the judge found."""

from collections.abc import Iterator

from controller.spec.finding import Finding, Path
from controller.spec.parts import Parts
from controller.spec.schema_slos import RatioBlock, SloBlock


def check_sampling(parts: Parts) -> Iterator[Finding]:
    """The labels of `weights` and `oncePer` have no other role."""
    shared = {parts.metrics.identity.label} if parts.metrics else set()
    versions = shared | {one.identity.label for one in parts.versions.values() if one.identity}
    for at, slo in parts.slos.items():
        ratio = slo.indicator.ratio
        if ratio is not None:
            for label, where in _labels(ratio, ("spec", "slos", at, "indicator", "ratio")):
                yield from _check_label(label, where, slo, ratio, versions)


def _labels(ratio: RatioBlock, path: Path) -> Iterator[tuple[str, Path]]:
    if ratio.weights is not None:
        yield ratio.weights.label, (*path, "weights", "label")
    if ratio.once_per is not None:
        yield ratio.once_per, (*path, "oncePer")
        if ratio.weights is not None and ratio.weights.label == ratio.once_per:
            yield "", (*path, "oncePer")


def _check_label(label: str, path: Path, slo: SloBlock, ratio: RatioBlock, versions: set[str]) -> Iterator[Finding]:
    if not label:
        yield Finding(path, "is the label of the weights", "a kind of answer is not a user: use another label")
    elif label in versions:
        yield Finding(path, f"`{label}` tells the versions apart", "use another label")
    elif slo.scenarios is not None and label == slo.scenarios.label:
        yield Finding(path, f"`{label}` tells the scenarios apart", "what the judge found cannot weigh its answers")
    elif _tells_bad(label, ratio):
        yield Finding(path, f"`{label}` tells bad from good", "what the judge found cannot weigh its answers")


def _tells_bad(label: str, ratio: RatioBlock) -> bool:
    if ratio.bad.metric != ratio.total.metric:
        return False
    return set(ratio.bad.match.get(label, ())) != set(ratio.total.match.get(label, ()))
