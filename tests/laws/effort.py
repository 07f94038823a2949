"""How hard the laws try: the same examples every time in `make test`, many and new ones in `make laws`."""

import os

from hypothesis import HealthCheck, Phase, settings

THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
TIMES = 30


def effort(examples: int, steps: int = 50) -> settings:
    """Settings for a law: so many examples, 30 times as many (and not the same ones) when thorough."""
    return settings(
        max_examples=examples * (TIMES if THOROUGH else 1),
        stateful_step_count=steps,
        derandomize=not THOROUGH,
        database=None,
        deadline=None,
        print_blob=THOROUGH,
        report_multiple_bugs=False,
        # A whole journey shrinks for minutes, and its story says more: only the thorough run takes the time.
        phases=(Phase.explicit, Phase.generate, *((Phase.shrink,) if THOROUGH else ())),
        suppress_health_check=list(HealthCheck),
    )
