"""Every template of the catalog works: it can be used as it is, and it means what its file says."""

import pytest

from controller.domain.slo import PromqlIndicator, RatioIndicator, Slo
from controller.spec.catalog import catalog, files
from controller.spec.templates import Template
from tests.spec.test_templates import SLO_LINES
from tests.spec.texts import MINIMAL, edited, good

SCRAPE = 'scrape: {urls: ["http://127.0.0.1:9100/metrics"]}'
VALUES = {"max": "1%", "evaluation": "tone"}


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


def test_names_differ_and_every_file_has_some() -> None:
    names = [one.key.name for one in catalog()]
    assert len(set(names)) == len(names)
    assert {one.provenance.file for one in catalog()} == {f"catalog/{file.name}" for file in files()}


def test_harm_is_judged_hazard_by_hazard() -> None:
    harm = used(next(one for one in catalog() if one.key.name == "harm"))
    assert isinstance(harm.indicator, RatioIndicator)
    assert harm.scenarios is not None
    assert (harm.max_bad, harm.scenarios.label, harm.scenarios.baseline) == (0.001, "hazard", "none")
