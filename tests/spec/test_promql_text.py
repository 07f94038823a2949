"""A template is filled in only where a name cannot change the query."""

import pytest

from controller.spec.promql_text import template_problem


@pytest.mark.parametrize(
    "query",
    [
        'cost{version="{{version}}"}',
        "cost{version='{{version}}'}",
        'sum(rate(cost{version=~"{{version}}"}[5m])) / sum(rate(n{version="{{version}}"}[5m]))',
        'max_over_time(rate(cost{version="{{version}}"}[5m])[5m:1m])',
        'histogram_quantile(0.95, sum by (le) (rate(x_bucket{pod=~"model-{{version}}-.*"}[5m])))',
        'cost{version="{{version}}"} or vector(0)',
    ],
)
def test_safe_templates(query: str) -> None:
    assert template_problem(query) is None


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("cost", "does not mention"),
        ("", "does not mention"),
        ("cost_{{version}}", "not valid PromQL|outside of a label"),
        ('{{version}}{a="{{version}}"}', "not valid PromQL|outside of a label"),
        ('cost{{{version}}="x"}', "not valid PromQL|outside|not known"),
        ('label_replace(cost, "a", "{{version}}", "b", "c")', "outside of a label"),
        ('cost{version="{{version}}"}[5m]', "range"),
        ('cost{version="{{version}}"', "not valid PromQL"),
        ('cost{version="{{ version }}"}', "is not known in a query"),
        ('cost{version="{{candidate}}"}', "`{{candidate}}` is not known in a query"),
        ("(" * 4000 + "{{version}}", "not valid PromQL"),
    ],
)
def test_unsafe_templates(query: str, words: str) -> None:
    problem = template_problem(query)
    assert problem is not None
    assert any(word in problem[0] for word in words.split("|")), problem
