"""The door: what a good file means, and how every mistake is told."""

from datetime import timedelta
from pathlib import Path

import pytest

from controller.domain.names import RolloutKey
from controller.domain.rollout import BlindAction, BlindPolicy, Identity, MetricServer, Require, StageKind, Startup
from controller.domain.route import BackendRef, EnvoyRoute, Sticky
from controller.domain.slo import LatencyIndicator, OnBreach, Threshold
from controller.spec.parse import LARGEST, parse_bytes, parse_documents, parse_text
from tests.spec.texts import EXAMPLES, FULL, MINIMAL, edited, good, told

FIVE_MISTAKES = """\
apiVersion: tidegate.dev/v1alpha1
kind: ModelRollout
metadata: {name: five}
spec:
  version: v13
  versions:
  - name: v11
    backendRef: {kind: Host, name: 127.0.0.1, port: 8011}
  - name: v12
    backendRef: {kind: Host, name: 127.0.0.1, port: 8012}
  routes:
  - istoi: {virtualService: chat}
  metrics:
    scrape: {urls: ["http://127.0.0.1:9100/metrics"]}
  slos:
  - name: harm
    weigth: 60%
    indicator:
      ratio:
        bad:   {metric: e_total, match: {verdict: [bad]}}
        total: {metric: e_total, match: {verdict: [ok, bad]}}
    objective:
      max: 120%
  stages:
  - {name: canary-10, canary: {weight: 10}}
  - {name: canary-5, canary: {weight: 5}}
  - {name: full, full: {}}
"""


def test_five_mistakes_are_told_at_once_with_their_lines() -> None:
    told_at = [line.split(": ", 2)[:2] for line in told(FIVE_MISTAKES)]
    assert told_at == [
        ["a.yaml:5", "spec.version"],
        ["a.yaml:12", "spec.routes[0].istoi"],
        ["a.yaml:17", "spec.slos[0].weigth"],
        ["a.yaml:23", "spec.slos[0].objective.max"],
        ["a.yaml:26", "spec.stages[1].canary.weight"],
    ]
    text = "\n".join(told(FIVE_MISTAKES))
    assert "unknown router `istoi`; known: envoy, gateway_api" in text
    assert "`weigth` is not a field here (did you mean `weight`?)" in text
    assert "`v13` is not one of the versions (did you mean `v12`?)" in text


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_every_example_is_good(path: Path) -> None:
    rollouts, problems = parse_text(path.read_text(encoding="utf-8"), str(path))
    assert rollouts
    assert not problems


def test_a_minimal_file_gets_every_default() -> None:
    rollout = good(MINIMAL)
    assert rollout.key == RolloutKey("default", "minimal")
    assert rollout.route.target == EnvoyRoute("127.0.0.1:9901", ".tidegate/minimal", "127.0.0.1:10000")
    assert rollout.metrics == MetricServer("scrape", ("http://127.0.0.1:9100/metrics",))
    assert [(one.kind, one.weight, one.mirror, one.require) for one in rollout.stages] == [
        (StageKind.SHADOW, 0, 20, Require.NO_BREACH),
        (StageKind.CANARY, 1, 0, Require.NO_BREACH),
        (StageKind.CANARY, 10, 0, Require.NO_BREACH),
        (StageKind.CANARY, 50, 0, Require.PROVEN),
        (StageKind.FULL, 100, 0, Require.NO_BREACH),
    ]
    assert [one.min_duration.total_seconds() / 60 for one in rollout.stages] == [30, 15, 15, 15, 15]
    assert {one.max_duration for one in rollout.stages} == {timedelta(hours=24)}
    assert rollout.horizon == 2 * 90 * 60 / 15
    assert rollout.interval == timedelta(seconds=15)
    assert rollout.max_false_rollback == 0.05
    assert rollout.on_inconclusive is OnBreach.HOLD
    assert rollout.on_blind == BlindPolicy(timedelta(minutes=5), BlindAction.WITHDRAW)
    assert rollout.rollback_window == timedelta(hours=24)
    slo = rollout.slos[0]
    assert (slo.max_bad, slo.weight, slo.on_breach, slo.max_false_promotion) == (0.05, 1.0, OnBreach.ROLLBACK, 0.05)
    assert (slo.judge.max_errors, slo.judge.max_age) == (0.05, timedelta(minutes=10))


def test_a_full_file_means_what_it_says() -> None:
    rollout = good(FULL)
    assert rollout.key == RolloutKey("assistants", "support-bot")
    v11, v12 = rollout.versions
    assert v12.backend == BackendRef("Host", "model-v12.internal", 8000)
    assert v12.startup == Startup("/health", timedelta(minutes=45))
    assert (v11.identity, v12.identity) == (Identity("version", "v11"), Identity("version", "v12"))
    assert v11.digest != v12.digest
    assert v11.pinned
    assert rollout.route.sticky == Sticky("header", "x-conversation-id")
    assert rollout.metrics.bearer_file == "/etc/tidegate/prometheus-token"
    harm, _, latency, cost = rollout.slos
    assert harm.max_bad == 0.001
    assert latency.max_bad == 0.05
    assert isinstance(latency.indicator, LatencyIndicator)
    assert latency.indicator.under == 5.0
    assert cost.threshold == Threshold(0.02, None, 3)
    assert cost.max_bad is None
    assert [round(slo.weight, 9) for slo in rollout.slos] == [0.6, 0.2, 0.2, 0.0]
    shadow, cohort, _, last, _ = rollout.stages
    assert (shadow.mirror, shadow.max_mirrored, shadow.min_samples) == (20, 50_000, 2000)
    assert cohort.headers == (("x-cohort", "employees"),)
    assert (last.approvals, last.require) == (1, Require.PROVEN)


MINIMAL_EDITS = [
    (
        ("kind: ModelRollout", "kind: ModelRolout"),
        "3: kind: unknown kind `ModelRolout`; known: ModelRollout, SLOTemplate (did you mean",
    ),
    (("kind: ModelRollout", "kind: Deployment"), "unknown kind `Deployment`; known: ModelRollout"),
    (("v1alpha1", "v2"), '2: apiVersion: "tidegate.dev/v2" is not known here; known: tidegate.dev/v1alpha1'),
    (("  version: v2  ", "  version: 2  "), '6: spec.version: must be text, not 2 (put quotes around it: "2")'),
    (
        ("  version: v2  ", "  vresion: v2  "),
        "6: spec.vresion: `vresion` is not a field here (did you mean `version`?)",
    ),
    (("  version: v2  ", "  # version: v2  "), "5: spec.version: `version` is missing (The version that should serve)"),
    (("initialStable: v1 ", "initialStable: v7 "), "7: spec.initialStable: `v7` is not one of the versions"),
    (("port: 8002", "port: 8001"), "12: spec.versions[1].backendRef: is the same as that of versions[0]"),
    (("port: 8002", "port: 70000"), "12: spec.versions[1].backendRef.port: 70000 is too large (at most 65535)"),
    (("port: 8002", "port: '8002'"), '12: spec.versions[1].backendRef.port: must be a whole number, not "8002"'),
    (("Host, name: 127.0.0.1, port: 8002", "Service, name: x, port: 8002"), "cannot look up a Service (use kind: Host"),
    (("Host, name: 127.0.0.1, port: 8002", "Host, name: 'a b', port: 1"), '"a b" is not an address or DNS name'),
    (
        ("envoy: {", "envoi: {"),
        "14: spec.routes[0].envoi: unknown router `envoi`; known: envoy, gateway_api (did you mean",
    ),
    (
        ("  - envoy: {", "  - gatewayAPI: {httpRoute: chat}\n    envoy: {"),
        "14: spec.routes[0].gatewayAPI: cannot stand",
    ),
    (
        ("  - envoy: {", "  - stikyBy: {header: x}\n    envoy: {"),
        "spec.routes[0].stikyBy: `stikyBy` is not a field here",
    ),
    (("  - envoy: {", "  - stickyBy: {}\n    envoy: {"), "14: spec.routes[0].stickyBy: needs one of header, cookie"),
    (('admin: "127.0.0.1:9901"', 'admin: "127.0.0.1:99010"'), "14: spec.routes[0].envoy.admin: 127.0.0.1:99010 has no"),
    (
        ('admin: "127.0.0.1:9901"', 'admin: "127.0.0.1:10000"'),
        "spec.routes[0].envoy.listen: is the same address as admin",
    ),
    (('urls: ["http://', 'urls: ["ftp://'), "is not a URL"),
    (('urls: ["http://', 'urls: ["http://me:secret@'), "credentials do not belong in a URL"),
    (('["http://127.0.0.1:9100/metrics"]', "http://127.0.0.1"), "must be a list"),
    (
        ("    scrape: {", "    prometheus: {url: 'http://p'}\n    scrape: {"),
        "17: spec.metrics.scrape: cannot stand beside",
    ),
    (
        ("    scrape: {", "    identity: {value: same}\n    scrape: {"),
        "16: spec.metrics.identity.value: versions[0] and vers",
    ),
    (("    scrape: {", "    identity: {value: '{{x}}-{{version}}'}\n    scrape: {"), "unknown placeholder"),
    (
        ("    scrape: {", "    scrape: {headers: {Authorization: x}, "),
        "16: spec.metrics.scrape.headers.Authorization: would put",
    ),
    (
        ("    scrape: {", "    scrape: {bearerTokenFile: a, basicAuth: {username: b, passwordFile: c}, "),
        "keep one way to log",
    ),
    (("max: 5%}", "max: 5}"), '23: spec.slos[0].objective.max: must be text, not 5 (put quotes around it: "5")'),
    (("max: 5%}", "max: 0%}"), "23: spec.slos[0].objective.max: 0% cannot be tested"),
    (("max: 5%}", "max: 0.05}"), "must be text, not 0.05"),
    (("max: 5%}", "max: 5%, min: 90%}"), "23: spec.slos[0].objective.min: cannot stand beside max"),
    (("    objective: {max: 5%}", "    onBreach: hold"), "18: spec.slos[0]: needs `objective`"),
    (
        ("    objective: {max: 5%}", "    threshold: {max: 1}\n    objective: {max: 5%}"),
        "23: spec.slos[0].threshold: does not",
    ),
    (
        ("verdict: [ok, bad]", "verdict: [ok]"),
        '22: spec.slos[0].indicator.ratio.total.match.verdict: leaves out verdict="bad"',
    ),
    (("verdict: [ok, bad]", "verdict: [bad]"), "22: spec.slos[0].indicator.ratio.total: counts the same as bad"),
    (("verdict: [ok, bad]", "verdict: ok"), 'must be a list, not "ok" (write [ok])'),
    (("verdict: [bad]}", "version: [v2], verdict: [bad]}"), "`version` tells the versions apart"),
    (
        ("max: 5%}", "max: 5%}\n    scenarios: {label: h, required: [none]}"),
        "24: spec.slos[0].scenarios.required[0]: `none` is",
    ),
    (
        ("max: 5%}", "max: 5%}\n    scenarios: {label: h, required: [a, a]}"),
        "24: spec.slos[0].scenarios.required[1]: `a` is g",
    ),
    (
        ("max: 5%}", "max: 5%}\n    judge: {maxErrors: 5%}"),
        "24: spec.slos[0].judge.maxErrors: judge errors are not counted",
    ),
    (("max: 5%}", "max: 5%}\n    weight: 101%"), "24: spec.slos[0].weight: 101% is more than everything"),
    (("max: 5%}", "max: 5%}\n    weight: 0%"), "24: spec.slos[0].weight: 0% is no share at all"),
    (
        ("max: 5%}", "max: 5%}\n    onBreach: alert\n    weight: 5%"),
        "25: spec.slos[0].weight: an SLO with onBreach: alert",
    ),
    (
        ("max: 5%}", "max: 5%}\n    onBreach: rolback"),
        '24: spec.slos[0].onBreach: "rolback" is not known here; known: rollback',
    ),
    (("max: 5%}", "max: 5%}\n  analysis: {interval: 15}"), "24: spec.analysis.interval: must be text, not 15"),
    (("max: 5%}", "max: 5%}\n  analysis: {interval: 0s}"), "24: spec.analysis.interval: 0s is not a usable duration"),
    (("max: 5%}", "max: 5%}\n  analysis: {interval: 999999999d}"), "not a usable duration"),
    (
        ("max: 5%}", "max: 5%}\n  analysis: {interval: 1 hour}"),
        '24: spec.analysis.interval: "1 hour" is not a duration',
    ),
    (("max: 5%}", "max: 5%}\n  analysis: {horizon: 1s}"), "24: spec.analysis.horizon: is shorter than one interval"),
    (("max: 5%}", "max: 5%}\n  suspend: yes"), '24: spec.suspend: must be true or false, not "yes"'),
    (("max: 5%}", "max: 5%}\n  mode:"), "24: spec.mode: `mode` has no value"),
    (("max: 5%}", "max: 5%}\n  scale: {}"), "24: spec.scale: versions are scaled one by one"),
    (("max: 5%}", "max: 5%}\nstatus: {phase: Idle}"), "24: status: a status is not read from a file"),
    (("metadata: {name: minimal}", "metadata: {name: Minimal}"), '4: metadata.name: "Minimal" is not a name'),
    (("metadata: {name: minimal}", "metadata: minimal"), '4: metadata: must be a block of fields, not "minimal"'),
]


@pytest.mark.parametrize(("edit", "words"), MINIMAL_EDITS, ids=range(len(MINIMAL_EDITS)))
def test_a_mistake_is_told_once_where_it_is(edit: tuple[str, str], words: str) -> None:
    problems = told(edited(MINIMAL, edit))
    assert len(problems) == 1, problems
    assert words in problems[0]
    assert problems[0].startswith("a.yaml:")


FULL_EDITS = [
    (("more than one route", ""), ("  metrics:\n", "  - envoy: {admin: 'a:1', configDir: b}\n  metrics:\n")),
    (("sideEffects: none", ""), ("sideEffects: none, ", "")),
    (("only the last stage can be full", ""), ("canary: {weight: 1}", "full: {}")),
    (("needs one of shadow, cohort, canary, full", ""), ("canary: {weight: 1}, ", "")),
    (("`full` has no value", "write `full: {}`"), ("full: {}", "full: ")),
    (("goes down from 25 to 1", ""), ("canary: {weight: 1}", "canary: {weight: 30}")),
    (
        ("2h is longer than maxDuration 1h", ""),
        ("full: {}, minDuration: 2h", "full: {}, maxDuration: 1h, minDuration: 2h"),
    ),
    (("the last stage must be full", ""), ("  - {name: full, full: {}, minDuration: 2h}\n", "")),
    (("is given twice", ""), ("onBlind: {after: 5m,", "onBlind: {after: 5m, after: 5m,")),
    (("does not mention `{{version}}`", ""), ('{version="{{version}}"}\'}', "'}")),
    (("stands outside of a label's quoted value", ""), ("'usd_per_request{version=", "'usd_{{version}}{version=")),
    (
        ("a threshold has no share", ""),
        ("threshold: {max: 0.02, consecutive: 3}", "threshold: {max: 1}\n    weight: 1%"),
    ),
    (("is below min", ""), ("threshold: {max: 0.02, ", "threshold: {max: 0.02, min: 3, ")),
    (("needs max, min or both", ""), ("threshold: {max: 0.02, ", "threshold: {")),
    (("must be a finite number", ""), ("threshold: {max: 0.02, ", "threshold: {max: .inf, ")),
    (("leave nothing for hallucination, latency", ""), ("weight: 60%", "weight: 100%")),
    (("is the same as that of slos[0]", ""), ("- name: hallucination", "- name: harm")),
]


@pytest.mark.parametrize(("words", "edit"), FULL_EDITS, ids=[words[0] for words, _ in FULL_EDITS])
def test_what_no_single_field_can_know_is_told_too(words: tuple[str, str], edit: tuple[str, str]) -> None:
    text = edited(FULL, edit)
    problems = told(text)
    if "goes down" in words[0]:
        assert "goes down from 30 to 25" in problems[0]
        return
    assert len(problems) == 1, problems
    assert all(word in problems[0] for word in words)


def test_mistakes_of_different_kinds_do_not_hide_each_other() -> None:
    problems = told(edited(MINIMAL, ("- name: v2", "- name: V2")))
    assert 'a.yaml:11: spec.versions[1].name: "V2" is not a name' in problems[1]
    assert "a.yaml:6: spec.version: `v2` is not one of the versions" in problems[0]
    problems = told(edited(MINIMAL, ("- name: v2", "- name: v1")))
    assert "a.yaml:11: spec.versions[1].name: is the same as that of versions[0]" in problems[1]
    assert "listed are v1)" in problems[0]
    problems = told(edited(MINIMAL, ("max: 5%}", "max: 5%}\n    scenarios: {label: verdict}")))
    assert [line.split(":")[1] for line in problems] == ["21", "22"]
    assert all("`verdict` tells the scenarios apart" in line for line in problems)


def test_weights_may_not_sum_to_more_than_everything() -> None:
    text = edited(
        FULL,
        ("- name: hallucination", "- name: hallucination\n    weight: 30%"),
        ("- name: latency", "- name: latency\n    weight: 11%"),
    )
    assert "the weights of SLOs with onBreach: rollback sum to 101%" in told(text)[0]


def test_promql_needs_a_server_that_answers_it() -> None:
    start, end = FULL.index("    prometheus:"), FULL.index("    identity:")
    text = FULL[:start] + "    scrape: {urls: ['http://127.0.0.1:1/metrics']}\n" + FULL[end:]
    assert "scrape cannot answer PromQL" in told(text)[0]


def test_a_horizon_is_taken_as_given() -> None:
    assert good(edited(FULL, ("interval: 15s,", "interval: 15s, horizon: 10m,"))).horizon == 40


def test_short_runs_are_planned_with_a_hundred_ticks() -> None:
    text = edited(MINIMAL, ("max: 5%}", "max: 5%}\n  stages: [{name: full, full: {}, minDuration: 2s}]"))
    assert good(text).horizon == 100


def test_a_version_may_have_an_identity_of_its_own() -> None:
    text = edited(MINIMAL, ("port: 8002}", 'port: 8002}\n    identity: {label: pod, value: "model-{{version}}"}'))
    assert good(text).versions[1].identity == Identity("pod", "model-v2")


def test_several_documents_live_and_fail_apart() -> None:
    other = MINIMAL.replace("name: minimal", "name: other")
    broken = "kind: ModelRollout\nmetadata: {name: torn}\nspec: [\n"
    parsed = parse_documents("\n---\n".join([MINIMAL, broken, "a: b", other]), "a.yaml")
    assert [(one.key and one.key.name, one.rollout is not None) for one in parsed] == [
        ("minimal", True),
        ("torn", False),
        (None, False),
        ("other", True),
    ]
    assert parsed[3].provenance.line == MINIMAL.count("\n") + 11
    assert parsed[1].problems[0].line == MINIMAL.count("\n") + 5


def test_bytes_that_are_no_text_are_a_problem() -> None:
    (latin,) = parse_bytes("a: 1\nb: é".encode("latin-1"), "a.yaml")
    assert "a.yaml:2: the file is not UTF-8 text" in str(latin.problems[0])
    (large,) = parse_bytes(b" " * (LARGEST + 1), "a.yaml")
    assert "larger than" in str(large.problems[0])
    assert parse_bytes(b"", "a.yaml") == ()
