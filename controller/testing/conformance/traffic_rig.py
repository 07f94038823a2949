"""The rig that a router's conformance suite runs on, and how its promises wait for a data plane.

A rig gives one fresh rollout with the versions `stable` and `candidate`, sticky by the header `CONVERSATION` where the
router can, on a data plane that nobody configured yet.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from controller.domain.names import VersionName
from controller.domain.traffic import RequestCounts, RouterUnavailableError, RouteSeen, RouteTable, Split
from controller.ports import TrafficRouter

CONVERSATION = "x-conversation-id"
COHORT = (("x-cohort", "employees"),)
PATIENCE = 10.0


class TrafficRig(Protocol):
    """One router, the requests behind it, and a hand on the data plane."""

    stable: VersionName
    candidate: VersionName

    @property
    def router(self) -> TrafficRouter:
        """The router under test."""
        ...

    def send(self, requests: int, headers: Mapping[str, str] | None = None) -> Sequence[VersionName]:
        """Who answered each request; a request that no version answered is left out."""
        ...

    def reached(self, version: VersionName) -> int:
        """Requests that reached a version so far, copies too, as the version itself counts them."""
        ...

    def in_force(self, table: RouteTable) -> bool:
        """Do requests go by `table` by now? True where the router's word for it is a proof."""
        ...

    def cut(self) -> None:
        """Nobody can ask or change the data plane until `mend`."""
        ...

    def mend(self) -> None:
        """It can be asked again; what it was told before still holds."""
        ...

    def restart(self) -> None:
        """The data plane ends and comes back with the configuration it had."""
        ...

    def add_foreign(self) -> None:
        """Someone else configures something of their own beside ours."""
        ...

    def foreign(self) -> object:
        """What is configured that is not ours, as the data plane holds it."""
        ...


RigMaker = Callable[[], AbstractContextManager[TrafficRig]]


def settle(rig: TrafficRig, split: Split) -> RouteSeen:
    """Apply, as often as it takes, until the data plane has it. Raises AssertionError after 10 s."""
    return settled(rig, split, lambda: rig.router.apply(split))


def settled(rig: TrafficRig, split: Split, between: Callable[[], None] = lambda: None) -> RouteSeen:
    """Wait until the data plane has `split`. Raises AssertionError after 10 s."""
    deadline = time.monotonic() + PATIENCE
    while True:
        between()
        seen = try_to_observe(rig)
        if isinstance(seen, RouteSeen) and seen.accepted and seen.table == split.table():
            wait(lambda: rig.in_force(split.table()), f"{split} to be in force")
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"{split} is not there after {PATIENCE:g} s; instead: {seen}")
        time.sleep(0.01)


def try_to_observe(rig: TrafficRig) -> RouteSeen | RouterUnavailableError:
    """What the router sees, or why it sees nothing."""
    try:
        return rig.router.observe()
    except RouterUnavailableError as error:
        return error


def refusal(rig: TrafficRig, split: Split) -> RouterUnavailableError:
    """Why the router does not take `split`. Raises AssertionError when it does."""
    try:
        rig.router.apply(split)
    except RouterUnavailableError as error:
        return error
    raise AssertionError(f"{split} was not refused")


def until(rig: TrafficRig, true: Callable[[RequestCounts], bool], what: str) -> RequestCounts:
    """The candidate's counts once they are as wanted. Raises AssertionError after 10 s."""
    wait(lambda: true(rig.router.observe().counts[rig.candidate]), what)
    return rig.router.observe().counts[rig.candidate]


def wait(true: Callable[[], bool], what: str) -> None:
    """Poll until it is so. Raises AssertionError after 10 s."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {PATIENCE:g} s for {what}")
        time.sleep(0.01)


def mirror_of(rig: TrafficRig, percent: int) -> int:
    """As much of it as the router can."""
    able = rig.router.capabilities
    return percent if able.mirror_percent else 100 if able.mirror else 0


def conversations(rig: TrafficRig) -> dict[str, VersionName]:
    """Who answers each of 60 conversations."""
    names = [f"conversation-{number}" for number in range(60)]
    return {name: rig.send(1, {CONVERSATION: name})[0] for name in names}


def every_kind(rig: TrafficRig) -> tuple[Split, ...]:
    """One split of each kind of stage, up and down again."""
    return (
        Split(rig.stable),
        Split(rig.stable, rig.candidate, mirror=mirror_of(rig, 20)),
        Split(rig.stable, rig.candidate, cohort=COHORT),
        Split(rig.stable, rig.candidate, weight=1),
        Split(rig.stable, rig.candidate, weight=25, mirror=mirror_of(rig, 10)),
        Split(rig.stable, rig.candidate, weight=100),
        Split(rig.candidate),
        Split(rig.stable),
    )
