"""Which versions nobody needs any more: rolled back, superseded, or served before `rollbackWindow` ended. Pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from controller.decision.turn import Turn
from controller.domain.names import VersionName
from controller.domain.rollout import ModelRollout, Version
from controller.domain.state import Position, Spare

MOST = 20
"""So many are remembered, the newest."""


def spared(before: Position, turn: Turn) -> Turn:
    """Remember, at the end of a pass, which versions with a `scale` fell out of use in it."""
    after, spec = turn.position, turn.seen.spec.spec
    if not after.spare and not any(map(_scales, (spec, *(one.run.spec for one in (before, after) if one.run)))):
        return turn
    used = in_use(after, spec, turn.now)
    known = tuple(one for one in after.spare if one.version.name not in used)
    if turn.observing:
        return turn if known == after.spare else turn.at(spare=known)
    names = {one.version.name for one in known} | used
    left = dict.fromkeys(name for position in (before, after) for name in _named(position) if name not in names)
    found = (_version(name, spec, before, after) for name in left)
    new = (Spare(one, _since(one.name, after, turn.now)) for one in found if one is not None and one.scale is not None)
    spare = (*known, *new)[-MOST:]
    return turn if spare == after.spare else turn.at(spare=spare)


def in_use(position: Position, spec: ModelRollout | None, now: datetime) -> frozenset[VersionName]:
    """Stable, the candidate of a run under way, and the former stable as long as it can be returned to."""
    run, used = position.run, {position.stable}
    if run is not None and position.under_way:
        used |= {run.stable, run.candidate}
    promoted = position.promoted_at
    if promoted is not None and (position.guarded or now - promoted <= _window(position, spec)):
        used.add(position.former)
    return frozenset(name for name in used if name is not None)


def _scales(spec: ModelRollout | None) -> bool:
    return spec is not None and any(one.scale is not None for one in spec.versions)


def _window(position: Position, spec: ModelRollout | None) -> timedelta:
    """The longer one, where it was edited since."""
    specs = (spec, position.run.spec if position.run else None)
    return max((one.rollback_window for one in specs if one is not None), default=timedelta.max)


def _named(position: Position) -> Iterator[VersionName]:
    run = position.run
    names = (position.stable, position.former, run.stable if run else None, run.candidate if run else None)
    yield from (name for name in names if name is not None)


def _version(name: VersionName, spec: ModelRollout | None, *positions: Position) -> Version | None:
    specs = (spec, *(one.run.spec for one in positions if one.run is not None))
    return next((found for one in specs if one is not None and (found := one.find(name)) is not None), None)


def _since(name: VersionName, position: Position, now: datetime) -> datetime:
    """A former stable has served nobody since the promotion."""
    promoted = position.promoted_at
    return promoted if name == position.former and promoted is not None else now
