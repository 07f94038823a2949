"""A data plane in memory: it holds a RouteTable, counts requests, is late, and fails in the ways real ones do."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from controller.domain.names import VersionName
from controller.domain.traffic import RequestCounts, RouterUnavailableError, RouteSeen, RouteTable, Split


@dataclass(slots=True)
class Plane:
    """Who gets what now, and what is on its way.

    `delay`: seconds until a written split is held and accepted. `unreadable`/`unwritable`: it cannot be asked/written.
    `losing`: so many writes vanish without a word. `linger`: seconds in which a removed version still gets requests.
    `skew` maps a version to its factor of the configured share: a data plane that does not do what it says.
    `overwritten_by`: the listed GitOps tool that wrote last.
    """

    table: RouteTable | None = None
    delay: float = 0.0
    unreadable: bool = False
    unwritable: bool = False
    losing: int = 0
    linger: float = 0.0
    skew: dict[VersionName, float] = field(default_factory=dict)
    cohort_share: float = 0.05
    epoch: int = 1
    writes: int = 0
    overwritten_by: str | None = None
    live: Counter[VersionName] = field(default_factory=Counter)
    mirrored: Counter[VersionName] = field(default_factory=Counter)
    _coming: list[tuple[datetime, RouteTable]] = field(default_factory=list)
    _fading: dict[VersionName, tuple[datetime, float]] = field(default_factory=dict)
    _owed: dict[tuple[VersionName, bool], float] = field(default_factory=dict)

    def apply(self, split: Split, now: datetime) -> None:
        """Write the split. Raises RouterUnavailableError."""
        if self.unwritable:
            raise RouterUnavailableError("the simulated data plane cannot be written")
        self.writes += 1
        if self.losing:
            self.losing -= 1
            return
        self.overwritten_by = None
        if not self._coming or self._coming[-1][1] != split.table():
            self._coming = [(now + timedelta(seconds=self.delay), split.table())]
        self.settle(now)

    def by_hand(self, table: RouteTable | None, now: datetime, tool: str | None = None) -> None:
        """Somebody else writes a table, at once: a person, or a listed GitOps tool."""
        self._coming = []
        self.overwritten_by = tool
        self._hold(table, now)

    def restart(self) -> None:
        """The counters begin again; the table is read from its file again."""
        self.epoch += 1
        self.live.clear()
        self.mirrored.clear()

    def observe(self) -> RouteSeen:
        """The data plane as it is. Raises RouterUnavailableError."""
        if self.unreadable:
            raise RouterUnavailableError("the simulated data plane does not answer")
        names = {*self.live, *self.mirrored}
        counts = {name: RequestCounts(self.live[name], self.mirrored[name]) for name in sorted(names)}
        accepted, revision = not self._coming, f"r{self.writes}"
        return RouteSeen(self.table, accepted, revision, f"e{self.epoch}", counts, overwritten_by=self.overwritten_by)

    def settle(self, now: datetime) -> None:
        """Take over what has arrived by `now`."""
        while self._coming and self._coming[0][0] <= now:
            self._hold(self._coming.pop(0)[1], now)

    def _hold(self, table: RouteTable | None, now: datetime) -> None:
        before = dict(self.table.shares) if self.table else {}
        for name, share in before.items():
            if self.linger and (table is None or not table.share(name)):
                self._fading[name] = (now + timedelta(seconds=self.linger), share / 100)
        self.table = table

    def carry(self, requests: float, now: datetime) -> dict[VersionName, int]:
        """Route so many requests; returns how many each version answered, mirrored ones included."""
        if self.table is None:
            return {}
        answered: Counter[VersionName] = Counter()
        for (name, mirror), amount in self._due(requests, now).items():
            owed = self._owed.get((name, mirror), 0.0) + amount
            whole = int(owed + 1e-9)
            self._owed[name, mirror] = owed - whole
            (self.mirrored if mirror else self.live)[name] += whole
            answered[name] += whole
        return dict(answered)

    def _due(self, requests: float, now: datetime) -> dict[tuple[VersionName, bool], float]:
        assert self.table is not None
        due = {(name, False): requests * self._share(name, share) for name, share in self.table.shares}
        due |= {(name, True): requests * share / 100 for name, share in self.table.mirrors}
        for name, _ in self.table.cohorts:
            due[name, False] = due.get((name, False), 0.0) + requests * self.cohort_share
        for name, (until, share) in self._fading.items():
            if now < until:
                due[name, False] = due.get((name, False), 0.0) + requests * share
        return due

    def _share(self, name: VersionName, share: int) -> float:
        return min(1.0, share / 100 * self.skew.get(name, 1.0))
