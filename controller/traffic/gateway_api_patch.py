"""The steps from what the HTTPRoute is to what it should be: a JSON Patch that touches nothing else. Pure.

Rules, filters and backends are atomic lists to the API server: whoever applies one owns all of it. So we patch single
entries, and each patch tests that the object is the one that was read and that our entries are where we saw them.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from controller.domain.cluster import Operation
from controller.traffic.gateway_api_memory import annotations_of
from controller.traffic.gateway_api_names import Json, refs_of
from controller.traffic.gateway_api_plan import Wanted
from controller.traffic.gateway_api_rules import Found


def steps(document: Mapping[str, Any], found: Found, goal: Wanted, annotation: str) -> tuple[Operation, ...]:
    """The patch; empty when there is nothing to change."""
    changes = (
        *_changed(f"/spec/rules/{found.at}", found.rule, goal.rule),
        *_cohort(found, goal.cohort),
        *_annotation(document, annotation, goal),
    )
    return (*_tests(document, found), *changes) if changes else ()


def _tests(document: Mapping[str, Any], found: Found) -> Iterator[Operation]:
    yield Operation("test", "/metadata/resourceVersion", document["metadata"]["resourceVersion"])
    for at in (found.at, found.cohort_at):
        if at is None:
            continue
        rule = found.rules[at]
        if rule.get("name"):
            yield Operation("test", f"/spec/rules/{at}/name", rule["name"])
        for place, ref in enumerate(refs_of(rule)):
            yield Operation("test", f"/spec/rules/{at}/backendRefs/{place}/name", ref["name"])


def _cohort(found: Found, goal: Json | None) -> Iterator[Operation]:
    """After the steps of our rule: those know it by the index it had."""
    if found.cohort_at is None:
        if goal is not None:
            yield Operation("add", f"/spec/rules/{found.at}", goal)
    elif goal is None:
        yield Operation("remove", f"/spec/rules/{found.cohort_at}")
    else:
        yield from _changed(f"/spec/rules/{found.cohort_at}", found.rules[found.cohort_at], goal)


def _annotation(document: Mapping[str, Any], name: str, goal: Wanted) -> Iterator[Operation]:
    there = annotations_of(document)
    text = goal.memory.text() if goal.memory else None
    path = f"/metadata/annotations/{_escaped(name)}"
    if text is None and name in there:
        yield Operation("remove", path if len(there) > 1 else "/metadata/annotations")
    elif text is not None and not there:
        yield Operation("add", "/metadata/annotations", {name: text})
    elif text is not None and there.get(name) != text:
        yield Operation("add", path, text)


def _changed(path: str, old: object, new: object) -> Iterator[Operation]:
    if old == new:
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        yield from _members(path, old, new)
    elif isinstance(old, list) and isinstance(new, list):
        yield from _items(path, old, new)
    else:
        yield Operation("replace", path, new)


def _members(path: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Operation]:
    for name, value in new.items():
        if name not in old:
            yield Operation("add", f"{path}/{_escaped(name)}", value)
        else:
            yield from _changed(f"{path}/{_escaped(name)}", old[name], value)
    for name in old:
        if name not in new:
            yield Operation("remove", f"{path}/{_escaped(name)}")


def _items(path: str, old: Sequence[Any], new: Sequence[Any]) -> Iterator[Operation]:
    """What is the same at the beginning and at the end stays; between them one by one."""
    shorter = min(len(old), len(new))
    head = next((at for at in range(shorter) if old[at] != new[at]), shorter)
    tail = next((at for at in range(shorter - head) if old[-1 - at] != new[-1 - at]), shorter - head)
    end_old, end_new = len(old) - tail, len(new) - tail
    both = min(end_old, end_new)
    for at in range(head, both):
        yield from _changed(f"{path}/{at}", old[at], new[at])
    for at in range(end_old - 1, both - 1, -1):
        yield Operation("remove", f"{path}/{at}")
    for at in range(both, end_new):
        yield Operation("add", f"{path}/{at}", new[at])


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
