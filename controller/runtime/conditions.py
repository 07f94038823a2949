"""The five conditions that `kubectl wait`, Flux and Argo CD understand, from what is held of a rollout. Pure.

`Ready`: traffic is where it belongs, verified, and nothing is under way. `Promoted`: the version that the spec asks for
is stable, verified: what CI waits for. `Reconciling`: it goes on by itself (a run under way). `Stalled`: it does not go
on before a person acts; never together with `Reconciling`. `RolledBack`: the version that the spec asks for was tried
and taken back.
"""

from dataclasses import dataclass

from controller.alerts.scene import Scene
from controller.alerts.sentences import why
from controller.domain.decision import Notice, Reason
from controller.domain.observation import Unknown
from controller.domain.rollout import Version
from controller.domain.state import HeldCause, Phase
from controller.runtime.book import Held

LONGEST = 1000
TYPES = ("Ready", "Promoted", "Reconciling", "Stalled", "RolledBack")


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition, without the time of its last change. `reason` is one CamelCase word, `message` a sentence."""

    type: str
    status: bool
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class _State:
    """What the conditions are made of: a reason and a sentence for what is so, None for what is not."""

    stalled: tuple[str, str] | None
    waiting: tuple[str, str] | None
    rolled_back: str | None
    serves: bool


def conditions(held: Held) -> tuple[Condition, ...]:
    """All five, always, in the same order."""
    state = _State(stalled(held), _waiting(held), rolled_back(held), _serves(held))
    return (
        _ready(held, state),
        _promoted(held, state),
        _reconciling(state),
        _stalled(state),
        _rolled_back(state),
    )


def stalled(held: Held) -> tuple[str, str] | None:
    """Why a person must act, or None. Being blind ends by itself, a pause and an approval are a person's own doing."""
    position, problems = held.position, held.spec.problems
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        return "InvalidSpec", _short(f"{problems[0]}{more}")
    if held.conflict is not None:
        return "RouteTaken", _short(held.conflict)
    if position.phase is Phase.STALLED:
        return "Stalled", _short(position.message or "it waits for a person")
    if position.phase is Phase.HELD and position.held is not None and position.held is not HeldCause.BLIND:
        return f"Held{position.held.value.capitalize()}", _short(position.message or "it waits for `resume`")
    return None


def rolled_back(held: Held) -> str | None:
    """Why the version that is asked for was taken back, with the numbers; None when it was not."""
    position, target = held.position, _target(held)
    if target is None or target.name == position.stable or position.under_way:
        return None
    last = position.run
    if position.phase is Phase.ROLLED_BACK and last is not None and last.digest == target.digest:
        notice = Notice(Reason.ROLLBACK_VERIFIED, position.since)
        return _short(why(Scene(position, notice, held.key)) or position.message)
    if target.digest in position.rejected and not _observed(held):
        return _short(position.message or f"{target.name} was rolled back before")
    return None


def _target(held: Held) -> Version | None:
    spec = held.spec.spec
    return spec.find(spec.version) if spec is not None else None


def _waiting(held: Held) -> tuple[str, str] | None:
    """What is still under way, or not as it should be yet."""
    position = held.position
    if held.trouble:
        return "Troubled", _short(held.trouble)
    if position.under_way:
        return position.phase.value, _short(position.message or f"the run of {_candidate(held)} is under way")
    if isinstance(held.route, Unknown):
        return "RouteUnknown", _short(held.route.why)
    if position.traffic is None or position.traffic.verified_at is None:
        return "NotVerified", "the data plane does not show yet that traffic is where it belongs"
    if _undecided(held):
        return "Pending", _short(position.message or "a run has not begun yet")
    return None


def _undecided(held: Held) -> bool:
    """Is another version asked for than the one that serves, and nothing was tried yet?"""
    spec, target, position = held.spec.spec, _target(held), held.position
    if spec is None or target is None:
        return True
    return target.name != position.stable and not spec.suspend and rolled_back(held) is None and not _observed(held)


def _observed(held: Held) -> bool:
    """Has the version been tried in observe mode, so that nothing was moved?"""
    last, target = held.position.run, _target(held)
    tried = held.position.phase is Phase.COMPLETED and last is not None and target is not None
    return tried and last is not None and target is not None and last.digest == target.digest


def _serves(held: Held) -> bool:
    target = _target(held)
    return target is not None and target.name == held.position.stable


def _ready(held: Held, state: _State) -> Condition:
    wrong = state.stalled or state.waiting
    if wrong is not None:
        return Condition("Ready", False, *wrong)
    reason = "RolledBack" if state.rolled_back else "Serving" if state.serves else "Suspended"
    reason = "Observed" if not state.serves and _observed(held) else reason
    return Condition("Ready", True, reason, f"{held.position.stable} gets everything, verified")


def _promoted(held: Held, state: _State) -> Condition:
    wrong = state.stalled or state.waiting
    if wrong is not None:
        return Condition("Promoted", False, *wrong)
    if state.serves:
        return Condition("Promoted", True, "Serving", f"{held.position.stable} is stable, verified")
    if state.rolled_back is not None:
        return Condition("Promoted", False, "RolledBack", state.rolled_back)
    reason = "Observed" if _observed(held) else "Suspended"
    return Condition("Promoted", False, reason, _short(held.position.message or "no run begins"))


def _reconciling(state: _State) -> Condition:
    if state.stalled is None and state.waiting is not None:
        return Condition("Reconciling", True, *state.waiting)
    return Condition("Reconciling", False, "Stalled" if state.stalled else "AtRest", "nothing is under way by itself")


def _stalled(state: _State) -> Condition:
    if state.stalled is not None:
        return Condition("Stalled", True, *state.stalled)
    return Condition("Stalled", False, "GoesOn", "nobody needs to act")


def _rolled_back(state: _State) -> Condition:
    if state.rolled_back is not None:
        return Condition("RolledBack", True, "RolledBack", state.rolled_back)
    return Condition("RolledBack", False, "NotRolledBack", "the version that is asked for was not rolled back")


def _candidate(held: Held) -> str:
    return str(held.position.run.candidate) if held.position.run else "a version"


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
