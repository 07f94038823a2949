"""A start whose database cannot be read: candidates to stable, people told, questions answered, until it can.

Nothing is decided here, and nothing is written down: a short grace, then everything goes to the stable version that the
files beside Envoy name. Whatever else happens, no candidate keeps traffic that nobody guards.
"""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime

import structlog

from controller.alerts.unread import Withdrawn, later, readable, sentence, unreadable
from controller.alerts.wording import instant
from controller.domain.record import TickRecord
from controller.ports import Specs
from controller.runtime.front import Front
from controller.runtime.groundwork import Groundwork
from controller.runtime.house import House
from controller.runtime.known_routes import KnownRoute, Place, known_routes
from controller.runtime.opening import Opening
from controller.runtime.withdrawal import Ending, Withdrawal
from controller.store.spool import SpoolUnavailableError
from controller.web.protocol import Request
from controller.web.socket import Answer, RequestRefusedError

log = structlog.get_logger("vigil")
STEP, SLOW_STEP = 0.2, 2.0
"""Seconds between two looks at the routes: while something is on its way, and afterwards."""
FIRST_TOLD = 8.0
"""Seconds after which people are told, however far it is."""
OVERDUE = 30.0
LOOK_ROUND = 10.0
"""Seconds between two searches for routes that were not known before."""
PATIENCE = 3.0
"""Seconds for a database to answer before the daemon begins to answer for it."""
SOURCES_PATIENCE = 3.0
MOST_AT_ONCE = 16
HUNG = 5.0
"""Seconds after which a route that hangs is not waited for any more: the others go on without it."""
REFRESHED = 1.0


class Vigil:
    """`until_open` from the main thread; everything that may hang is done in others."""

    def __init__(self, ground: Groundwork, front: Front, furnish: Callable[[Groundwork], House]) -> None:
        self._ground, self._front = ground, front
        self._opening = Opening(lambda: furnish(ground))
        self._since: datetime | None = None
        self._all: dict[Place, Withdrawal] = {}
        self._told: dict[Place, tuple[Ending, bool]] | None = None
        self._specs, self._spool_trouble = Specs(), ""
        self._over = threading.Event()
        self._worker: threading.Thread | None = None
        self._busy: dict[Place, Future[None]] = {}
        self._refreshed = -REFRESHED

    def until_open(self, stop: threading.Event) -> House | None:
        """The house, or None when `stop` was set before. Raises what no waiting mends."""
        began = self._ground.clock.monotonic()
        try:
            while not stop.is_set() and not self._opening.over.wait(0.05):
                self._wait(self._ground.clock.monotonic() - began)
            if self._opening.fault is not None:
                raise self._opening.fault
            self._end_rounds(stop)
        finally:
            self._over.set()
            self._opening.give_up()
        house = self._opening.house
        if house is not None and stop.is_set():
            house.close()
            return None
        if house is not None:
            self._say_over()
        return house

    def _wait(self, waited: float) -> None:
        ground = self._ground
        if self._since is None and (self._opening.trouble or waited > PATIENCE):
            self._since = ground.clock.now()
            log.error("waiting_for_the_database", grace=ground.settings.database_grace, trouble=self.trouble)
            self._front.answer = self.answer
            self._front.start(at_any_price=True)
        if self._worker is None and waited >= ground.settings.database_grace and self._since is not None:
            self._worker = threading.Thread(target=self._work, name="vigil", daemon=True)
            self._worker.start()
        if self._since is not None and waited - self._refreshed >= REFRESHED:
            self._refreshed = waited
            ground.health.passed()
            ground.health.trouble("store", self.message())

    def _end_rounds(self, stop: threading.Event) -> None:
        """What is being written is written to its end, if it does not hang; then the passes take over."""
        self._over.set()
        deadline = self._ground.clock.monotonic() + 2 * HUNG
        while self._worker is not None and self._worker.is_alive() and not stop.is_set():
            self._worker.join(0.05)
            if self._ground.clock.monotonic() > deadline:
                return

    def _say_over(self) -> None:
        if self._since is None:
            return
        log.warning("database_readable", since=self._since.isoformat())
        self._ground.health.ok("store")
        if self._worker is not None:
            self._ground.deliverer.tell_now(readable(self._since, self._ground.clock.now(), self._report()))

    @property
    def trouble(self) -> str:
        """Why there is no database, in one sentence."""
        return self._opening.trouble or "the database does not answer"

    def message(self) -> str:
        """For `get` and `/readyz`."""
        since = f" since {instant(self._since)}" if self._since else ""
        told = f"the database cannot be read{since}: {self.trouble}."
        if self._worker is None:
            grace = self._ground.settings.database_grace
            return f"{told} Nothing advances; {grace:g} s after the start all candidates are withdrawn."
        lines = " ".join(sentence(one) for one in self._report()) or "No route of any rollout is known yet."
        return f"{told} Candidates were withdrawn, nothing advances. {lines}"

    def answer(self, request: Request) -> Answer:
        """On the control socket: that the daemon lives, and why it can say no more."""
        if request.verb == "ping":
            return {"alive": True, "rollouts": 0}
        what = "" if request.verb in ("get", "watch") else f"`{request.verb}` is not possible now: "
        raise RequestRefusedError(what + self.message())

    def _work(self) -> None:
        began, looked = self._ground.clock.monotonic(), -LOOK_ROUND
        pool = ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="withdraw")
        while not self._over.is_set():
            age = self._ground.clock.monotonic() - began
            if age - looked >= LOOK_ROUND:
                looked = age
                self._look_round()
            try:
                self._round(pool, age)
            except Exception:  # a round that failed must not be the last one
                log.exception("round_failed")
            waiting = any(one.ending is Ending.WAITING for one in self._all.values())
            self._over.wait(STEP if waiting and age < OVERDUE else SLOW_STEP)
        pool.shutdown(wait=False, cancel_futures=True)

    def _round(self, pool: ThreadPoolExecutor, age: float) -> None:
        """One look at every route, at once; one that hangs is looked at again when it is back."""
        for place, one in self._all.items():
            if place not in self._busy or self._busy[place].done():
                self._busy[place] = pool.submit(self._step, one)
        wait(self._busy.values(), HUNG)
        self._tell(age)
        self._ground.deliverer.deliver_due()

    def _step(self, one: Withdrawal) -> None:
        if not self._over.is_set() and self._ground.may_touch(one.known.key):
            one.step()

    def _look_round(self) -> None:
        """Every route that can be found now. A source that hangs is not waited for: its routes come later."""
        try:
            found = self._found()
        except Exception:  # the routes that are known are withdrawn all the same
            log.exception("routes_not_found")
            return
        for place, known in found.items():
            if place not in self._all or _knows_more(known, self._all[place]):
                self._all[place] = Withdrawal(known, self._ground.router, self._ground.clock, self.trouble)

    def _found(self) -> Mapping[Place, KnownRoute]:
        reading = threading.Thread(target=self._read_specs, name="read specs", daemon=True)
        reading.start()
        reading.join(SOURCES_PATIENCE)
        settings = self._ground.settings
        return known_routes(
            self._specs, self._spooled(), settings.folders, settings.state_dir, observe=settings.observe
        )

    def _read_specs(self) -> None:
        try:
            self._specs = self._ground.specs.read()
        except Exception:  # what was read before stays
            log.exception("specs_not_read")

    def _spooled(self) -> list[TickRecord]:
        try:
            return self._ground.spool.read()
        except SpoolUnavailableError as error:
            if str(error) != self._spool_trouble:
                log.error("spool_unavailable", trouble=str(error))
            self._spool_trouble = str(error)
            return []

    def _tell(self, waited: float) -> None:
        """Once for all together, then whenever one of them comes to another end or is overdue."""
        assert self._since is not None
        waiting = any(one.ending is Ending.WAITING for one in self._all.values())
        if self._told is None:
            if waiting and waited < FIRST_TOLD:
                return
            self._told = {place: _state(one) for place, one in self._all.items()}
            self._ground.deliverer.tell_now(unreadable(self._since, self.trouble, self._report()))
            return
        for place, one in self._all.items():
            if self._told.get(place) != _state(one) and (one.ending is not Ending.WAITING or one.seconds > OVERDUE):
                self._told[place] = _state(one)
                self._ground.deliverer.tell_now(later(self._since, one.report()))

    def _report(self) -> list[Withdrawn]:
        return [one.report() for _, one in sorted(self._all.items())]


def _knows_more(known: KnownRoute, one: Withdrawal) -> bool:
    return one.stable is None and known != one.known


def _state(one: Withdrawal) -> tuple[Ending, bool]:
    return one.ending, one.ending is Ending.WAITING and one.seconds > OVERDUE
