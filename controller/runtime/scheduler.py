"""The ticks: one job per metric server, and the household's chores. The only importer of apscheduler."""

from collections.abc import Callable
from datetime import timedelta

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

log = structlog.get_logger("scheduler")


class Ticker:
    """Calls functions at intervals on a few threads; a late tick is run once, never piled up."""

    def __init__(self, threads: int = 6) -> None:
        self._scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(threads)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone="UTC",
        )

    def start(self) -> None:
        """Begin to tick."""
        self._scheduler.start()

    def every(self, name: str, interval: timedelta, job: Callable[[], None], at_once: bool = True) -> None:
        """Call `job` every `interval`; the same name replaces the job when the interval differs."""
        known = self._scheduler.get_job(name)
        seconds = interval.total_seconds()
        if known is not None and known.trigger.interval.total_seconds() == seconds:
            return
        self._scheduler.add_job(_guarded(name, job), "interval", seconds=seconds, id=name, replace_existing=True)
        if at_once:
            self._scheduler.add_job(_guarded(name, job), id=f"{name} at once", replace_existing=True)

    def names(self) -> set[str]:
        """The jobs there are."""
        return {job.id for job in self._scheduler.get_jobs()}

    def drop(self, name: str) -> None:
        """Call it no more."""
        if self._scheduler.get_job(name) is not None:
            self._scheduler.remove_job(name)

    def stop(self) -> None:
        """No more ticks; does not wait for those under way."""
        self._scheduler.shutdown(wait=False)


def _guarded(name: str, job: Callable[[], None]) -> Callable[[], None]:
    def run() -> None:
        try:
            job()
        except Exception:
            log.exception("job_failed", job=name)

    return run
