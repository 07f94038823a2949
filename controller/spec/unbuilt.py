"""What the design knows and this version does not do yet: refused by name with a plain sentence, never ignored."""

UNBUILT = {
    "spec.routes[].gatewayAPI": ("the router gateway_api is not built yet", "use `envoy`"),
    "spec.slos[].versusStable": (
        "comparing with the stable version is not built yet",
        "remove it; the objective is still judged",
    ),
    "spec.slos[].scenarios.zeroTolerance": (
        "withdrawing at a scenario's first bad answer is not built yet",
        "remove it; the scenario is still judged against the objective",
    ),
    "spec.slos[].identity": (
        "an identity per indicator is not built yet",
        "use metrics.identity or versions[].identity",
    ),
    "spec.slos[].indicator.identity": (
        "an identity per indicator is not built yet",
        "use metrics.identity or versions[].identity",
    ),
    "spec.versions[].scale": ("scaling versions is not built yet", "remove it and scale the backend yourself"),
    "spec.scale": ("scaling versions is not built yet", "remove it and scale the backends yourself"),
    "spec.alerts": ("alerts per rollout are not built yet", "remove it; alerts are set up for the whole daemon"),
    "status": ("a status is not read from a file", "remove it"),
}
"""Path (list positions left out) -> what is wrong, what to do."""
