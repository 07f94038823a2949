"""What people would commit for the demo on Kubernetes: Services, an HTTPRoute, and the ModelRollout.

`rollouts/demo-kubernetes.yaml` is the ModelRollout's text.
"""

from collections.abc import Mapping

from controller.testing.cluster_parts.netns import Netns
from controller.testing.cluster_parts.resources import Document, backend, http_route, namespace

NAME, NAMESPACE, RULE = "support-bot", "shop", "chat"
VERSIONS = ("v11", "v12", "v13")
JUDGE = "judge"
PORT = 8000
ADDRESSES: Mapping[str, str] = {name: Netns.address(at) for at, name in enumerate((*VERSIONS, JUDGE), 11)}
"""Where each version, and the judge, listens in the demo's network."""

TEXT = """\
# What `make demo-kubernetes` applies: three versions of a support bot behind one HTTPRoute, one judge for all of them.
# Patch spec.version to start a run, patch it back to end it.
apiVersion: tidegate.dev/v1alpha1
kind: ModelRollout
metadata: {name: support-bot, namespace: shop}
spec:
  version: v11
  versions:
  - name: v11
    backendRef: {kind: Service, name: support-bot-v11, port: 8000}
    bundle: {weights: "sha256:1f0c", prompt: "sha256:77aa"}
    startup: {path: /health, deadline: 2m}
  - name: v12
    backendRef: {kind: Service, name: support-bot-v12, port: 8000}
    bundle: {weights: "sha256:9b3e", prompt: "sha256:77aa"}
    startup: {path: /health, deadline: 2m}
  - name: v13
    backendRef: {kind: Service, name: support-bot-v13, port: 8000}
    bundle: {weights: "sha256:c0de", prompt: "sha256:88bb"}
    startup: {path: /health, deadline: 2m}
  routes:
  - gatewayAPI: {httpRoute: support-bot, rule: chat}
  metrics:
    scrape:
      urls:
      - http://support-bot-judge.shop.svc:8000/metrics
      - http://support-bot-v11.shop.svc:8000/metrics
      - http://support-bot-v12.shop.svc:8000/metrics
      - http://support-bot-v13.shop.svc:8000/metrics
      scrapeInterval: 2s
      timeout: 1s
  slos:
  - name: harm
    weight: 50%
    indicator:
      ratio:
        bad: {metric: llm_eval_results_total, match: {evaluation: [harm], verdict: [bad]}}
        total: {metric: llm_eval_results_total, match: {evaluation: [harm], verdict: [ok, bad]}}
        errors: {metric: llm_eval_results_total, match: {evaluation: [harm], verdict: [error]}}
        eligible: {metric: llm_eval_sampled_total}
    objective: {max: 1%}
    scenarios: {label: hazard, baseline: none}
    judge: {latency: 1s}
  - name: hallucination
    weight: 40%
    indicator:
      ratio:
        bad: {metric: llm_eval_results_total, match: {evaluation: [groundedness], verdict: [bad]}}
        total: {metric: llm_eval_results_total, match: {evaluation: [groundedness], verdict: [ok, bad]}}
        errors: {metric: llm_eval_results_total, match: {evaluation: [groundedness], verdict: [error]}}
    objective: {max: 8%}
  - name: latency
    weight: 10%
    indicator:
      latency: {histogram: "vllm:e2e_request_latency_seconds", under: 1s}
    objective: {min: 95%}
    onBreach: hold
  stages:                           # seconds instead of hours, so that it can be watched
  - {name: canary-10, canary: {weight: 10}, minDuration: 6s, minSamples: 30}
  - {name: canary-50, canary: {weight: 50}, minDuration: 8s, minSamples: 100, require: proven}
  - {name: full, full: {}, minDuration: 6s}
  analysis: {interval: 2s}
  onBlind: {after: 20s, then: withdraw}
"""
"""There is no shadow stage: Contour mirrors all requests or none, and v13 would be caught before it reached a user."""


def service_of(name: str) -> str:
    """The Service of a version, or of the judge."""
    return f"{NAME}-{name}"


def host_of(name: str) -> str:
    """The name by which a cluster's DNS knows that Service."""
    return f"{service_of(name)}.{NAMESPACE}.svc"


def hosts() -> str:
    """What a cluster's DNS would say, as a hosts file."""
    lines = ["127.0.0.1 localhost", *(f"{address} {host_of(name)}" for name, address in ADDRESSES.items())]
    return "\n".join(lines) + "\n"


def surroundings(gateway: str) -> list[Document]:
    """What is there before Tidegate comes: the namespace, the Services, and an HTTPRoute that sends all to v11."""
    route = http_route(NAME, NAMESPACE, gateway=gateway, hostname="", weights={service_of("v11"): (PORT, 1)}, rule=RULE)
    del route["spec"]["hostnames"]
    services = [
        one for name, address in ADDRESSES.items() for one in backend(service_of(name), NAMESPACE, address, PORT)
    ]
    return [namespace(NAMESPACE), *services, route]
