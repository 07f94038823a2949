"""A rollout whose stored state does not read back: held with everything on stable, until a person resumes.

The other rollouts go on. Nothing of it is guessed: a run begins again at its first stage, when somebody says so.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import structlog

from controller.domain.decision import Notice, Reason, Severity
from controller.domain.names import RolloutKey, RunId, VersionName
from controller.domain.observation import SpecSeen
from controller.domain.record import Stored, Unread
from controller.domain.rollout import ModelRollout, Provenance
from controller.domain.state import HeldCause, Phase, Position, Run, TrafficMark
from controller.domain.traffic import Split
from controller.runtime.known_routes import KnownRoute

log = structlog.get_logger("store")
FOLDER = "unreadable"


@dataclass(frozen=True, slots=True)
class Lost:
    """`why` for people; `stable` by what lies beside Envoy, None when nothing says it; `seq` is the row's number.

    `at` is when that was found.
    """

    why: str
    stable: VersionName | None
    seq: int
    at: datetime
    route: KnownRoute | None = None

    @property
    def waits_for(self) -> str:
        """What a person sees while no spec says how to go on."""
        todo = "put back its spec" if self.stable else "set spec.initialStable to the version that serves"
        return f"{self.why}; {todo}, or restore a backup"


def lost_rollouts(stored: Iterable[Stored], routes: Iterable[KnownRoute], now: datetime) -> Mapping[RolloutKey, Lost]:
    """Those that do not read back."""
    beside = {one.key: one for one in routes}
    return {row.key: _lost(row, row.unread.why, beside.get(row.key), now) for row in stored if row.unread}


def _lost(row: Stored, why: str, route: KnownRoute | None, now: datetime) -> Lost:
    return Lost(why, route.stable if route else None, row.seq, now, route)


def known_in_part(row: Stored, now: datetime) -> Position | None:
    """Of a row whose evidence alone does not read back: its run is held. None when the position does not, either."""
    position, run = row.position, row.position.run
    if position.stable is None:
        return None
    if run is None or not position.under_way or position.phase is Phase.ROLLING_BACK:
        return position
    return replace(
        position,
        phase=Phase.HELD,
        since=now,
        held=HeldCause.EXTERNAL,
        resume_phase=Phase.PROGRESSING,
        traffic=TrafficMark(Split(run.stable), None, now),
        run=replace(run, stage_since=None),
        message="its evidence did not read back; `resume` goes on, and collects it anew",
    )


def begun_anew(lost: Lost, seen: SpecSeen, now: datetime) -> Position | None:
    """By the spec and what lies beside Envoy; None while these do not say enough."""
    spec = seen.spec
    stable = lost.stable if lost.stable is not None else spec.initial_stable if spec else None
    if spec is None or stable is None or spec.find(stable) is None:
        return None
    mark = TrafficMark(Split(stable), None, now)
    rest = Position(Phase.IDLE, now, stable=stable, traffic=mark, runs=lost.seq)
    if spec.version == stable:
        return rest
    run = _run(spec, stable, lost.seq + 1, seen.provenance, now)
    told = f"what was stored of it is lost; {run.candidate} was taken off all traffic; `resume` begins its run anew"
    return replace(
        rest,
        phase=Phase.HELD,
        held=HeldCause.EXTERNAL,
        resume_phase=Phase.PROGRESSING,
        run=run,
        runs=run.number,
        message=told,
    )


def _run(spec: ModelRollout, stable: VersionName, number: int, origin: Provenance | None, now: datetime) -> Run:
    """Never loaded as far as is known. A row's number is larger than that of any run before it."""
    target = spec.find(spec.version)
    assert target is not None
    return Run(
        id=RunId(f"{spec.key.name}-{number}"),
        number=number,
        stable=stable,
        candidate=target.name,
        digest=target.digest,
        spec=spec,
        provenance=origin or Provenance("unknown"),
        started_at=now,
    )


def notice(lost: Lost) -> Notice:
    """For the journal."""
    return Notice(Reason.STATE_LOST, lost.at, Severity.PAGE, {"why": lost.why, "stable": lost.stable})


def keep_aside(stored: Iterable[Stored], state_dir: Path) -> Mapping[RolloutKey, Path]:
    """The bytes that do not read back, in files of their own: what is decided from now on is written over them."""
    found = {}
    for row in stored:
        if row.unread is None:
            continue
        name = f"{row.key.namespace}.{row.key.name}.{row.seq}"
        found[row.key] = state_dir / FOLDER / name
        try:
            _keep(found[row.key], row.unread)
        except OSError as error:
            log.error("not_kept_aside", rollout=str(row.key), trouble=str(error))
    return found


def _keep(file: Path, unread: Unread) -> None:
    file.parent.mkdir(mode=0o700, exist_ok=True)
    for end, blob in (("position", unread.position), ("evidence", unread.evidence)):
        if blob is not None:
            file.with_name(f"{file.name}.{end}").write_bytes(blob)
