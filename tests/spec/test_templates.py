"""SLOTemplates: written once, used by many, and never a way to smuggle something into a query."""

import pytest

from controller.domain.rollout import ModelRollout
from controller.domain.slo import PromqlIndicator, RatioIndicator, Slo
from controller.spec.parse import Parsed, parse_document, parse_documents, resolve
from controller.spec.templates import Templates, together
from tests.spec.texts import MINIMAL, edited, good, told

SLO_LINES = """\
    indicator:
      ratio:
        bad:   {metric: llm_eval_results_total, match: {evaluation: [hallucination], verdict: [bad]}}
        total: {metric: llm_eval_results_total, match: {evaluation: [hallucination], verdict: [ok, bad]}}
    objective: {max: 5%}
"""
TEMPLATE = """\
apiVersion: tidegate.dev/v1alpha1
kind: SLOTemplate
metadata: {name: checked}
spec:
  description: Share of bad answers.
  parameters:
  - {name: evaluation, description: What is judged.}
  - {name: max, description: Greatest share., default: 5%}
  slo:
    indicator:
      ratio:
        bad:   {metric: llm_eval_results_total, match: {evaluation: ["{{args.evaluation}}"], verdict: [bad]}}
        total: {metric: llm_eval_results_total, match: {evaluation: ["{{args.evaluation}}"], verdict: [ok, bad]}}
    objective: {max: "{{args.max}}"}
"""
QUERY = """\
apiVersion: tidegate.dev/v1alpha1
kind: SLOTemplate
metadata: {name: cost}
spec:
  parameters:
  - {name: pool, description: Which pool.}
  - {name: limit, type: number, description: US dollars for one request.}
  - {name: factor, type: number, default: "1", description: Price of one token.}
  slo:
    indicator: {promql: 'tokens{pool=~"{{args.pool}}",version="{{version}}"} * {{args.factor}}'}
    threshold: {max: "{{args.limit}}"}
"""
USE = "    fromTemplate: {name: checked, arguments: {evaluation: hallucination}}\n"


def using(use: str = USE) -> str:
    return edited(MINIMAL, (SLO_LINES, use))


def both(use: str = USE, template: str = TEMPLATE) -> str:
    return f"{using(use)}---\n{template}"


def slo_of(rollout: ModelRollout) -> Slo:
    return rollout.slos[0]


def test_a_template_means_what_it_stands_for() -> None:
    assert good(both()) == good(MINIMAL)


def test_it_stands_before_or_after_its_use() -> None:
    assert good(f"{TEMPLATE}---\n{using()}") == good(both())


def test_an_argument_of_ones_own() -> None:
    rollout = good(both(USE.replace("hallucination}", "hallucination, max: 2%}")))
    assert slo_of(rollout).max_bad == 0.02


def test_what_the_rollout_says_wins() -> None:
    rollout = good(both(USE + "    objective: {max: 1%}\n    onBreach: hold\n    scenarios: {label: hazard}\n"))
    slo = slo_of(rollout)
    assert (slo.max_bad, slo.on_breach, slo.scenarios is not None) == (0.01, "hold", True)
    assert isinstance(slo.indicator, RatioIndicator)


def test_a_changed_template_is_an_edited_slo() -> None:
    before, after = good(both()), good(both(template=TEMPLATE.replace("default: 5%", "default: 4%")))
    assert before.content_hash != after.content_hash
    assert slo_of(before).definition != slo_of(after).definition
    assert before.run_hash == after.run_hash


def query_of(pool: str, limit: str = "0.02") -> str:
    use = f"    fromTemplate: {{name: cost, arguments: {{pool: {pool}, limit: {limit}}}}}\n    onBreach: hold\n"
    return both(use, QUERY).replace(
        'scrape: {urls: ["http://127.0.0.1:9100/metrics"]}', "prometheus: {url: http://127.0.0.1:9090}"
    )


def test_numbers_and_texts_in_a_query() -> None:
    slo = slo_of(good(query_of("a.b", '"0.02"')))
    assert slo.threshold is not None
    assert slo.threshold.max == 0.02
    assert slo.indicator == PromqlIndicator(r'tokens{pool=~"a\\.b",version="{{version}}"} * 1')


@pytest.mark.parametrize("evil", ["'\"} or up{a=\"'", "'\\'", '"x`y"', "'x\ty'", "'} or vector(1) #'"])
def test_an_argument_stays_in_its_quotes(evil: str) -> None:
    indicator = slo_of(good(query_of(evil, '"1"'))).indicator
    assert isinstance(indicator, PromqlIndicator)
    before, after = indicator.query.split('",version="')
    assert before.startswith('tokens{pool=~"')
    assert '"' not in before.removeprefix('tokens{pool=~"').replace('\\"', "").replace("\\\\", "")
    assert after == '{{version}}"} * 1'


@pytest.mark.parametrize(
    ("use", "words"),
    [
        (
            USE.replace("checked", "chekced"),
            "19: spec.slos[0].fromTemplate.name: there is no SLOTemplate `chekced` (did you mean `checked`? There are",
        ),
        (USE.replace("{evaluation: hallucination}", "{}"), "default/checked needs the argument `evaluation` (What is"),
        (USE.replace("{evaluation:", "{evalaution: x, evaluation:"), "`evalaution` is not a parameter of the SLOTempl"),
        (USE.replace("name: checked", "nam: judged"), "spec.slos[0].fromTemplate.nam: `nam` is not a field here (did"),
        (
            USE.replace("checked,", "checked, namespace: other,"),
            "there is no SLOTemplate `checked` in the namespace other",
        ),
        (USE.replace("hallucination}", "hallucination, max: 5}"), "arguments.max: must be text, not 5 (put quotes aro"),
        (USE.replace("hallucination}", 'hallucination, max: "{{args.x}}"}'), "an argument cannot hold a placeholder"),
        (USE + "    indicator: {promql: up}\n", "20: spec.slos[0].indicator: cannot stand beside fromTemplate"),
    ],
)
def test_a_wrong_use(use: str, words: str) -> None:
    problems = told(both(use))
    assert len(problems) == 1, problems
    assert words in problems[0]


def told_all(text: str) -> list[str]:
    return [str(problem) for one in parse_documents(text, "a.yaml") for problem in one.problems]


def test_a_wrong_argument_is_told_at_the_use_and_in_the_template() -> None:
    (problem,) = told_all(both(USE.replace("hallucination}", "hallucination, max: 0.5}").replace("0.5", '"0.5"')))
    assert problem.startswith('a.yaml:19: spec.slos[0].objective.max: "0.5" is not a percentage; it comes from the SLO')
    assert "the SLOTemplate default/checked, a.yaml:34 (write for example" in problem


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (("{{args.max}}", "{{args.mxa}}"), "spec.slo.objective.max: `{{args.mxa}}` is not one of the parameters (did"),
        (("name: max,", "name: evaluation,"), "spec.parameters[1].name: `evaluation` is given twice"),
        (("    objective:", "    name: x\n    objective:"), "spec.slo.name: has no place in a template"),
        (("metadata: {name: checked}", "metadata: {name: Judged}"), '"Judged" is not a name'),
        (("  description: Share", "  descripton: Share"), "`descripton` is not a field here (did you mean"),
        (('objective: {max: "{{args.max}}"}', "objective: {max: 5%}"), "`max` is used nowhere (write {{args.max}})"),
    ],
)
def test_a_wrong_template(edit: tuple[str, str], words: str) -> None:
    problems = told_all(edited(TEMPLATE, edit))
    assert any(words in one for one in problems), problems


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (('"{{args.pool}}"', "{{args.pool}}"), "`{{args.pool}}` stands outside of a quoted text (write it as in"),
        (("{{args.factor}}", "{{factor}}"), "`{{factor}}` is not known in a query"),
        (('version="{{version}}"', 'a="b"'), "the query does not mention `{{version}}`"),
        (('default: "1"', 'default: "one"'), '"one" is not a number, and `factor` must be one'),
    ],
)
def test_a_wrong_query_in_a_template(edit: tuple[str, str], words: str) -> None:
    problems = told_all(edited(QUERY, edit))
    assert any(words in one for one in problems), problems


def test_a_number_must_be_one() -> None:
    problems = told(query_of("a", "'0.02} or up'"))
    assert len(problems) == 1, problems
    assert '"0.02} or up" is not a number, and `limit` must be one' in problems[0]


def parsed_template(text: str, file: str = "t.yaml") -> Parsed:
    (one,) = parse_documents(text, file)
    assert one.template is not None, one.problems
    return one


def templates(*texts: str) -> Templates:
    return together(one for text in texts if (one := parsed_template(text).template) is not None)


class TestResolving:
    """A rollout and its template in two files."""

    def test_another_file(self) -> None:
        (alone,) = parse_documents(using(), "a.yaml")
        assert alone.rollout is None
        assert "there is no SLOTemplate `checked`" in str(alone.problems[0])
        (whole,) = resolve([alone], templates(TEMPLATE))
        assert (whole.problems, whole.rollout) == ((), good(MINIMAL))
        (again,) = resolve([whole], templates(TEMPLATE))
        assert again is whole

    def test_a_template_that_changed_or_went(self) -> None:
        (one,) = resolve(parse_documents(using(), "a.yaml"), templates(TEMPLATE))
        (changed,) = resolve([one], templates(TEMPLATE.replace("default: 5%", "default: 4%")))
        assert changed.rollout is not None
        assert one.rollout is not None
        assert changed.rollout.content_hash != one.rollout.content_hash
        (gone,) = resolve([changed], Templates())
        assert gone.rollout is None
        assert "there is no SLOTemplate" in str(gone.problems[0])

    def test_ones_own_or_the_shared_one_and_never_the_one_for_the_other(self) -> None:
        shared = edited(TEMPLATE, ("{name: checked}", "{name: checked, namespace: tidegate-templates}"))
        (one,) = resolve(parse_documents(using(), "a.yaml"), templates(shared))
        assert one.rollout == good(MINIMAL)
        (one,) = resolve([one], templates(shared, TEMPLATE))
        (problem,) = one.problems
        assert "`checked` in more than one namespace: default, tidegate-templates (say which by `namespace`)" in str(
            problem
        )
        named = using(USE.replace("checked,", "checked, namespace: default,"))
        (one,) = resolve(parse_documents(named, "a.yaml"), templates(shared, TEMPLATE))
        assert one.rollout == good(MINIMAL)

    def test_a_template_with_mistakes_keeps_its_name(self) -> None:
        """What the catalog has under the same name may be looser."""
        harm = TEMPLATE.replace("name: checked", "name: harm").replace("  description: S", "  descripton: S")
        text = f"{using(USE.replace('checked', 'harm'))}---\n{harm}"
        problems = told_all(text)
        assert any("`harm` in more than one namespace: default, catalog" in one for one in problems), problems
        named = text.replace("{name: harm, arg", "{name: harm, namespace: default, arg")
        assert any("the SLOTemplate default/harm has mistakes (put them" in one for one in told_all(named))

    def test_another_namespace_is_only_used_when_it_is_named(self) -> None:
        other = templates(edited(TEMPLATE, ("{name: checked}", "{name: checked, namespace: other}")))
        (one,) = resolve(parse_documents(using(), "a.yaml"), other)
        assert one.rollout is None
        (one,) = resolve(parse_documents(using(USE.replace("checked,", "checked, namespace: other,")), "a.yaml"), other)
        assert one.rollout is not None

    def test_an_object_of_a_cluster(self) -> None:
        import yaml

        document = yaml.safe_load(using())
        assert parse_document(document, "mro").rollout is None
        assert parse_document(document, "mro", templates(TEMPLATE)).rollout == good(MINIMAL)
