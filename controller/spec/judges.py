"""How well a judge judges, as its block says it: known rates, or bounds from labels by people."""

from controller.analysis.judge_error import Calibration, JudgeError, calibrated, known
from controller.spec.fields import percent
from controller.spec.schema_slos import JudgeBlock

CALIBRATION_ALPHA = 0.001
"""Chance that bounds from labels are wrong: taken from the chances of a false rollback and of a false promotion."""


def rates(block: JudgeBlock) -> JudgeError:
    """Bounds of the judge's sensitivity and specificity. ValueError when it is no better than a coin."""
    labels = block.calibration
    if labels is not None:
        return calibrated(Calibration(labels.found, labels.bad, labels.flagged, labels.good), CALIBRATION_ALPHA)
    return known(percent(block.sensitivity or "100%"), percent(block.specificity or "100%"))


def spent(block: JudgeBlock | None) -> float:
    """What this judge's labels cost of every chance of a wrong decision (0..1)."""
    return CALIBRATION_ALPHA if block is not None and block.calibration is not None else 0.0
