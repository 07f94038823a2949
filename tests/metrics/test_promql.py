"""PromQL as text: what is written is what was meant, however strange the values."""

import promql_parser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.measure import FamilyAsk
from controller.domain.slo import Matcher
from controller.metrics.promql import chunks, selector, validate_template

values = st.lists(
    st.text(st.characters(blacklist_categories=["Cs"]), max_size=12), min_size=1, max_size=40, unique=True
)


@pytest.mark.parametrize(
    ("ask", "text"),
    [
        (FamilyAsk("a_total"), "a_total{}"),
        (FamilyAsk("vllm:e2e_seconds_bucket", (Matcher("v", ("1",)),)), 'vllm:e2e_seconds_bucket{v="1"}'),
        (FamilyAsk("a", (Matcher("v", ("x", "y.z")), Matcher("w", ("",)))), 'a{v=~"x|y\\\\.z",w=""}'),
        (FamilyAsk("a", (Matcher("v", ('"\\\n',)),)), 'a{v="\\"\\\\\\n"}'),
        (FamilyAsk("dots.in.names", (Matcher("k.8s", ("x",)),)), '{__name__="dots.in.names","k.8s"="x"}'),
    ],
)
def test_a_selector(ask: FamilyAsk, text: str) -> None:
    assert selector(ask) == text


@given(st.text(st.characters(blacklist_categories=["Cs"]), max_size=20))
def test_a_label_value_is_nothing_but_a_value(value: str) -> None:
    tree = promql_parser.parse(selector(FamilyAsk("a", (Matcher("v", (value,)),))))
    assert isinstance(tree, promql_parser.VectorSelector)
    assert [(one.name, one.value) for one in tree.matchers.matchers] == [("v", value)]


@given(values, st.integers(4, 80))
def test_chunks_are_the_whole_and_disjoint(values: list[str], longest: int) -> None:
    ask = FamilyAsk("a", (Matcher("v", tuple(values)), Matcher("w", ("x",))))
    parts = list(chunks(ask, longest))
    assert [value for part in parts for value in part.match[0].values] == values
    assert all(part.match[1] == ask.match[1] for part in parts)


def test_chunks_are_small_and_few() -> None:
    ask = FamilyAsk("a", (Matcher("v", tuple(f"version-{n}" for n in range(5000))),))
    sizes = [len(selector(part)) for part in chunks(ask)]
    assert max(sizes) <= 8300
    assert len(sizes) == 8


def test_no_matchers_are_one_chunk() -> None:
    assert list(chunks(FamilyAsk("a"))) == [FamilyAsk("a")]


@pytest.mark.parametrize("query", ['usd{version="{{version}}"}', 'sum(rate(a{p=~"{{version}}-.+"}[5m])) / 3'])
def test_a_safe_template(query: str) -> None:
    assert validate_template(query) is None


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ('usd{version="v12"}', "does not mention"),
        ("usd_{{version}}", "outside of a label's quoted value"),
        ('label_replace(a, "x", "{{version}}", "", "")', "outside of a label's quoted value"),
        ('usd{version="{{version}}"', "not valid PromQL"),
        ('usd{version="{{versoin}}"}', "`{{versoin}}` is not known"),
    ],
)
def test_an_unsafe_template(query: str, problem: str) -> None:
    assert problem in (validate_template(query) or "")
