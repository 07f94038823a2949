"""Traffic as end states: the split we want, the table the data plane holds, and what it counted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from controller.domain.names import VersionName

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class RouteTable:
    """Who gets what, without roles: percent of live requests, percent mirrored, header matches. No zero entries."""

    shares: tuple[tuple[VersionName, int], ...] = ()
    mirrors: tuple[tuple[VersionName, int], ...] = ()
    cohorts: tuple[tuple[VersionName, Headers], ...] = ()

    def share(self, version: VersionName) -> int:
        """Percent of live requests that `version` gets by weight."""
        return dict(self.shares).get(version, 0)

    def sole(self) -> VersionName | None:
        """The one version that gets everything, or None."""
        alone = len(self.shares) == 1 and not self.mirrors and not self.cohorts
        return self.shares[0][0] if alone else None

    def exposes_more(self, other: "RouteTable", version: VersionName) -> bool:
        """Does `version` get anything here, live or mirrored, that it does not get in `other`?"""
        mirror, cohort = dict(self.mirrors), dict(self.cohorts)
        return (
            self.share(version) > other.share(version)
            or mirror.get(version, 0) > dict(other.mirrors).get(version, 0)
            or (version in cohort and dict(other.cohorts).get(version) != cohort[version])
        )


@dataclass(frozen=True, slots=True)
class Split:
    """The whole desired split. `weight`, `mirror`: percent; requests with the `cohort` headers go to the candidate."""

    stable: VersionName
    candidate: VersionName | None = None
    weight: int = 0
    mirror: int = 0
    cohort: Headers = ()

    def __post_init__(self) -> None:
        if not (0 <= self.weight <= 100 and 0 <= self.mirror <= 100):
            raise ValueError(f"weight {self.weight} and mirror {self.mirror} must lie in 0..100")
        if self.candidate is None and (self.weight or self.mirror or self.cohort):
            raise ValueError("a split without a candidate gives everything to stable")
        if self.candidate == self.stable:
            raise ValueError(f"candidate and stable are both {self.stable}")

    def table(self) -> RouteTable:
        """The same split without roles, for comparison with what the data plane holds."""
        shares = [(self.stable, 100 - self.weight)]
        if self.candidate is None:
            return RouteTable(shares=tuple(shares))
        shares.append((self.candidate, self.weight))
        return RouteTable(
            shares=tuple(sorted((name, share) for name, share in shares if share)),
            mirrors=((self.candidate, self.mirror),) if self.mirror else (),
            cohorts=((self.candidate, self.cohort),) if self.cohort else (),
        )

    def exposes(self) -> bool:
        """Does the candidate get any request, live or mirrored?"""
        return bool(self.weight or self.mirror or self.cohort)


@dataclass(frozen=True, slots=True)
class RequestCounts:
    """Requests the data plane sent to one version since its `epoch`; `active` are in flight now."""

    live: int = 0
    mirrored: int = 0
    active: int = 0

    @property
    def total(self) -> int:
        return self.live + self.mirrored


@dataclass(frozen=True, slots=True)
class BrokenGlass:
    """A person put everything on stable past the controller: `at` by that person's clock, aware."""

    at: datetime
    actor: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RouteSeen:
    """The data plane as it is. `table` is None when it holds no route of this rollout yet.

    `accepted`: the data plane itself (not only our file) reports the configuration last written.
    `epoch` changes when the data plane restarts and its counters begin again. `trouble` says why it is not accepted,
    where the data plane tells. `overwritten_by`: a GitOps manager of the route (`gitopsManagers`) wrote it last.
    `glass`: the newest note of that kind on the route itself. `prepared`: it has something of ours that gets
    nothing yet, or any more, such as a target for a first request: with the candidate that goes, too.
    """

    table: RouteTable | None
    accepted: bool
    revision: str
    epoch: str
    counts: Mapping[VersionName, RequestCounts] = field(default_factory=dict)
    trouble: str = ""
    overwritten_by: str | None = None
    glass: BrokenGlass | None = None
    prepared: bool = False

    def holds(self, split: Split) -> bool:
        """Is it `split`, with nothing left behind where the candidate gets nothing?"""
        return self.table == split.table() and (split.exposes() or not self.prepared)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a router can do; a spec that needs more is refused with the reason.

    `mirror`: all requests; `mirror_percent`: a part of them. `counts`: the data plane says how many it sent to whom.
    """

    mirror: bool = True
    mirror_percent: bool = True
    header_match: bool = True
    sticky_header: bool = True
    sticky_cookie: bool = True
    counts: bool = True


class RouterUnavailableError(Exception):
    """The data plane or its configuration could not be read or written; says what, where and what to do."""


class RouteGoneError(RouterUnavailableError):
    """The object that holds the route was deleted: it is not hidden, and not late."""
