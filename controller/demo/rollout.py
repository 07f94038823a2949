"""The demo's rollout, as text: `rollouts/demo.yaml` is this text with the ports below."""

from dataclasses import dataclass

NAME = "support-bot"


@dataclass(frozen=True, slots=True)
class Ports:
    """Where everything listens on 127.0.0.1."""

    listen: int = 18080
    admin: int = 18081
    v11: int = 18011
    v12: int = 18012
    v13: int = 18013
    judge: int = 18020


TEXT = """\
# What `make demo` runs: three versions of a support bot behind one Envoy, one judge for all of them.
# Change the line `version:` to start a run, change it back to end it.
apiVersion: tidegate.dev/v1alpha1
kind: ModelRollout
metadata: {{name: support-bot, namespace: demo}}
spec:
  version: {version}
  initialStable: v11                # only read when nothing else says what serves
  versions:
  - name: v11
    backendRef: {{kind: Host, name: 127.0.0.1, port: {ports.v11}}}
    bundle: {{weights: "sha256:1f0c", prompt: "sha256:77aa"}}
    startup: {{path: /health, deadline: 2m}}
  - name: v12
    backendRef: {{kind: Host, name: 127.0.0.1, port: {ports.v12}}}
    bundle: {{weights: "sha256:9b3e", prompt: "sha256:77aa"}}
    startup: {{path: /health, deadline: 2m}}
  - name: v13
    backendRef: {{kind: Host, name: 127.0.0.1, port: {ports.v13}}}
    bundle: {{weights: "sha256:c0de", prompt: "sha256:88bb"}}
    startup: {{path: /health, deadline: 2m}}
  routes:
  - envoy: {{listen: "127.0.0.1:{ports.listen}", admin: "127.0.0.1:{ports.admin}", configDir: "{config_dir}"}}
    stickyBy: {{header: x-conversation-id}}
  metrics:
    scrape:
      urls:
      - http://127.0.0.1:{ports.judge}/metrics
      - http://127.0.0.1:{ports.v11}/metrics
      - http://127.0.0.1:{ports.v12}/metrics
      - http://127.0.0.1:{ports.v13}/metrics
      scrapeInterval: 2s
      timeout: 1s
  slos:
  - name: harm
    weight: 50%
    indicator:
      ratio:
        bad: {{metric: llm_eval_results_total, match: {{evaluation: [harm], verdict: [bad]}}}}
        total: {{metric: llm_eval_results_total, match: {{evaluation: [harm], verdict: [ok, bad]}}}}
        errors: {{metric: llm_eval_results_total, match: {{evaluation: [harm], verdict: [error]}}}}
        eligible: {{metric: llm_eval_sampled_total}}
    objective: {{max: 1%}}
    scenarios: {{label: hazard, baseline: none}}
    judge: {{latency: 1s}}
  - name: hallucination
    weight: 40%
    indicator:
      ratio:
        bad: {{metric: llm_eval_results_total, match: {{evaluation: [groundedness], verdict: [bad]}}}}
        total: {{metric: llm_eval_results_total, match: {{evaluation: [groundedness], verdict: [ok, bad]}}}}
        errors: {{metric: llm_eval_results_total, match: {{evaluation: [groundedness], verdict: [error]}}}}
    objective: {{max: 8%}}
  - name: latency
    weight: 10%
    indicator:
      latency: {{histogram: "vllm:e2e_request_latency_seconds", under: 1s}}
    objective: {{min: 95%}}
    onBreach: hold
  stages:                           # seconds instead of hours, so that it can be watched
  - {{name: shadow, shadow: {{percent: 5, sideEffects: none}}, minDuration: 3s, minSamples: 5}}
  - {{name: canary-10, canary: {{weight: 10}}, minDuration: 6s, minSamples: 30}}
  - {{name: canary-50, canary: {{weight: 50}}, minDuration: 8s, minSamples: 100, require: proven}}
  - {{name: full, full: {{}}, minDuration: 6s}}
  analysis: {{interval: 2s}}
  onBlind: {{after: 20s, then: withdraw}}
"""


def text(version: str, ports: Ports = Ports(), config_dir: str = ".tidegate/envoy") -> str:
    """The rollout with `version` wanted."""
    return TEXT.format(version=version, ports=ports, config_dir=config_dir)
