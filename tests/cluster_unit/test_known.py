"""What a view knows: any order of lists, events and own writes, and an older database."""

from hypothesis import given
from hypothesis import strategies as st

from controller.cluster.known import Known
from controller.domain.cluster import LEASE, Document, ObjectRef

A, B = ObjectRef(LEASE, "ns", "a"), ObjectRef(LEASE, "ns", "b")


def lease(name: str, at: int, value: str = "") -> Document:
    metadata = {"name": name, "namespace": "ns", "resourceVersion": str(at)}
    return {"metadata": metadata, "spec": {"holderIdentity": value}}


def test_a_list_tells_what_is_new_and_what_is_gone() -> None:
    known = Known(LEASE)
    assert list(known.listed([lease("a", 1), lease("b", 2)], "3")) == [A, B]
    assert list(known.listed([lease("a", 1), lease("b", 2)], "4")) == []
    assert list(known.listed([lease("a", 5)], "6")) == [B, A]
    assert known.get(B) is None


def test_what_was_written_after_a_list_survives_it() -> None:
    known = Known(LEASE)
    known.listed([], "3")
    known.learn(A, lease("a", 9))
    known.listed([], "5")
    assert known.get(A)
    known.listed([], "10")
    assert known.get(A) is None


def test_an_own_write_is_told_when_the_watch_tells_it() -> None:
    known = Known(LEASE)
    known.listed([lease("a", 1)], "1")
    known.learn(A, lease("a", 3))
    assert list(known.happened("MODIFIED", lease("a", 2))) == []
    assert list(known.happened("MODIFIED", lease("a", 3))) == [A]
    assert list(known.happened("MODIFIED", lease("a", 3))) == []


def test_a_restored_database_is_believed() -> None:
    known = Known(LEASE)
    known.listed([lease("a", 100), lease("b", 101)], "200")
    known.happened("MODIFIED", lease("a", 300, "new"))
    assert list(known.listed([lease("a", 100, "old")], "150")) == [B, A]
    document = known.get(A)
    assert document is not None
    assert document["spec"] == {"holderIdentity": "old"}
    assert list(known.happened("MODIFIED", lease("a", 151, "next"))) == [A]


def test_a_restored_database_that_counts_on_is_believed_too() -> None:
    """Its revisions were moved ahead, as one should: its list is newer than all, and its objects are older."""
    known = Known(LEASE)
    known.listed([lease("a", 100, "old")], "200")
    known.learn(A, lease("a", 300, "new"))
    known.happened("MODIFIED", lease("a", 300, "new"))
    assert list(known.listed([lease("a", 100, "old")], "1000200")) == [A]
    document = known.get(A)
    assert document is not None
    assert document["spec"] == {"holderIdentity": "old"}


def test_versions_that_are_no_numbers_have_no_order() -> None:
    known = Known(LEASE)
    odd = {"metadata": {"name": "a", "namespace": "ns", "resourceVersion": "x"}, "spec": {}}
    known.listed([lease("a", 100)], "200")
    known.learn(A, odd)
    assert known.get(A) is odd


WRITES = st.lists(st.sampled_from(["write", "delete", "hear", "learn", "list"]), max_size=40)


@given(WRITES)
def test_it_never_goes_back_and_ends_with_the_truth(acts: list[str]) -> None:
    """One writer; events arrive in order but late, answers to writes at any time."""
    known, truth, at = Known(LEASE), dict[ObjectRef, Document](), 1
    late: list[tuple[str, Document]] = []
    answers: list[Document] = []
    newest = 0
    known.listed([], "1")
    for act in [*acts, *(["hear"] * 60)]:
        if act == "write":
            at += 1
            late.append(("MODIFIED" if A in truth else "ADDED", lease("a", at)))
            truth[A] = lease("a", at)
            answers.append(truth[A])
        elif act == "delete" and A in truth:
            at += 1
            del truth[A]
            late.append(("DELETED", lease("a", at)))
        elif act == "hear" and late:
            known.happened(*late.pop(0))
        elif act == "learn" and answers:
            known.learn(A, answers.pop())
        elif act == "list":
            late.clear()
            known.listed(truth.values(), str(at))
        seen = known.get(A)
        if seen is not None:
            metadata = seen["metadata"]
            assert isinstance(metadata, dict)
            assert int(metadata["resourceVersion"]) >= newest
            newest = int(metadata["resourceVersion"])
    assert known.get(A) == truth.get(A)
