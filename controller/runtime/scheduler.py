"""The ticks: one job per metric server, and the household's chores. The only importer of apscheduler."""

import contextlib
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import structlog
from apscheduler.executors.base import BaseExecutor, run_job
from apscheduler.job import Job
from apscheduler.jobstores.base import ConflictingIdError, JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler

from controller.ports import Clock

log = structlog.get_logger("scheduler")
LOOK = 1.0
BACK = 1.0
"""Seconds that the wall clock may go back between two looks before all jobs are due at once."""


class Ticker:
    """Calls functions at intervals, each in a thread of its own; a late tick is run once, never piled up.

    APScheduler plans by the wall clock: set back by an hour, it would not tick for an hour. That is watched here.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen = (clock.now(), clock.monotonic())
        self._stopped = threading.Event()
        self._scheduler = BackgroundScheduler(
            executors={"default": _Threads()},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone="UTC",
        )

    def start(self) -> None:
        """Begin to tick."""
        self._scheduler.start()
        threading.Thread(target=self._watch, name="clock", daemon=True).start()

    def every(self, name: str, interval: timedelta, job: Callable[[], None], at_once: bool = True) -> None:
        """Call `job` every `interval`; the same name replaces the job when the interval differs."""
        known = self._scheduler.get_job(name)
        seconds = interval.total_seconds()
        if known is not None and known.trigger.interval.total_seconds() == seconds:
            return
        self._scheduler.add_job(_guarded(name, job), "interval", seconds=seconds, id=name, replace_existing=True)
        if at_once:
            self._scheduler.add_job(_guarded(name, job), id=f"{name} at once", replace_existing=True)

    def soon(self, name: str, after: timedelta, job: Callable[[], None]) -> None:
        """Call `job` once, `after` from now; one of that name that waits already stands.

        One that runs does not: it may not know what this one is for.
        """
        if self._scheduler.get_job(name) is None:
            with contextlib.suppress(ConflictingIdError):
                self._scheduler.add_job(
                    _guarded(name, job), "date", run_date=self._clock.now() + after, id=name, max_instances=2
                )

    def hasten(self, name: str) -> None:
        """Call it now, and every interval from now on. An unknown one is nobody's loss."""
        with contextlib.suppress(JobLookupError):
            self._scheduler.modify_job(name, next_run_time=self._clock.now())

    def names(self) -> set[str]:
        """The jobs there are."""
        return {job.id for job in self._scheduler.get_jobs()}

    def due(self, name: str) -> datetime | None:
        """When a job is called next by the wall clock; None for an unknown one."""
        job = self._scheduler.get_job(name)
        return job.next_run_time if job is not None else None

    def drop(self, name: str) -> None:
        """Call it no more."""
        if self._scheduler.get_job(name) is not None:
            self._scheduler.remove_job(name)

    def stop(self) -> None:
        """No more ticks; does not wait for those under way. Harmless when it never started."""
        self._stopped.set()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def check_clock(self) -> None:
        """Was the wall clock set back? Then every job is due now, and goes on from there."""
        now, steady = self._clock.now(), self._clock.monotonic()
        lost = (steady - self._seen[1]) - (now - self._seen[0]).total_seconds()
        self._seen = (now, steady)
        if lost <= BACK:
            return
        log.warning("clock_went_back", seconds=round(lost, 1))
        for job in self._scheduler.get_jobs():
            job.modify(next_run_time=now)

    def _watch(self) -> None:
        while not self._stopped.wait(LOOK):
            self.check_clock()


class _Threads(BaseExecutor):  # type: ignore[misc]  # apscheduler ships no types
    """A daemon thread per call: what hangs holds up neither other jobs nor the end of the process."""

    def _do_submit_job(self, job: Job, run_times: Sequence[datetime]) -> None:
        threading.Thread(target=self._run, args=(job, run_times), name=f"job {job.id}", daemon=True).start()

    def _run(self, job: Job, run_times: Sequence[datetime]) -> None:
        events = run_job(job, job._jobstore_alias, run_times, self._logger.name)
        self._run_job_success(job.id, events)


def _guarded(name: str, job: Callable[[], None]) -> Callable[[], None]:
    def run() -> None:
        try:
            job()
        except Exception:  # a job that failed once is due again
            log.exception("job_failed", job=name)

    return run
