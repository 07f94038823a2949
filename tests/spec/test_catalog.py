"""Every template of the catalog works: it can be used as it is, and it means what its file says."""

import pytest

from controller.analysis.index import Row
from controller.analysis.looking import below
from controller.domain.slo import LatencyIndicator, PromqlIndicator, RatioIndicator, Slo
from controller.spec.catalog import catalog, files
from controller.spec.templates import Template
from tests.spec.test_templates import SLO_LINES
from tests.spec.texts import MINIMAL, edited, good

SCRAPE = 'scrape: {urls: ["http://127.0.0.1:9100/metrics"]}'
VALUES = {"max": "1%", "evaluation": "tone"}
TGI = [0.0001 * 1.5**power for power in range(1, 36)]
SGLANG = [0.1, 0.2, 0.4, 0.6, 0.8, 1, 2, 4, 6, 8, 10, 20, 40, 60, 80, 100, 200, 400]
LITELLM = [
    0.005,
    0.00625,
    0.0125,
    0.025,
    0.05,
    0.1,
    *(half / 2 for half in range(1, 21)),
    15,
    20,
    25,
    30,
    60,
    120,
    180,
    240,
]
LLM_D = [0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60, 120]
FIRST = [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]
BOUNDS = {
    "gen_ai_server_request_duration_seconds": [0.01 * 2**power for power in range(14)],
    "gen_ai_server_time_to_first_token_seconds": FIRST,
    "litellm_request_total_latency_metric": LITELLM,
    "litellm_llm_api_time_to_first_token_metric": LITELLM,
    "llm_d_epp_request_duration_seconds": LLM_D,
    "llm_d_epp_request_ttft_seconds": LLM_D,
    "sglang:e2e_request_latency_seconds": SGLANG,
    "sglang:time_to_first_token_seconds": SGLANG,
    "tgi_request_duration": TGI,
    "tgi_request_mean_time_per_token_duration": TGI,
    "vllm:e2e_request_latency_seconds": [0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60],
    "vllm:time_to_first_token_seconds": FIRST,
}
"""Bounds of each histogram, in seconds, as the server's own source has them."""


def used(template: Template) -> Slo:
    """The SLO of a rollout that uses it with no more arguments than it needs."""
    needed = {
        one.name: "0.01" if one.type == "number" else VALUES[one.name]
        for one in template.parameters
        if one.default is None
    }
    given = ", ".join(f'{name}: "{value}"' for name, value in needed.items())
    use = f"    fromTemplate: {{name: {template.key.name}, arguments: {{{given}}}}}\n"
    guard = "  - name: other\n" + SLO_LINES
    text = edited(MINIMAL, (SLO_LINES, use + guard), (SCRAPE, "prometheus: {url: http://127.0.0.1:9090}"))
    return good(text).slos[0]


@pytest.mark.parametrize("template", catalog(), ids=lambda one: one.key.name)
def test_it_can_be_used_as_it_is(template: Template) -> None:
    slo = used(template)
    assert (slo.max_bad is None) == isinstance(slo.indicator, PromqlIndicator)


@pytest.mark.parametrize("template", catalog(), ids=lambda one: one.key.name)
def test_it_says_what_it_is(template: Template) -> None:
    assert template.description.endswith(".")
    assert all(one.description.endswith(".") for one in template.parameters)
    assert template.key.namespace == "catalog"


@pytest.mark.parametrize("template", catalog(), ids=lambda one: one.key.name)
def test_a_latency_is_judged_at_a_bound_that_the_server_has(template: Template) -> None:
    indicator = used(template).indicator
    if not isinstance(indicator, LatencyIndicator):
        return
    name = f"{indicator.histogram}_bucket"
    rows = [Row(name, {"le": repr(bound)}, ((0.0, 0.0),)) for bound in BOUNDS[indicator.histogram]]
    (found,) = below(rows, indicator.under).values()
    assert len(found) == 1, f"{indicator.under} is {len(found)} bounds of {indicator.histogram}"


def test_names_differ_and_every_file_has_some() -> None:
    names = [one.key.name for one in catalog()]
    assert len(set(names)) == len(names)
    assert {one.provenance.file for one in catalog()} == {f"catalog/{file.name}" for file in files()}


def test_harm_is_judged_hazard_by_hazard() -> None:
    harm = used(next(one for one in catalog() if one.key.name == "harm"))
    assert isinstance(harm.indicator, RatioIndicator)
    assert harm.scenarios is not None
    assert (harm.max_bad, harm.scenarios.label, harm.scenarios.baseline) == (0.001, "hazard", "none")
