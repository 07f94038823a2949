"""What is said in two places, by `lint` and by the API server at admission: one text for both."""

from typing import NamedTuple

VERSION_MARK = "{{version}}"


class Sentence(NamedTuple):
    """What is wrong, and what to do."""

    message: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


def needs_one(fields: tuple[str, ...], hint: str = "") -> Sentence:
    """None of several fields is given, and one must be."""
    return Sentence(f"needs one of {', '.join(fields)}", hint)


def beside(other: str, given: tuple[str, ...]) -> Sentence:
    """A field stands beside another one that excludes it."""
    return Sentence(f"cannot stand beside {other}", f"keep one of {', '.join(given)}")


def clash(other: str, hint: str) -> Sentence:
    """As `beside`, with its own advice."""
    return Sentence(f"cannot stand beside {other}", hint)


STAGE_KINDS = ("shadow", "cohort", "canary", "full")
STAGE_HINT = "write for example `canary: {weight: 10}`"
ROUTER_KEYS = ("envoy", "gatewayAPI")
ROUTER_NAMES = ("envoy", "gateway_api")
ROUTER_HINT = "write `envoy: {...}` or `gatewayAPI: {...}`"

NO_ROUTER = Sentence(f"names no router; known: {', '.join(ROUTER_NAMES)}", ROUTER_HINT)
ONE_ROUTE = Sentence("more than one route is not built yet", "keep one route per rollout")
SAME_ADDRESS = Sentence("is the same address as admin", "give them different ports")
NOT_STICKY = Sentence(
    "the router gateway_api cannot keep a conversation on one version",
    "an HTTPRoute has no field for it that gateways share; remove it, or use `envoy`",
)
NO_HOST = Sentence(
    "an HTTPRoute cannot send requests to a host outside of the cluster", "use kind: Service or InferencePool"
)
NO_SERVICE = Sentence(
    "the envoy router runs outside of Kubernetes and cannot look up a Service",
    "use kind: Host with an address or DNS name and the port",
)
NO_POOL = Sentence(
    "the envoy router runs outside of Kubernetes and cannot look up an InferencePool",
    "use kind: Host with an address or DNS name and the port",
)
NOT_A_SERVICE_NAME = Sentence(
    "is not the name of a Service or InferencePool", "small letters, digits and `-`; it lies in the rollout's namespace"
)
SAME_BACKEND = "two versions behind one backend cannot be told apart"
SAME_SCALE = "two versions that are one object cannot be scaled apart"
UNKNOWN_MARK = Sentence("holds an unknown placeholder", f"the only one is `{VERSION_MARK}`")
NOT_LISTED = "is not one of the versions"

TWO_LOGINS = Sentence("cannot stand beside bearerTokenFile", "keep one way to log in")
CA_IGNORED = Sentence("would ignore caFile", "keep one of them")
SECRET_HEADERS = ("authorization", "cookie", "proxy-authorization", "x-api-key")
SECRET = Sentence(
    "would put a secret into the spec", "use bearerTokenFile or basicAuth, which read secrets from a file"
)

NEEDS_THRESHOLD = Sentence("needs `threshold`", "write {max: ...} or {min: ...}")
NEEDS_OBJECTIVE = Sentence("needs `objective`", "write {max: 0.1%} or {min: 95%}")
HELD_TO = "promql is held to a threshold; ratio and latency to an objective"
EMPTY_THRESHOLD = Sentence("needs max, min or both", "write for example {max: 0.02, consecutive: 3}")
CROSSED_THRESHOLD = Sentence("is below min", "no value could be right")
NEEDS_COUNTS = Sentence("needs counts, and promql gives a value", "remove it, or use ratio")
NO_SHARE = Sentence("a threshold has no share of the budget", "remove it: it acts by itself")
ALERT_SHARE = Sentence("an SLO with onBreach: alert has no share of the budget", "remove it")
NO_ERRORS = Sentence("judge errors are not counted", "add indicator.ratio.errors")
SCENARIO_LABEL = "tells the scenarios apart"
SAME_COUNTS = Sentence("counts the same as bad", "every answer would be bad; total needs the good ones too")
ABSENT_SCENARIOS = Sentence(
    "`zero` does not go with scenarios", "create every label combination at zero when the exporter starts"
)
NO_MARK = Sentence(
    f"the query does not mention `{VERSION_MARK}`",
    'it could not tell the versions apart; add {version="{{version}}"}',
)
SCRAPE_PROMQL = Sentence("scrape cannot answer PromQL", "use metrics.prometheus, or ratio or latency")
NOT_A_JUDGE = Sentence("no judge decides what is slow", "remove it")
CALIBRATED_TWICE = "keep {} if it is known, or calibration if people labelled answers"
BUDGET_HINT = "they may sum to 100% at most"

SIDE_EFFECTS = Sentence(
    "needs `sideEffects: none`: a mirrored request is really executed",
    "say it only when the candidate calls no tools with effects",
)
MIDDLE_FULL = Sentence("only the last stage can be full", "move it to the end")
LAST_FULL = Sentence("the last stage must be full", "add `- {name: full, full: {}}`")
WEIGHT_DOWN = "weights must not go down from stage to stage"
LONGER = "is longer than maxDuration"

NO_INDICATOR = Sentence(
    "needs `indicator` or `fromTemplate`", "say what is measured: one of ratio, latency, promql, or a template"
)
TEMPLATE_INDICATOR = Sentence(
    "cannot stand beside fromTemplate", "the template says what is measured; keep one of fromTemplate, indicator"
)
