"""The pass as the daemon runs it, in the simulated world: observe -> tick -> persist -> apply, again and again.

Between any two steps the process may die; what it wrote down is all that the next one knows.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from controller.decision.clock import taken_up
from controller.decision.tick import tick
from controller.domain.decision import Decision
from controller.domain.names import VersionName
from controller.domain.observation import Observation, Preflight, Readiness, Unknown
from controller.domain.rollout import ModelRollout
from controller.domain.state import Phase
from controller.domain.traffic import RouterUnavailableError, RouteSeen
from controller.testing.world import QUICK, Passed, Step, World, tell


def drive(world: World, ticks: int = 1) -> None:
    """So many metric ticks, and every pass between them."""
    for _ in range(ticks):
        left = world.rollout.interval
        while left > timedelta(0):
            by = min(left, max(world.memory.revisit, QUICK))
            world.pass_time(by)
            left -= by
            one_pass(world)


def drive_until(world: World, done: Callable[[World], bool], limit: int = 4000) -> None:
    """Drive until `done`; fails with the story so far when it never is."""
    for _ in range(limit):
        if done(world):
            return
        drive(world)
    raise AssertionError(
        f"not reached within {limit} ticks; {world.position.phase}: {world.position.message}:\n"
        + "\n".join(world.timeline[-25:])
    )


def one_pass(world: World) -> None:
    """Observe, tick, persist, apply: once. A death in between loses what is not written down."""
    _wake(world)
    seen = observe(world)
    if _dies(world, Step.OBSERVED):
        return
    before, known, held = world.position, world.memory.evidence, world.plane.table
    decision = tick(before, known, seen)
    if _dies(world, Step.DECIDED):
        return
    stored, kept = not world.store_down, _persist(world, decision, seen)
    wrote = kept and _apply(world, decision)
    world.passes.append(Passed(before, known, seen, decision, held, world.plane.table, wrote, stored))
    if kept:
        tell(world, before, decision, held)
    _dies(world, Step.APPLIED)


def _wake(world: World) -> None:
    memory = world.memory
    if not memory.awake:
        memory.awake = True
        memory.position, memory.evidence = taken_up(memory.position, memory.evidence, world.now)


def _dies(world: World, here: Step) -> bool:
    if world.crash_after is not here:
        return False
    world.crash_after = None
    world.kill()
    return True


def observe(world: World) -> Observation:
    """One instant, `now` included. What cannot be read is Unknown."""
    try:
        route: RouteSeen | Unknown = world.plane.observe()
    except RouterUnavailableError as error:
        route = Unknown(str(error))
    _remember(world)
    memory, run = world.memory, world.position.run
    seen = Observation(
        world.now,
        world.spec,
        route,
        preflight=_preflight(world),
        requests=tuple(memory.inbox),
        route_conflict=world.route_conflict,
        readiness={version.name: _readiness(world, version.name) for version in world.rollout.versions},
        observe_only=world.observe_only,
        break_glass=world.break_glass,
        guarding=world.guarding,
        storeless=world.store_down,
    )
    if run is None or memory.evidence is None or not world.position.guarded or not _is_tick(world, run.spec):
        return seen
    memory.measured_at = world.now
    found, series = world.truth.measure(run.spec, (run.stable, run.candidate), memory.evidence, world.now)
    return replace(seen, measurements=found, series=series, measured=True)


def _is_tick(world: World, spec: ModelRollout) -> bool:
    last = world.memory.measured_at
    return last is None or abs(world.now - last) >= spec.interval * 0.75


def _remember(world: World) -> None:
    """At rest, what was learned before about the version that may be tried next is read from the archive."""
    spec = world.spec.spec
    target = spec.find(spec.version) if spec else None
    known = world.memory.evidence
    if target is None or world.position.guarded or (known is not None and known.digest == target.digest):
        return
    world.memory.evidence = world.archive.get(target.digest, known)


def _readiness(world: World, version: VersionName) -> Readiness:
    return world.loading.get(version, Readiness.READY)


def _preflight(world: World) -> Preflight:
    run = world.position.run
    if run is None or world.position.phase is not Phase.PENDING:
        return Preflight()
    readiness = _readiness(world, run.candidate)
    done = readiness is Readiness.READY and world.preflight_problem is None
    return Preflight(readiness, world.preflight_problem, done)


def _persist(world: World, decision: Decision, seen: Observation) -> bool:
    """Intent first. Without a database a lowering goes on, a raise waits. Answers: go on and apply?"""
    memory = world.memory
    if world.store_down:
        decisive = bool(decision.notices) or decision.position != memory.position
        if decisive and not world.spool_down:
            world.disk = (decision.position, decision.evidence)
        if _raises(decision, seen):
            memory.evidence, memory.revisit = decision.evidence, timedelta(seconds=1)
            return False
    else:
        world.disk = (decision.position, decision.evidence)
    if decision.evidence is not None:
        world.archive[decision.evidence.digest] = decision.evidence
    if _dies(world, Step.PERSISTED):
        return False
    memory.position, memory.evidence, memory.revisit = decision.position, decision.evidence, decision.revisit_after
    memory.inbox = [request for request in memory.inbox if request.id not in decision.settled]
    return True


def _raises(decision: Decision, seen: Observation) -> bool:
    split = decision.apply
    if split is None or split.candidate is None:
        return False
    table = seen.route.table if isinstance(seen.route, RouteSeen) else None
    return table is None or split.table().exposes_more(table, split.candidate)


def _apply(world: World, decision: Decision) -> bool:
    if decision.apply is None:
        return False
    try:
        world.plane.apply(decision.apply, world.true_now)
    except RouterUnavailableError:
        return False
    return True
