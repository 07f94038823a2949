"""A traffic router in memory: real requests are simulated, exactly in proportion, and it can be told to fail.

It keeps the promises of `controller.testing.conformance.traffic`, as the real ones do.
"""

import threading
import zlib
from collections.abc import Iterable, Mapping
from enum import StrEnum

from controller.domain.names import VersionName
from controller.domain.route import Sticky
from controller.domain.traffic import (
    Capabilities,
    Headers,
    RequestCounts,
    RouterUnavailableError,
    RouteSeen,
    RouteTable,
    Split,
)
from controller.ports import RouteBinding


class Fault(StrEnum):
    """How the data plane misbehaves.

    `unreachable`: nothing can be read or written. `rejects`: writes fail, reading works. `blind`: writes work, reading
    fails. `slow`: a write is taken but not accepted until the fault is gone. `leaks`: everything is accepted, and the
    requests still go as before.
    """

    UNREACHABLE = "unreachable"
    REJECTS = "rejects"
    BLIND = "blind"
    SLOW = "slow"
    LEAKS = "leaks"


class MemoryRouter:
    """Set `fault` to break it; `send` requests; `set_by_hand` is someone else; `restart` loses the counters."""

    def __init__(self, binding: RouteBinding, capabilities: Capabilities | None = None) -> None:
        self.binding = binding
        self.fault: Fault | None = None
        self.writes = 0
        self.applied: list[Split] = []
        self._capabilities = capabilities or Capabilities()
        self._lock = threading.Lock()
        self._written: RouteTable | None = None
        self._held: RouteTable | None = None
        self._serving: RouteTable | None = None
        self._candidate: VersionName | None = None
        self._epoch = 1
        self._counts: dict[VersionName, RequestCounts] = {}
        self._credit: dict[VersionName, int] = {}
        self._mirror_credit: dict[VersionName, int] = {}

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    def apply(self, split: Split) -> None:
        with self._lock:
            self._fail_on(Fault.UNREACHABLE, Fault.REJECTS)
            self._refuse_unlisted(split)
            self.applied.append(split)
            if split.table() != self._written:
                self._written = split.table()
                self._candidate = split.candidate
                self.writes += 1
            self._settle()

    def observe(self) -> RouteSeen:
        with self._lock:
            self._fail_on(Fault.UNREACHABLE, Fault.BLIND)
            self._settle()
            return RouteSeen(
                table=self._held,
                accepted=self._held == self._written,
                revision=f"{zlib.crc32(repr(self._held).encode()):08x}",
                epoch=f"memory-{self._epoch}",
                counts={name: self._counts.get(name, RequestCounts()) for name in self.binding.backends},
            )

    def send(self, requests: int = 1, headers: Mapping[str, str] | None = None) -> tuple[VersionName, ...]:
        """Who answered each request, in order; empty while there is no route."""
        with self._lock:
            self._settle()
            table = self._serving
            if table is None:
                return ()
            answers = tuple(self._choose(table, headers or {}) for _ in range(requests))
            for version in answers:
                self._count(version, live=1)
                self._mirror(table)
            return answers

    def set_by_hand(self, table: RouteTable | None) -> None:
        """Someone else changes the route: what the data plane holds and our last configuration both become `table`."""
        with self._lock:
            self._written = table
            self._settle()

    def hold_streams(self, version: VersionName, active: int) -> None:
        """That many requests of `version` are in flight from now on (0: they ended)."""
        with self._lock:
            counts = self._counts.get(version, RequestCounts())
            self._counts[version] = RequestCounts(counts.live, counts.mirrored, active)

    def restart(self) -> None:
        """The data plane comes back with its configuration and with counters at zero."""
        with self._lock:
            self._epoch += 1
            self._counts.clear()

    def _fail_on(self, *faults: Fault) -> None:
        if self.fault in faults:
            raise RouterUnavailableError(
                f"the in-memory router of {self.binding.key} is {self.fault}: clear its `fault` to heal it"
            )

    def _refuse_unlisted(self, split: Split) -> None:
        for version in (split.stable, split.candidate):
            if version is not None and version not in self.binding.backends:
                known = ", ".join(sorted(self.binding.backends))
                raise RouterUnavailableError(f"{self.binding.key} has no backend for {version}; listed: {known}")

    def _settle(self) -> None:
        if self.fault is Fault.SLOW:
            return
        self._held = self._written
        if self.fault is not Fault.LEAKS and self._serving != self._held:
            self._serving = self._held
            self._credit.clear()
            self._mirror_credit.clear()

    def _choose(self, table: RouteTable, headers: Mapping[str, str]) -> VersionName:
        for version, wanted in table.cohorts:
            if _matches(wanted, headers):
                return version
        conversation = _conversation(self.binding.route.sticky, headers)
        # The candidate comes first, so that a rising weight only ever takes conversations from stable.
        shares = sorted(table.shares, key=lambda share: share[0] != self._candidate)
        if conversation is not None:
            return _at_point(shares, zlib.crc32(conversation.encode()) % 100)
        return self._next_by_credit(shares)

    def _next_by_credit(self, shares: Iterable[tuple[VersionName, int]]) -> VersionName:
        """Smooth weighted round robin: exact over every hundred requests."""
        shares = list(shares)
        for version, share in shares:
            self._credit[version] = self._credit.get(version, 0) + share
        chosen = max(shares, key=lambda share: self._credit[share[0]])[0]
        self._credit[chosen] -= 100
        return chosen

    def _mirror(self, table: RouteTable) -> None:
        for version, percent in table.mirrors:
            credit = self._mirror_credit.get(version, 0) + percent
            if credit >= 100:
                self._count(version, mirrored=1)
            self._mirror_credit[version] = credit % 100

    def _count(self, version: VersionName, live: int = 0, mirrored: int = 0) -> None:
        counts = self._counts.get(version, RequestCounts())
        self._counts[version] = RequestCounts(counts.live + live, counts.mirrored + mirrored, counts.active)


def _matches(wanted: Headers, headers: Mapping[str, str]) -> bool:
    given = {name.lower(): value for name, value in headers.items()}
    return all(given.get(name.lower()) == value for name, value in wanted)


def _conversation(sticky: Sticky | None, headers: Mapping[str, str]) -> str | None:
    if sticky is None:
        return None
    given = {name.lower(): value for name, value in headers.items()}
    if sticky.by == "header":
        return given.get(sticky.name.lower())
    cookies = (part.strip().partition("=") for part in given.get("cookie", "").split(";"))
    return next((value for name, _, value in cookies if name == sticky.name), None)


def _at_point(shares: Iterable[tuple[VersionName, int]], point: int) -> VersionName:
    """The version whose stretch of 0..100 holds `point`."""
    end, last = 0, None
    for version, share in shares:
        end, last = end + share, version
        if point < end:
            return version
    assert last is not None, "a route table without shares serves nothing"
    return last
