"""How hard the laws try: the same examples every time in `make test`, many and new ones in `make laws`."""

import os

from hypothesis import HealthCheck, Phase, settings

THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
SHRINK = "LAWS_SHRINK" in os.environ
TIMES = 20


def effort(examples: int, steps: int = 50) -> settings:
    """Settings for a law: so many examples, 20 times as many (and not the same ones) when thorough."""
    return settings(
        max_examples=examples * (TIMES if THOROUGH else 1),
        stateful_step_count=steps,
        derandomize=not THOROUGH,
        database=None,
        deadline=None,
        print_blob=THOROUGH,
        report_multiple_bugs=False,
        # A whole journey shrinks for minutes, and its story says more: only who asks for it waits.
        phases=(Phase.explicit, Phase.generate, *((Phase.shrink,) if SHRINK else ())),
        suppress_health_check=list(HealthCheck),
    )
