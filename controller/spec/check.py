"""All cross checks, in the order in which a reader meets them in the file."""

from collections.abc import Iterator

from controller.spec.checks.budgets import check_budgets
from controller.spec.checks.judges import check_judges
from controller.spec.checks.metrics import check_metrics
from controller.spec.checks.routes import check_routes
from controller.spec.checks.sampling import check_sampling
from controller.spec.checks.slos import check_slos
from controller.spec.checks.stages import check_stages
from controller.spec.checks.versions import check_versions
from controller.spec.finding import Finding
from controller.spec.parts import Parts

CHECKS = (
    check_versions,
    check_routes,
    check_metrics,
    check_slos,
    check_sampling,
    check_judges,
    check_budgets,
    check_stages,
)


def check(parts: Parts) -> Iterator[Finding]:
    """Everything that is wrong with the readable parts of a spec beyond its single fields."""
    for one in CHECKS:
        yield from one(parts)
