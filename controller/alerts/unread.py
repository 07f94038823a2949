"""Alerts about a database that cannot be read at a start. Told past the outbox, which lies in that database. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from controller.alerts.scene import ACT_NOW, ACT_TODAY
from controller.alerts.wording import address, break_glass, command, instant, one_line
from controller.domain.decision import Severity
from controller.domain.names import RolloutKey
from controller.domain.record import Alert
from controller.domain.route import EnvoyRoute, GatewayApiRoute


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """What became of one rollout. `ending`: `safe`, `waiting`, `unknown` or `left`; `moved`: there was a candidate."""

    key: RolloutKey
    ending: str
    moved: bool
    stable: str | None
    candidate: str | None
    detail: str = ""
    in_flight: int = 0
    target: EnvoyRoute | GatewayApiRoute | None = None


def sentence(one: Withdrawn) -> str:
    """One line on one rollout."""
    name = address(one.key)
    if one.ending == "safe":
        streams = f"; {one.in_flight} answers in flight end by themselves" if one.in_flight else ""
        who = one.candidate or "another version"
        told = f"{who} was withdrawn, everything is on {one.stable}, verified{streams}"
        return f"{name}: {told if one.moved else f'everything is on {one.stable}, as before'}."
    if one.ending == "unknown":
        return (
            f"{name}: NOT MOVED: neither the record beside Envoy nor the spec says what is stable ({one.detail}); "
            "whatever it rolls out keeps its traffic and is not guarded."
        )
    if one.ending == "left":
        return f"{name}: left as it is: {one.detail}."
    return (
        f"{name}: NOT CONFIRMED on {one.stable}: {one_line(one.detail, 300)}; "
        f"{break_glass(one.key, one.target)} tries it by hand."
    )


def unreadable(since: datetime, trouble: str, told: Sequence[Withdrawn]) -> Alert:
    """Told once: why, what was done about each rollout, and what to do."""
    loose = [one for one in told if one.ending in ("waiting", "unknown")]
    moved = [one for one in told if one.moved]
    act = ACT_NOW if loose or moved else ACT_TODAY
    return Alert(
        dedupe=f"database_unreadable:{since.isoformat()}",
        severity=(Severity.PAGE if loose or moved else Severity.WARN).value,
        title=f"{act} Tidegate started and cannot read its database; {_outcome(loose, moved, told)}; nothing advances.",
        body=f"Since {instant(since)}: {one_line(trouble, 500)}\n\n"
        + ("\n".join(sentence(one) for one in told) or "No route of any rollout is known.")
        + "\n\nTidegate keeps trying and goes on by itself as soon as the database can be read. Runs that were "
        "withdrawn are then held; `tidegate resume NAME` goes on with them.",
        facts={
            "reason": "database_unreadable",
            "at": since.isoformat(),
            "withdrawn": ", ".join(str(one.key) for one in moved),
            "not_confirmed": ", ".join(str(one.key) for one in loose),
        },
    )


def _outcome(loose: Sequence[Withdrawn], moved: Sequence[Withdrawn], told: Sequence[Withdrawn]) -> str:
    if loose:
        names = ", ".join(address(one.key) for one in loose)
        return f"{names}: NOT CONFIRMED on stable and not guarded"
    if moved:
        return f"{', '.join(address(one.key) for one in moved)}: everything is on stable, verified"
    return "nothing was moved" if any(one.ending == "left" for one in told) else "no candidate has traffic"


def later(since: datetime, one: Withdrawn) -> Alert:
    """How one rollout stands, when that came or changed after the first alert."""
    act = {"safe": ACT_TODAY, "left": ACT_TODAY}.get(one.ending, ACT_NOW)
    return Alert(
        dedupe=f"database_unreadable:{since.isoformat()}:{one.key}:{one.ending}:{one.stable}",
        severity=(Severity.PAGE if act == ACT_NOW else Severity.WARN).value,
        title=f"{act} {sentence(one)}",
        body="Tidegate cannot read its database, keeps trying, and advances nothing until then.",
        facts={"reason": "database_unreadable", "rollout": one.key.name, "namespace": one.key.namespace},
    )


def readable(since: datetime, now: datetime, told: Sequence[Withdrawn]) -> Alert:
    """It is over."""
    moved = [address(one.key) for one in told if one.moved]
    held = f"{', '.join(moved)}: held with everything on stable until `tidegate resume NAME`" if moved else "all go on"
    return Alert(
        dedupe=f"database_readable:{since.isoformat()}",
        severity=Severity.WARN.value if moved else Severity.INFO.value,
        title=f"{ACT_TODAY if moved else '**No action needed.**'} Tidegate reads its database again; {held}.",
        body=f"It could not since {instant(since)}; now is {instant(now)}. What was stored is as it was.",
        facts={"reason": "database_readable", "at": now.isoformat()},
    )


def state_lost(at: datetime, key: RolloutKey, why: str, stable: str | None, kept: str) -> Alert:
    """One rollout's row does not read back, or is gone; the others go on."""
    where = f" What was stored lies in {kept}.*." if kept else ""
    goes = f"everything is being sent to {stable}" if stable else "nobody knows what is stable, so nothing was moved"
    return Alert(
        dedupe=f"{key}:state_lost:{at.isoformat()}",
        severity=Severity.PAGE.value,
        title=f"{ACT_NOW} {address(key)}: its stored state is lost; {goes}, and it does not advance.",
        body=f"{one_line(why, 500)}.{where}\n\n"
        f"The other rollouts go on. Look with {command('get', key)}; a run that is held goes on with "
        f"{command('resume', key, '--reason', '...')}, from its first stage if its stage is not known.",
        facts={"reason": "state_lost", "rollout": key.name, "namespace": key.namespace},
    )
