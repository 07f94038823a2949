"""What is said about a judge makes sense, it is better than a coin, and its labels leave something to decide with."""

from collections.abc import Iterator

from controller.spec.fields import percent
from controller.spec.finding import Finding, Path
from controller.spec.judges import CALIBRATION_ALPHA, rates, spent
from controller.spec.parts import Parts
from controller.spec.schema_slos import CalibrationBlock, JudgeBlock, SloBlock
from controller.spec.sentences import CALIBRATED_TWICE, NOT_A_JUDGE, clash

RATES = ("sensitivity", "specificity", "calibration")


def check_judges(parts: Parts) -> Iterator[Finding]:
    """Every judge by itself, then what all calibrations cost together."""
    for at, slo in parts.slos.items():
        if slo.judge is not None:
            yield from _check_judge(slo, slo.judge, ("spec", "slos", at, "judge"))
    yield from _check_cost(parts)


def _check_judge(slo: SloBlock, judge: JudgeBlock, path: Path) -> Iterator[Finding]:
    given = [name for name in RATES if getattr(judge, name) is not None]
    if not given or slo.indicator.promql is not None:
        return
    if slo.indicator.ratio is None:
        yield Finding((*path, given[0]), *NOT_A_JUDGE)
        return
    if judge.calibration is not None and len(given) > 1:
        yield Finding((*path, "calibration"), *clash(given[0], CALIBRATED_TWICE.format(given[0])))
        return
    wrong = list(_check_labels(judge.calibration, (*path, "calibration"))) if judge.calibration else []
    yield from wrong or _check_rates(judge, (*path, given[0]))
    if spent(judge) and percent(slo.max_false_promotion) <= CALIBRATION_ALPHA:
        where = (*path[:-1], "maxFalsePromotion")
        yield Finding(where, _too_small(slo.max_false_promotion), "raise it, or say sensitivity and specificity")


def _check_labels(labels: CalibrationBlock, path: Path) -> Iterator[Finding]:
    for part, whole in (("found", "bad"), ("flagged", "good")):
        if getattr(labels, part) > getattr(labels, whole):
            hint = f"`{part}` counts those of the `{whole}` answers that the judge called bad"
            yield Finding((*path, part), f"is more than {whole}", hint)


def _check_rates(judge: JudgeBlock, path: Path) -> Iterator[Finding]:
    try:
        rates(judge)
    except ValueError as error:
        message, _, hint = str(error).partition("; ")
        yield Finding(path, message, hint)


def _check_cost(parts: Parts) -> Iterator[Finding]:
    cost = sum(spent(slo.judge) for slo in parts.slos.values())
    if parts.analysis is None or percent(parts.analysis.max_false_rollback) > cost:
        return
    message = _too_small(parts.analysis.max_false_rollback)
    yield Finding(("spec", "analysis", "maxFalseRollback"), message, "raise it, or calibrate fewer judges by labels")


def _too_small(given: str) -> str:
    return f"{given} is no more than what the labels of judge.calibration spend ({CALIBRATION_ALPHA:.1%} each)"
