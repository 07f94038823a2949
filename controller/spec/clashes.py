"""One rollout, one document: the same name in two places is refused in both."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from controller.domain.names import RolloutKey
from controller.domain.problem import SpecProblem
from controller.domain.rollout import Provenance
from controller.spec.templates import Template, TemplateKey


def clashes(places: Iterable[tuple[RolloutKey, Provenance]]) -> Mapping[RolloutKey, tuple[SpecProblem, ...]]:
    """Keys that are given more than once, with one problem per place; each names the other places."""
    by_key: defaultdict[RolloutKey, list[Provenance]] = defaultdict(list)
    for key, place in places:
        by_key[key].append(place)
    return {key: _problems(key, found) for key, found in by_key.items() if len(found) > 1}


def template_clashes(templates: Iterable[Template]) -> tuple[SpecProblem, ...]:
    """One problem for each template whose name is taken: of those with one name the first is used."""
    first: dict[TemplateKey, Template] = {}
    problems = []
    for one in templates:
        taken, place = first.setdefault(one.key, one), one.provenance
        if taken is not one:
            message = f"{one} is also given in {taken.provenance.file}:{taken.provenance.line}, which is used"
            problems.append(SpecProblem(place.file, place.line, "metadata.name", message, "keep it in one place"))
    return tuple(problems)


def _problems(key: RolloutKey, places: list[Provenance]) -> tuple[SpecProblem, ...]:
    spots = [f"{place.file}:{place.line}" if place.line else place.file for place in places]
    problems = []
    for at, place in enumerate(places):
        others = ", ".join(spots[:at] + spots[at + 1 :])
        message = f"the rollout {key} is also given in {others}"
        problems.append(SpecProblem(place.file, place.line, "metadata.name", message, "keep it in one place"))
    return tuple(problems)
