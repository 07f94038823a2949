"""A plan for people: stages, per stage what it can decide, warnings last."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from controller.cli import words
from controller.cli.output import console

if TYPE_CHECKING:
    from rich.table import Table

Plan = dict[str, Any]
DAY, YEAR = 86400.0, 365 * 86400.0
LEGEND = (
    "Until a breach that begins with the stage is seen: half of the runs / nine of ten; below it the bad answers that "
    "users get by then, in half of the runs. PROVEN: until a version at half its limit, or one with no bad answer, is "
    "proven good; answers of earlier stages count, a cohort's do not."
)


def show(planned: Plan) -> None:
    """Stages, objectives, times, edits, warnings."""
    screen = console()
    start = f"{planned['initial_stable'] or 'what serves'} → {planned['version']}"
    screen.print(f"{planned['name']}: {start}", style="bold")
    if planned["mode"] == "observe":
        screen.print("mode observe: everything is judged and told, no route is written", style="yellow")
    screen.print()
    screen.print(_stages(planned))
    screen.print(_total(planned), style="bold")
    screen.print()
    screen.print(_slos(planned))
    if planned["traffic"]:
        screen.print()
        screen.print(LEGEND, style="dim", soft_wrap=not screen.is_terminal)
        for stage in planned["stages"]:
            _stage(stage)
    else:
        screen.print()
        screen.print(_needed(planned))
        told = (
            "Judged answers, half of the runs / nine of ten. With --traffic N/min: how long that takes in each stage."
        )
        screen.print(told, style="dim", soft_wrap=not screen.is_terminal)
    for line in _policy(planned):
        screen.print(line, soft_wrap=not screen.is_terminal)
    if planned["warnings"]:
        screen.print()
    for warning in planned["warnings"]:
        screen.print(f"warning: {warning}", style="yellow", soft_wrap=not screen.is_terminal)
    for note in planned["notes"]:
        screen.print(f"note: {note}", style="dim", soft_wrap=not screen.is_terminal)


def _total(planned: Plan) -> str:
    told, likely = f"shortest: {words.span(planned['shortest_seconds'])} in all", planned["likely_seconds"]
    return (
        f"{told}; with proofs about {words.span(likely)}" if likely and likely > planned["shortest_seconds"] else told
    )


def _table(*titles: str, right: tuple[str, ...] = ()) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold dim", padding=(0, 2, 0, 0))
    for title in titles:
        table.add_column(title, justify="right" if title in right else "left")
    return table


def _stages(planned: Plan) -> "Table":
    table = _table("STAGE", "THE CANDIDATE GETS", "AT LEAST", "AT MOST", "BEFORE THE NEXT")
    for stage in planned["stages"]:
        times = (words.span(stage["shortest_seconds"]), words.span(stage["max_seconds"]))
        table.add_row(stage["name"], _gets(stage), *times, _before_next(stage))
    return table


def _gets(stage: Plan) -> str:
    if stage["kind"] == "shadow":
        most = f", at most {words.count(stage['max_mirrored'])}" if stage["max_mirrored"] else ""
        return f"copies of {stage['mirror']} %{most}; no user sees it"
    if stage["kind"] == "cohort":
        return "requests with " + ", ".join(f"{header}: {value}" for header, value in stage["cohort"].items())
    return f"{stage['weight'] or 100} % of live requests"


def _before_next(stage: Plan) -> str:
    told = ["every SLO proven" if stage["require"] == "proven" else "no sign of a breach"]
    if stage["proof_seconds"] is not None:
        told[0] += f" (about {words.span(stage['proof_seconds'])} at half its limits)"
    if stage["min_samples"]:
        told.append(f"{words.count(stage['min_samples'])} judged answers per SLO")
    if stage["approvals"]:
        told.append(words.many(stage["approvals"], "approval"))
    return ", ".join(told)


def _slos(planned: Plan) -> "Table":
    table = _table("SLO", "OBJECTIVE", "BUDGET", "A BREACH")
    for slo in planned["slos"]:
        weight = "–" if slo["ledger_weight"] is None else words.percent(slo["ledger_weight"])
        table.add_row(slo["name"], _objective(slo), weight, _deed(slo))
    return table


def _deed(slo: Plan) -> str:
    deed = {"rollback": "rolls back", "hold": "holds", "alert": "alerts only"}[slo["on_breach"]]
    if slo["threshold"] is None:
        return deed
    return f"{deed} after {words.many(slo['threshold']['consecutive'], 'bad value')} in a row"


def _objective(slo: Plan) -> str:
    if slo["objective"] is not None:
        return f"at most {words.percent(slo['objective'])} bad"
    threshold = slo["threshold"]
    bounds = (("at most", threshold["max"]), ("at least", threshold["min"]))
    return ", ".join(f"{word} {words.number(bound)}" for word, bound in bounds if bound is not None)


def _needed(planned: Plan) -> "Table":
    """Without traffic: judged answers, for half of the runs and for nine of ten."""
    rates = _rates(one["breaches"] for slo in planned["slos"] for one in slo["streams"])
    table = _table("ANSWERS", *(f"{rate:g}× SEEN" for rate in rates), "GOOD AT HALF", "NONE BAD")
    for slo in planned["slos"]:
        for one in slo["streams"]:
            found = {breach["times"]: _counts(breach) for breach in one["breaches"]}
            clean, half = (_counts(proof) if one["scenario"] is None else "" for proof in slo["proof"])
            table.add_row(_name(slo["name"], one["scenario"]), *(found.get(rate, "–") for rate in rates), half, clean)
    return table


def _counts(one: Plan) -> str:
    if one["median"] is None:
        return "too near"
    return f"{_amount(one['median'])} / {_amount(one['nine_of_ten'])}"


def _amount(number: float) -> str:
    """`740`, `3.8k`, `1.2M`."""
    for least, size, unit in ((1e6, 1e6, "M"), (1e3, 1e3, "k")):
        if number >= least:
            return f"{number / size:.3g}{unit}"
    return words.count(number)


def _stage(stage: Plan) -> None:
    """What one stage can decide."""
    screen = console()
    screen.print()
    screen.print(f"{stage['name']}: {_gets(stage)}", style="bold")
    if not stage["outlook"]:
        why = "nobody can say how many requests that is" if stage["kind"] == "cohort" else "no traffic, no evidence"
        screen.print(f"  {why}; its judged answers count for a rollback, not for a proof", style="dim")
        return
    rates = _rates(one["breaches"] for one in stage["outlook"])
    table = _table("JUDGED IN", words.span(stage["shortest_seconds"]), *(f"{rate:g}×" for rate in rates), "PROVEN")
    table.columns[1].justify = "right"
    for one in stage["outlook"]:
        found = {breach["times"]: _breach(breach, stage) for breach in one["breaches"]}
        cells = (found.get(rate, "–") for rate in rates)
        table.add_row(_name(one["slo"], one["scenario"]), _amount(one["judged"]), *cells, _proof(one))
    screen.print(table)


def _rates(found: Iterator[list[Plan]]) -> list[float]:
    return sorted({breach["times"] for breaches in found for breach in breaches})


def _name(slo: str, scenario: str | None) -> str:
    return f"{slo}/{scenario}" if scenario else slo


def _breach(breach: Plan, stage: Plan) -> str:
    """`12 min / 25 min`, in live stages with the bad answers until then."""
    first, late = breach["median"], breach["nine_of_ten"]
    if first is None:
        return "too near"
    times = _both(short(first["seconds"]), short(late["seconds"]))
    return times if stage["kind"] == "shadow" else f"{times}\n{_amount(first['bad_served'])} bad"


def _both(first: str, late: str) -> str:
    """`12 / 25 min`, or `50 min / 1.6 h`."""
    amount, _, unit = first.partition(" ")
    return f"{amount} / {late}" if late.endswith(f" {unit}") else f"{first} / {late}"


def _proof(one: Plan) -> str:
    if not one["proof"]:
        return ""
    clean, half = (proof["median"] for proof in one["proof"])
    told = [f"{name} {_left(found)}" for name, found in (("half", half), ("none", clean))]
    return "\n".join(told)


def _left(found: Plan | None) -> str:
    if found is None:
        return "too near"
    return short(found["seconds"]) if found["answers"] else "there"


def short(seconds: float) -> str:
    """A duration in one unit: `45 s`, `12 min`, `5.3 h`, `2.2 d`, `3 y`."""
    for size, unit, until in ((1.0, "s", 90.0), (60.0, "min", 5400.0), (3600.0, "h", 1.5 * DAY), (DAY, "d", 2 * YEAR)):
        if seconds < until:
            value = seconds / size
            return f"{value:.0f} {unit}" if unit in ("s", "min") or value >= 10 else f"{value:.1f} {unit}"
    return f"{seconds / YEAR:,.0f} y"


def _policy(planned: Plan) -> Iterator[str]:
    blind, edits = planned["on_blind"], planned["edits"]
    undecided = f"Undecided at maxDuration: {planned['on_inconclusive']}."
    yield ""
    yield f"A good version is rolled back by mistake in at most {words.percent(planned['max_false_rollback'])} of runs."
    yield f"Blind for {words.span(blind['after_seconds'])}: {blind['then']}. {undecided}"
    yield f"An edit of these starts a new run, from the first stage: {'; '.join(edits['new_run'])}."
    yield f"Taken up at once: {'; '.join(edits['at_once'])}."
