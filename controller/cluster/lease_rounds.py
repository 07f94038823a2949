"""One round of renewals: one after the other while the API server is quick, else the rest side by side."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from controller.domain.cluster import ClusterError, ClusterUnavailableError

AT_ONCE = 8
Step = Callable[[], None]


def go_round(steps: Sequence[Step], clock: Callable[[], float], quick: float) -> None:
    """Every step once; after `quick` seconds those left go at once, so that the last one is not too late.

    One that is refused does not keep the others: its ClusterError is raised at the end. When nobody answers, the rest
    is left for the next round: raises ClusterUnavailableError at once.
    """
    began, failed = clock(), list[ClusterError]()
    for number, step in enumerate(steps):
        if clock() - began > quick:
            failed += _side_by_side(steps[number:])
            break
        error = _attempt(step)
        if isinstance(error, ClusterUnavailableError):
            raise error
        failed += [error] if error else []
    for error in sorted(failed, key=lambda one: not isinstance(one, ClusterUnavailableError)):
        raise error


def _side_by_side(steps: Sequence[Step]) -> list[ClusterError]:
    with ThreadPoolExecutor(min(AT_ONCE, len(steps)), "renewals") as hands:
        return [error for error in hands.map(_attempt, steps) if error]


def _attempt(step: Step) -> ClusterError | None:
    try:
        step()
    except ClusterError as error:
        return error
    return None
