"""What people would have applied: HTTPRoutes on v1, and ModelRollouts with four SLOs and ticks of ten seconds."""

from typing import Any

Document = dict[str, Any]
NAMESPACE, GATE, GITOPS = "fleet", "gate", "argocd-controller"
EVALUATIONS = ("harm", "groundedness", "refusal", "toxicity")
INTERVAL = 10.0
"""Seconds between two ticks."""
ROUTES = "/apis/gateway.networking.k8s.io/v1"
ROLLOUTS = "/apis/tidegate.dev/v1alpha1"
TRUE = {"status": "True", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}


def name_of(number: int) -> str:
    """Rollout, HTTPRoute and the `deployment` in its metrics."""
    return f"bot-{number:04d}"


def family(evaluation: str) -> str:
    """Each SLO asks for a metric of its own."""
    return f"judge_{evaluation}_results_total"


def a_gateway() -> Document:
    """What all HTTPRoutes hang on; nobody serves it."""
    listener = {"name": "http", "port": 80, "protocol": "HTTP"}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": GATE, "namespace": NAMESPACE},
        "spec": {"gatewayClassName": "stand-in", "listeners": [listener]},
    }


def a_route(number: int, port: int) -> Document:
    """Everything goes to v1."""
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": name_of(number), "namespace": NAMESPACE},
        "spec": {
            "parentRefs": [{"name": GATE, "namespace": NAMESPACE}],
            "hostnames": [f"{name_of(number)}.example.com"],
            "rules": rules(number, port),
        },
    }


def rules(number: int, port: int) -> list[Document]:
    """Of its route, as they are committed."""
    backend = {"group": "", "kind": "Service", "name": f"{name_of(number)}-v1", "port": port}
    return [{"name": "chat", "backendRefs": [backend]}]


def a_rollout(number: int, port: int, version: str = "v1", interval: float = INTERVAL) -> Document:
    """`v1` is stable; v2 gets 10 % as soon as it answers. `port` is where metrics and model servers listen.

    `interval`: seconds between two ticks, and two scrapes.
    """
    versions = [
        {
            "name": one,
            "backendRef": {"kind": "Service", "name": f"{name_of(number)}-{one}", "port": port},
            "bundle": {"weights": f"sha256:{one}", "prompt": "sha256:77aa"},
        }
        for one in ("v1", "v2")
    ]
    return {
        "apiVersion": "tidegate.dev/v1alpha1",
        "kind": "ModelRollout",
        "metadata": {"name": name_of(number), "namespace": NAMESPACE},
        "spec": {
            "version": version,
            "initialStable": "v1",
            "versions": versions,
            "routes": [{"gatewayAPI": {"httpRoute": name_of(number), "rule": "chat", "gitopsManagers": [GITOPS]}}],
            "metrics": {
                "prometheus": {"url": f"http://127.0.0.1:{port}", "scrapeInterval": f"{interval:g}s"},
                "identity": {"label": "version", "value": "{{version}}"},
            },
            "slos": [_slo(evaluation, number) for evaluation in EVALUATIONS],
            "stages": [
                {"name": "canary-10", "canary": {"weight": 10}, "minDuration": "2h"},
                {"name": "full", "full": {}, "minDuration": "2h"},
            ],
            "analysis": {"interval": f"{interval:g}s"},
        },
    }


def _slo(evaluation: str, number: int) -> Document:
    def selected(*verdicts: str) -> Document:
        match = {"deployment": [name_of(number)], "verdict": list(verdicts)}
        return {"metric": family(evaluation), "match": match}

    ratio = {"bad": selected("bad"), "total": selected("ok", "bad")}
    found = {"name": evaluation, "indicator": {"ratio": ratio}, "objective": {"max": "1%"}}
    if evaluation == "harm":
        found["scenarios"] = {"label": "hazard", "baseline": "none", "zeroTolerance": ["leak"]}
    return found


def accepted(generation: int) -> Document:
    """The status that a gateway's controller gives to a route that it serves."""
    kinds = ("Accepted", "ResolvedRefs")
    told = [{"type": kind, **TRUE, "reason": kind, "observedGeneration": generation} for kind in kinds]
    parent = {"parentRef": {"name": GATE, "namespace": NAMESPACE}, "controllerName": "benchmarks/gate"}
    return {"status": {"parents": [{**parent, "conditions": told}]}}


def candidate_weight(route: Document) -> int:
    """What v2 gets by an HTTPRoute; 0 when its entry is gone."""
    backends = route["spec"]["rules"][0].get("backendRefs", [])
    return sum(int(one.get("weight", 1)) for one in backends if str(one["name"]).endswith("-v2"))
