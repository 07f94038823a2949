"""The world as a state machine: people, faults and deaths in any order, and the invariants after every step."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from controller.domain.measure import BlindCause
from controller.domain.names import VersionName
from controller.domain.observation import Readiness
from controller.domain.problem import SpecProblem
from controller.domain.request import Ask
from controller.domain.rollout import Mode, ModelRollout
from controller.domain.state import Phase
from controller.domain.traffic import RouteTable
from controller.testing.builders import CANDIDATE, STABLE, hashed, spec_seen
from controller.testing.drive import drive, drive_until, one_pass
from controller.testing.world import Step, World, a_world
from tests.laws.checks import check
from tests.laws.effort import effort
from tests.laws.journeys import GOOD, HARMFUL, Journey, journeys, tables, turn

BROKEN = (SpecProblem("rollouts/support-bot.yaml", 3, "spec.slos", "is not a list"),)


class WorldMachine(RuleBasedStateMachine):
    """Everything that can happen to a rollout, between passes and in the middle of them."""

    world: World
    rollout: ModelRollout
    checked = 0

    @initialize(journey=journeys(), delay=st.sampled_from((0.0, 0.0, 3.0)), approvals=st.integers(0, 1))
    def begin(self, journey: Journey, delay: float, approvals: int) -> None:
        stages = tuple(replace(stage, approvals=approvals) for stage in journey.rollout.stages)
        self.rollout = hashed(replace(journey.rollout, stages=stages))
        self.world = a_world(self.rollout, journey.seed, v11=GOOD)
        self.world.plane.delay = delay
        turn(self.world, GOOD)
        drive(self.world, 2)

    @rule(ticks=st.sampled_from((1, 1, 2, 6, 30)))
    def time_goes_by(self, ticks: int) -> None:
        drive(self.world, ticks)

    @rule(step=st.sampled_from(Step), ticks=st.integers(0, 2))
    def dies_after(self, step: Step, ticks: int) -> None:
        self.world.crash_after = step
        drive(self.world, ticks) if ticks else one_pass(self.world)
        self.world.crash_after = None

    @rule(bad=st.sampled_from((GOOD, HARMFUL)))
    def candidate_turns(self, bad: float) -> None:
        turn(self.world, bad)

    @rule(value=st.sampled_from((0.01, 0.5)))
    def cost_changes(self, value: float) -> None:
        self.world.truth.values["cost", CANDIDATE] = value

    @rule(ask=st.sampled_from(Ask), actor=st.sampled_from(("ada", "bob")))
    def somebody_asks(self, ask: Ask, actor: str) -> None:
        self.world.ask(ask, actor)
        one_pass(self.world)

    @rule(cause=st.sampled_from(BlindCause), version=st.sampled_from((None, CANDIDATE, STABLE)))
    def goes_blind(self, cause: BlindCause, version: str | None) -> None:
        self.world.truth.dark[None, version] = cause

    @rule(versions=st.sampled_from(((CANDIDATE,), (CANDIDATE, STABLE))))
    def judge_falls_silent(self, versions: tuple[str, ...]) -> None:
        self.world.truth.silent = set(versions)

    @precondition(lambda self: self.world.truth.dark or self.world.truth.silent)
    @rule()
    def sees_again(self) -> None:
        self.world.truth.dark.clear()
        self.world.truth.silent.clear()

    @rule(table=tables())
    def changed_by_hand(self, table: RouteTable | None) -> None:
        self.world.plane.by_hand(table, self.world.true_now)
        one_pass(self.world)

    @rule(table=tables(), tool=st.sampled_from(("argocd-controller", "kustomize-controller")))
    def written_over_by_a_tool(self, table: RouteTable | None, tool: str) -> None:
        self.world.plane.by_hand(table, self.world.true_now, tool=tool)
        one_pass(self.world)

    @rule(unreadable=st.booleans(), unwritable=st.booleans(), losing=st.integers(0, 2))
    def router_fails(self, unreadable: bool, unwritable: bool, losing: int) -> None:
        self.world.plane.unreadable, self.world.plane.unwritable = unreadable, unwritable
        self.world.plane.losing = losing

    @rule()
    def router_restarts(self) -> None:
        self.world.plane.restart()

    @rule(down=st.booleans(), spool=st.booleans())
    def store_fails(self, down: bool, spool: bool) -> None:
        self.world.store_down, self.world.spool_down = down, down and spool

    @rule(away=st.booleans())
    def leases_run_out(self, away: bool) -> None:
        self.world.guarding = "API server away: guarding only" if away else ""

    @rule()
    def evidence_is_lost(self) -> None:
        self.world.memory.evidence = None
        self.world.archive.clear()

    @rule(hours=st.sampled_from((-5, -0.02, 0.01, 3)))
    def clock_jumps(self, hours: float) -> None:
        self.world.jump(timedelta(hours=hours))
        one_pass(self.world)

    @rule(kind=st.sampled_from(("deleted", "broken", "good")))
    def spec_changes_hands(self, kind: str) -> None:
        known = self.world.spec.spec
        self.world.spec = spec_seen(known, deleted=kind == "deleted", problems=BROKEN if kind == "broken" else ())

    @rule(
        edit=st.sampled_from(("revert", "third", "back", "tighten", "loosen", "soak", "suspend", "stages", "observe"))
    )
    def spec_is_edited(self, edit: str) -> None:
        self.world.commit(edited(self.world.spec.spec or self.rollout, edit, self.rollout))

    @rule(ready=st.sampled_from((Readiness.READY, Readiness.LOADING)))
    def backend_changes(self, ready: Readiness) -> None:
        self.world.loading[CANDIDATE] = ready

    @invariant()
    def the_invariants_hold(self) -> None:
        if hasattr(self, "world"):
            self.checked = check(self.world, self.checked)

    def teardown(self) -> None:
        """When everything works again and the run is aborted, the candidate is at zero and the world is quiet."""
        if hasattr(self, "world"):
            mend(self.world, self.rollout)
            self.world.ask(Ask.ABORT)
            drive(self.world, 3)
            drive_until(self.world, lambda w: not w.position.under_way and not _moving(w), 40)
            check(self.world, self.checked)
            assert self.world.position.stable in (CANDIDATE, STABLE, "v13")
            others = {CANDIDATE, STABLE, "v13"} - {self.world.position.stable}
            left_alone = self.world.position.phase is Phase.STALLED
            told = f"{self.world.position.phase}, {self.world.plane.table}:\n" + "\n".join(self.world.timeline[-15:])
            assert left_alone or not any(self.world.exposed(VersionName(other)) for other in others), told


def _moving(world: World) -> bool:
    mark = world.position.traffic
    return mark is not None and mark.verified_at is None


def mend(world: World, rollout: ModelRollout) -> None:
    """Everything works again; the spec wants what serves already, so that nothing new begins."""
    plane = world.plane
    plane.unreadable = plane.unwritable = False
    plane.losing = 0
    world.store_down = world.spool_down = False
    world.guarding = ""
    world.truth.dark.clear()
    world.truth.silent.clear()
    world.commit(hashed(replace(rollout, version=world.position.stable or STABLE)))


def edited(known: ModelRollout, edit: str, first: ModelRollout) -> ModelRollout:
    """One edit of a person, as a whole spec."""
    slo = known.slos[0]
    assert slo.max_bad is not None
    changes: dict[str, dict[str, object]] = {
        "revert": {"version": STABLE},
        "third": {"version": "v13"},
        "back": {"version": CANDIDATE, "suspend": False, "mode": Mode.ENFORCE},
        "tighten": {
            "slos": (replace(slo, max_bad=slo.max_bad * 0.9, definition=slo.definition + "t"), *known.slos[1:])
        },
        "loosen": {"slos": (replace(slo, max_bad=slo.max_bad * 1.1, definition=slo.definition + "l"), *known.slos[1:])},
        "soak": {"stages": tuple(replace(s, min_duration=timedelta(seconds=45)) for s in known.stages)},
        "suspend": {"suspend": not known.suspend},
        "stages": {"stages": known.stages[1:] if len(known.stages) > 1 else first.stages},
        "observe": {"mode": Mode.OBSERVE if known.mode is Mode.ENFORCE else Mode.ENFORCE},
    }
    return hashed(replace(known, **changes[edit]))  # type: ignore[arg-type]


TestWorldMachine = WorldMachine.TestCase
TestWorldMachine.settings = effort(120, steps=40)
