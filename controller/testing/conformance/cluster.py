"""What the doors of a cluster promise, whoever stands behind them: an API server in memory or a real one.

A rig gives a fresh namespace, both doors, and a hand to delete. `PLAIN` and `LEASE` are served, `UNKNOWN` is not.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from controller.domain.cluster import (
    LEASE,
    ClusterError,
    ConflictError,
    Document,
    InvalidObjectError,
    Kind,
    NotServedError,
    ObjectRef,
    Operation,
)
from controller.ports import ObjectApi, ObjectRemover, ObjectView

PLAIN = Kind("conformance.tidegate.dev", "v1", "things", "Thing")
UNKNOWN = Kind("conformance.tidegate.dev", "v1", "nothings", "Nothing")
_PATIENCE = 20.0


class Doors(ObjectApi, ObjectRemover, Protocol):
    """All that asks."""


class ClusterRig(Protocol):
    """A namespace of one's own."""

    namespace: str

    @property
    def api(self) -> Doors:
        """The doors that ask."""
        ...

    @property
    def view(self) -> ObjectView:
        """The door that looks."""
        ...

    def delete(self, ref: ObjectRef) -> None:
        """Somebody deletes an object."""
        ...


def what_is_created_is_there(rig: ClusterRig) -> None:
    """With its kind, a resource version, and generation 1; and without the status that was sent along."""
    ref = _ref(rig, "one")
    assert rig.api.get(ref) is None
    made = rig.api.create(ref, {**_thing("one", 1), "status": {"phase": "mine"}})
    for seen in (made, rig.api.get(ref), *rig.api.list(PLAIN, rig.namespace)):
        assert seen is not None
        assert (seen["apiVersion"], seen["kind"], seen["spec"]) == (PLAIN.api_version, PLAIN.name, {"size": 1})
        assert _about(seen)["generation"] == 1
        assert _about(seen)["namespace"] == rig.namespace
        assert "status" not in seen


def what_exists_is_not_created_again(rig: ClusterRig) -> None:
    """ConflictError, and nothing changes."""
    ref = _made(rig, "one")
    _fails(ConflictError, lambda: rig.api.create(ref, _thing("one", 2)))
    assert _size(rig.api.get(ref)) == 1


def a_patch_changes_what_it_names(rig: ClusterRig) -> None:
    """A new resource version; a new generation where the spec changed."""
    ref = _made(rig, "one")
    before = _there(rig, ref)
    steps = [Operation("replace", "/spec/size", 2), Operation("add", "/metadata/labels", {"a/c": "d"})]
    after = rig.api.patch(ref, [_unchanged(before), *steps])
    assert _size(after) == 2
    assert _about(after)["labels"] == {"a/c": "d"}
    assert _about(after)["generation"] == 2
    assert _about(after)["resourceVersion"] != _about(before)["resourceVersion"]
    assert _about(_there(rig, ref)) == _about(after)


def lists_in_objects_are_patched_by_place(rig: ClusterRig) -> None:
    """Add before, at the end, replace, remove; a pointer's ~1 and ~0 are / and ~."""
    ref = _made(rig, "one")
    rig.api.patch(ref, [Operation("add", "/spec/list", [{"n": 1}, {"n": 2}]), Operation("add", "/spec/a~1b~0c", 1)])
    steps = [
        Operation("test", "/spec/list/1/n", 2),
        Operation("test", "/spec/a~1b~0c", 1),
        Operation("add", "/spec/list/0", {"n": 0}),
        Operation("add", "/spec/list/-", {"n": 9}),
        Operation("remove", "/spec/list/1"),
        Operation("replace", "/spec/list/1/n", 5),
    ]
    spec = rig.api.patch(ref, steps)["spec"]
    assert isinstance(spec, dict)
    assert spec["list"] == [{"n": 0}, {"n": 5}, {"n": 9}]


def a_patch_that_changes_nothing_is_no_change(rig: ClusterRig) -> None:
    """The resource version stays."""
    ref = _made(rig, "one")
    before = _there(rig, ref)
    same = rig.api.patch(ref, [Operation("replace", "/spec/size", 1)])
    assert _about(same)["resourceVersion"] == _about(before)["resourceVersion"]


def a_failed_test_is_a_conflict_and_changes_nothing(rig: ClusterRig) -> None:
    """On the resource version, on a value, on something that is gone: all or nothing."""
    ref = _made(rig, "one")
    stale = _unchanged(_there(rig, ref))
    rig.api.patch(ref, [Operation("replace", "/spec/size", 2)])
    for test in (stale, Operation("test", "/spec/size", 1), Operation("test", "/spec/list/3/name", "x")):
        for steps in ([test, Operation("replace", "/spec/size", 7)], [Operation("replace", "/spec/size", 7), test]):
            _fails(ConflictError, partial(rig.api.patch, ref, steps))
    assert _size(rig.api.get(ref)) == 2


def a_patch_that_does_not_fit_is_refused(rig: ClusterRig) -> None:
    """InvalidObjectError: our own mistake, not somebody's change."""
    ref = _made(rig, "one")
    _fails(InvalidObjectError, lambda: rig.api.patch(ref, [Operation("remove", "/spec/nothing/here")]))
    _fails(InvalidObjectError, lambda: rig.api.patch(ref, [Operation("replace", "/metadata/name", "two")]))
    assert _size(rig.api.get(ref)) == 1


def the_status_is_written_apart(rig: ClusterRig) -> None:
    """A write to the status changes nothing else, and the other way round; the generation stays."""
    ref = _made(rig, "one")
    both = [Operation("add", "/status", {"phase": "new"}), Operation("replace", "/spec/size", 5)]
    after = rig.api.patch(ref, both, "status")
    assert (after["status"], _size(after), _about(after)["generation"]) == ({"phase": "new"}, 1, 1)
    steps = [_unchanged(after), Operation("replace", "/status/phase", "no"), Operation("replace", "/spec/size", 6)]
    after = rig.api.patch(ref, steps)
    assert (after["status"], _size(after), _about(after)["generation"]) == ({"phase": "new"}, 6, 2)


def what_is_not_there_cannot_be_changed(rig: ClusterRig) -> None:
    """NotServedError for an object, for its status, for a kind; a kind that is not served is no empty list."""
    ref = _ref(rig, "nobody")
    for part in ("", "status"):
        _fails(NotServedError, partial(rig.api.patch, ref, [Operation("add", "/spec/size", 1)], part))
    nothing = ObjectRef(UNKNOWN, rig.namespace, "one")
    _fails(NotServedError, lambda: rig.api.get(nothing))
    _fails(NotServedError, lambda: rig.api.list(UNKNOWN))
    _fails(NotServedError, lambda: rig.api.create(nothing, {"metadata": {"name": "one"}}))


def lists_are_by_namespace_and_label(rig: ClusterRig) -> None:
    """In order of their names."""
    for name, tier in (("b", "gold"), ("a", "tin"), ("c", "gold")):
        document = _thing(name, 1)
        rig.api.create(_ref(rig, name), {**document, "metadata": {"name": name, "labels": {"tier": tier}}})
    assert _names(rig.api.list(PLAIN, rig.namespace)) == ["a", "b", "c"]
    assert _names(rig.api.list(PLAIN, rig.namespace, "tier=gold")) == ["b", "c"]
    assert _names(rig.api.list(PLAIN, rig.namespace, "tier!=gold,tier")) == ["a"]
    assert {"a", "b", "c"} <= set(_names(rig.api.list(PLAIN)))
    assert not rig.api.list(PLAIN, f"{rig.namespace}-other")


def kinds_of_kubernetes_itself_have_their_names(rig: ClusterRig) -> None:
    """`apiVersion` and `kind` are there, also in lists and views, where the API server leaves them out."""
    ref = ObjectRef(LEASE, rig.namespace, "one")
    rig.api.create(ref, {"metadata": {"name": "one"}, "spec": {"holderIdentity": "me"}})
    rig.view.follow(LEASE, rig.namespace, lambda _: None)
    _until(lambda: _viewed(rig, ref))
    for seen in (rig.api.get(ref), *rig.api.list(LEASE, rig.namespace), rig.view.get(ref), *rig.view.all(LEASE)):
        assert seen is not None
        assert (seen["apiVersion"], seen["kind"]) == ("coordination.k8s.io/v1", "Lease")


def only_the_object_of_that_uid_is_removed(rig: ClusterRig) -> None:
    """Another one of its name is a conflict and stays; what is gone already is gone."""
    ref = _made(rig, "one")
    first = str(_about(_there(rig, ref))["uid"])
    _fails(ConflictError, lambda: rig.api.remove(ref, "00000000-0000-0000-0000-000000000000"))
    assert rig.api.get(ref) is not None
    rig.api.remove(ref, first)
    assert rig.api.get(ref) is None
    rig.api.remove(ref, first)
    _made(rig, "one")
    _fails(ConflictError, lambda: rig.api.remove(ref, first))
    assert rig.api.get(ref) is not None
    _fails(NotServedError, lambda: rig.api.remove(ObjectRef(UNKNOWN, rig.namespace, "one"), first))


def a_view_follows_what_happens(rig: ClusterRig) -> None:
    """What is there before, what comes, changes and goes; each time `changed` hears of it."""
    heard: list[ObjectRef] = []
    old, new = _made(rig, "old"), _ref(rig, "new")
    rig.view.follow(PLAIN, rig.namespace, heard.append)
    _until(lambda: _viewed(rig, old))
    _until(lambda: old in heard)
    rig.api.create(new, _thing("new", 1))
    _until(lambda: _viewed(rig, new) and new in heard)
    heard.clear()
    rig.api.patch(new, [Operation("replace", "/spec/size", 3)])
    _until(lambda: _size(rig.view.get(new)) == 3 and new in heard)
    rig.delete(old)
    _until(lambda: rig.view.get(old) is None and old in heard)
    assert _names(rig.view.all(PLAIN)) == ["new"]


def what_was_learned_is_not_unlearned(rig: ClusterRig) -> None:
    """A view never shows less than what a write returned, and an old answer changes nothing."""
    ref = _made(rig, "one")
    rig.view.follow(PLAIN, rig.namespace, lambda _: None)
    _until(lambda: _viewed(rig, ref))
    first = rig.api.patch(ref, [Operation("replace", "/spec/size", 2)])
    for size in range(3, 30):
        rig.view.learn(ref, rig.api.patch(ref, [Operation("replace", "/spec/size", size)]))
        rig.view.learn(ref, first)
        assert _size(rig.view.get(ref)) == size


def what_was_deleted_is_not_learned_again(rig: ClusterRig) -> None:
    """The answer to a write that came before the deletion; but a new object of that name is."""
    ref = _made(rig, "one")
    rig.view.follow(PLAIN, rig.namespace, lambda _: None)
    _until(lambda: _viewed(rig, ref))
    late = rig.api.patch(ref, [Operation("replace", "/spec/size", 2)])
    rig.delete(ref)
    _until(lambda: rig.view.get(ref) is None)
    rig.view.learn(ref, late)
    assert rig.view.get(ref) is None
    rig.view.learn(ref, rig.api.create(ref, _thing("one", 9)))
    assert _size(rig.view.get(ref)) == 9


def a_view_tells_what_it_does_not_follow(rig: ClusterRig) -> None:
    """An error, and not `there is none`: for a kind, for a namespace, for what is not served."""
    rig.view.follow(PLAIN, rig.namespace, lambda _: None)
    _until(lambda: _current(rig, _ref(rig, "one")))
    _fails(ClusterError, lambda: rig.view.get(ObjectRef(PLAIN, f"{rig.namespace}-other", "one")))
    _fails(ClusterError, lambda: rig.view.get(ObjectRef(LEASE, rig.namespace, "one")))
    _fails(ClusterError, lambda: rig.view.all(LEASE))
    rig.view.follow(UNKNOWN, rig.namespace, lambda _: None)
    _until(lambda: isinstance(_error(lambda: rig.view.all(UNKNOWN)), NotServedError))


_ALL: tuple[Callable[[ClusterRig], None], ...] = (
    what_is_created_is_there, what_exists_is_not_created_again, a_patch_changes_what_it_names,
    lists_in_objects_are_patched_by_place, a_patch_that_changes_nothing_is_no_change,
    a_failed_test_is_a_conflict_and_changes_nothing, a_patch_that_does_not_fit_is_refused,
    the_status_is_written_apart, what_is_not_there_cannot_be_changed, lists_are_by_namespace_and_label,
    kinds_of_kubernetes_itself_have_their_names, only_the_object_of_that_uid_is_removed,
    a_view_follows_what_happens, what_was_learned_is_not_unlearned,
    what_was_deleted_is_not_learned_again, a_view_tells_what_it_does_not_follow,
)  # fmt: skip
CLUSTER_PROMISES: dict[str, Callable[[ClusterRig], None]] = {promise.__name__: promise for promise in _ALL}


def _thing(name: str, size: int) -> Document:
    return {"apiVersion": PLAIN.api_version, "kind": PLAIN.name, "metadata": {"name": name}, "spec": {"size": size}}


def _ref(rig: ClusterRig, name: str) -> ObjectRef:
    return ObjectRef(PLAIN, rig.namespace, name)


def _made(rig: ClusterRig, name: str) -> ObjectRef:
    rig.api.create(_ref(rig, name), _thing(name, 1))
    return _ref(rig, name)


def _there(rig: ClusterRig, ref: ObjectRef) -> Document:
    document = rig.api.get(ref)
    assert document is not None
    return document


def _about(document: Document) -> dict[str, object]:
    metadata = document["metadata"]
    assert isinstance(metadata, dict)
    return metadata


def _size(document: Document | None) -> object:
    spec = document["spec"] if document else {}
    return spec.get("size") if isinstance(spec, dict) else None


def _names(documents: Sequence[Document]) -> list[object]:
    return [_about(one)["name"] for one in documents]


def _unchanged(document: Document) -> Operation:
    return Operation("test", "/metadata/resourceVersion", _about(document)["resourceVersion"])


def _error(act: Callable[[], object]) -> Exception | None:
    try:
        act()
    except ClusterError as error:
        return error
    return None


def _fails(kind: type[ClusterError], act: Callable[[], object]) -> None:
    error = _error(act)
    assert isinstance(error, kind), f"{kind.__name__} was promised, and came {error!r}"
    assert str(error)


def _current(rig: ClusterRig, ref: ObjectRef) -> bool:
    return _error(lambda: rig.view.get(ref)) is None


def _viewed(rig: ClusterRig, ref: ObjectRef) -> bool:
    return _current(rig, ref) and rig.view.get(ref) is not None


def _until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not holds():
        assert time.monotonic() < deadline, f"not within {_PATIENCE:g} s"
        time.sleep(0.02)
