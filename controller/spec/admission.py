"""What `lint` refuses and a structural schema cannot say: as rules for the API server, with the sentences of `lint`.

Whatever would cost too much there, or needs arithmetic it does not have, is left to the controller: `Stalled`.
"""

from itertools import combinations

from controller.spec import sentences as say
from controller.spec.cel import Cel, around, given, quoted
from controller.spec.fields import HEADER, IN_WORDS, LABEL, NAME, PERCENT

PLAIN_DURATION = r"^([0-9]{1,9}(\.[0-9]{1,6})?(h|ms|m|s))+$"
"""Durations that the expression language can read: it knows no days."""


def one_of(*fields: str, hint: str = "", needed: bool = True) -> tuple[Cel, ...]:
    """Exactly one of several fields (or at most one)."""
    none = Cel(f"{given(*fields)} >= 1", str(say.needs_one(fields, hint)))
    pairs = tuple(never(two, f"has(self.{one})", say.beside(one, (one, two))) for one, two in combinations(fields, 2))
    return (none, *pairs) if needed else pairs


def never(field: str, when: str, sentence: say.Sentence) -> Cel:
    """A field must not be given when an expression holds."""
    return Cel(f"!has(self.{field}) || !({when})", str(sentence), f".{field}")


def listed(field: str) -> Cel:
    """A field names one of the versions."""
    message = around("`", f"self.{field}", f"` {say.NOT_LISTED} (list it under versions)")
    rule = f"!has(self.{field}) || self.versions.exists(v, v.name == self.{field})"
    return Cel(rule, message, f".{field}", computed=True)


def not_shorter(field: str, than: str, message: str) -> Cel:
    """One duration is not below another, where both can be read."""
    plain = f"self.{field}.matches({quoted(PLAIN_DURATION)}) && self.{than}.matches({quoted(PLAIN_DURATION)})"
    readable = f"has(self.{field}) && has(self.{than}) && {plain}"
    return Cel(f"!({readable}) || duration(self.{field}) >= duration(self.{than})", message)


def apart(message: str, *parts: str, when: str = "true") -> Cel:
    """No two versions are the same in all of these parts."""
    same = " && ".join(f"w.{part} == v.{part}" for part in parts)
    rule = f"self.all(v, !({when}) || self.exists_one(w, {when.replace('v.', 'w.')} && {same}))"
    return Cel(rule, message)


def _placeholder() -> Cel:
    """The only placeholder of an identity is the version's name."""
    rest = f'self.value.replace({quoted(say.VERSION_MARK)}, "")'
    return Cel(f'!has(self.value) || !{rest}.contains("{{{{")', str(say.UNKNOWN_MARK), ".value")


def _keys(pattern: str) -> Cel:
    """Names that a map's schema cannot check."""
    message, hint = IN_WORDS[pattern]
    return Cel(f"self.all(key, key.matches({quoted(pattern)}))", f"a key {say.Sentence(message, hint)}")


PROMQL = "has(self.indicator) && has(self.indicator.promql)"
SAME = (
    "self.bad.metric == self.total.metric && has(self.bad.match) == has(self.total.match) && "
    "(!has(self.bad.match) || self.bad.match == self.total.match)"
)
RATIO = "has(self.indicator) && has(self.indicator.ratio)"
COUNTED = f"has(self.indicator) && !({PROMQL})"
WEIGHTS = "(has(s.full) ? 100 : has(s.canary) ? s.canary.weight : 0)"
ENVOY = "self.routes.exists(r, has(r.envoy))"
GATEWAY = "self.routes.exists(r, has(r.gatewayAPI))"


def _backends(kind: str, router: str, other: str, sentence: say.Sentence) -> Cel:
    rule = f"!({router}) || {other} || self.versions.all(v, v.backendRef.kind != {quoted(kind)})"
    return Cel(rule, str(sentence), ".versions")


def _ledger(action: str) -> Cel:
    """The weights of one ledger sum to 100 % at most. A hair more is forgiven: binary fractions do not add up."""
    usual = "!has(s.onBreach) || " if action == "rollback" else "has(s.onBreach) && "
    acts = f"{usual}s.onBreach == {quoted(action)}"
    mine = f"has(s.indicator) && has(s.weight) && s.weight.matches({quoted(PERCENT)}) && !has(s.threshold) && ({acts})"
    total = f"self.map(s, {mine} ? double(s.weight.substring(0, s.weight.size() - 1)) : 0.0).sum()"
    message = f"the weights of SLOs with onBreach: {action} sum to more than 100% ({say.BUDGET_HINT})"
    return Cel(f"{total} <= 100.0000001", message)


def _held_to(kind: str, field: str) -> Cel:
    sentence = say.Sentence(f"does not go with indicator.{kind}", say.HELD_TO)
    return never(field, f"has(self.indicator) && has(self.indicator.{kind})", sentence)


def _on_label(kind: str, *parts: str) -> Cel:
    """No series of the indicator is chosen by the label that tells the scenarios apart."""
    selectors = [f"self.indicator.{kind}{'.' if part else ''}{part}" for part in parts]
    hits = " || ".join(
        f"({f'has({one}) && ' if part else ''}has({one}.match) && self.scenarios.label in {one}.match)"
        for one, part in zip(selectors, parts, strict=True)
    )
    rule = f"!(has(self.indicator) && has(self.indicator.{kind}) && has(self.scenarios)) || !({hits})"
    message = around("`", "self.scenarios.label", f"` {say.SCENARIO_LABEL} (do not match on it)")
    return Cel(rule, message, ".scenarios.label", computed=True)


def _scenarios(field: str) -> tuple[Cel, ...]:
    baseline = '(has(self.baseline) ? self.baseline : "none")'
    taken = around("`", baseline, "` is the baseline, not a scenario (remove it)")
    return (
        Cel(f"!has(self.{field}) || !({baseline} in self.{field})", taken, f".{field}", computed=True),
        Cel(
            f"!has(self.{field}) || self.{field}.all(a, self.{field}.exists_one(b, a == b))",
            "a scenario is given twice (keep one of them)",
            f".{field}",
        ),
    )


def _server() -> tuple[Cel, ...]:
    return (
        never("basicAuth", "has(self.bearerTokenFile)", say.TWO_LOGINS),
        never("insecureSkipVerify", "self.insecureSkipVerify && has(self.caFile)", say.CA_IGNORED),
        never("headers", f"self.headers.exists(h, h.lowerAscii() in {quoted_list(say.SECRET_HEADERS)})", say.SECRET),
    )


def quoted_list(texts: tuple[str, ...]) -> str:
    """A list of literals."""
    return f"[{', '.join(map(quoted, texts))}]"


RULES: dict[str, tuple[Cel, ...]] = {
    "": (
        Cel(
            f"self.metadata.name.matches({quoted(NAME)})",
            around("metadata.name: ", "self.metadata.name", f" {say.Sentence(*IN_WORDS[NAME])}"),
            computed=True,
        ),
    ),
    "spec": (
        listed("version"),
        listed("initialStable"),
        _backends("Host", GATEWAY, ENVOY, say.NO_HOST),
        _backends("Service", ENVOY, GATEWAY, say.NO_SERVICE),
        _backends("InferencePool", ENVOY, GATEWAY, say.NO_POOL),
        Cel(
            "!has(self.metrics.scrape) || has(self.metrics.prometheus) || "
            "self.slos.all(s, !has(s.indicator) || !has(s.indicator.promql))",
            str(say.SCRAPE_PROMQL),
            ".slos",
        ),
    ),
    "spec.versions": (
        apart(say.SAME_BACKEND, "backendRef.kind", "backendRef.name", "backendRef.port"),
        apart(say.SAME_SCALE, "scale.name", when="has(v.scale) && !has(v.scale.kind) && !has(v.scale.apiVersion)"),
    ),
    "spec.versions[].backendRef": (
        Cel(f'self.kind == "Host" || self.name.matches({quoted(NAME)})', str(say.NOT_A_SERVICE_NAME), ".name"),
    ),
    "spec.versions[].identity": (_placeholder(),),
    "spec.metrics.identity": (_placeholder(),),
    "spec.stages[].cohort.headers": (_keys(HEADER),),
    "spec.metrics.prometheus.headers": (_keys(HEADER),),
    "spec.metrics.scrape.headers": (_keys(HEADER),),
    "spec.slos[].indicator.ratio.bad.match": (_keys(LABEL),),
    "spec.slos[].indicator.ratio.total.match": (_keys(LABEL),),
    "spec.slos[].indicator.ratio.errors.match": (_keys(LABEL),),
    "spec.slos[].indicator.latency.match": (_keys(LABEL),),
    "spec.routes": (Cel("self.size() == 1", str(say.ONE_ROUTE)),),
    "spec.routes[]": (
        Cel(f"{given(*say.ROUTER_KEYS)} >= 1", str(say.NO_ROUTER)),
        *one_of(*say.ROUTER_KEYS, needed=False),
        never("stickyBy", "has(self.gatewayAPI)", say.NOT_STICKY),
    ),
    "spec.routes[].envoy": (never("listen", "self.listen == self.admin", say.SAME_ADDRESS),),
    "spec.routes[].stickyBy": one_of("header", "cookie"),
    "spec.metrics": one_of("prometheus", "scrape"),
    "spec.metrics.prometheus": _server(),
    "spec.metrics.scrape": _server(),
    "spec.slos": (_ledger("rollback"), _ledger("hold")),
    "spec.slos[]": (
        Cel("has(self.indicator) || has(self.fromTemplate)", str(say.NO_INDICATOR)),
        never("indicator", "has(self.fromTemplate)", say.TEMPLATE_INDICATOR),
        Cel(f"!({COUNTED}) || has(self.objective)", str(say.NEEDS_OBJECTIVE)),
        Cel(f"!({PROMQL}) || has(self.threshold)", str(say.NEEDS_THRESHOLD)),
        _held_to("promql", "objective"),
        _held_to("ratio", "threshold"),
        _held_to("latency", "threshold"),
        *(never(field, PROMQL, say.NEEDS_COUNTS) for field in ("scenarios", "judge", "versusStable")),
        never("weight", PROMQL, say.NO_SHARE),
        never("weight", f'{COUNTED} && has(self.onBreach) && self.onBreach == "alert"', say.ALERT_SHARE),
        Cel(
            "!has(self.judge) || !has(self.judge.maxErrors) || !has(self.indicator) || has(self.indicator.promql) || "
            "(has(self.indicator.ratio) && has(self.indicator.ratio.errors))",
            str(say.NO_ERRORS),
            ".judge.maxErrors",
        ),
        Cel(
            "!has(self.judge) || !(has(self.indicator) && has(self.indicator.latency)) || "
            "!(has(self.judge.sensitivity) || has(self.judge.specificity) || has(self.judge.calibration))",
            str(say.NOT_A_JUDGE),
            ".judge",
        ),
        Cel(
            f'!({RATIO} && has(self.indicator.ratio.absent) && self.indicator.ratio.absent == "zero") || '
            "!has(self.scenarios)",
            str(say.ABSENT_SCENARIOS),
            ".indicator.ratio.absent",
        ),
        _on_label("ratio", "bad", "total", "errors"),
        _on_label("latency", ""),
    ),
    "spec.slos[].indicator": (
        *one_of("ratio", "latency", "promql"),
        Cel(f"!has(self.promql) || self.promql.contains({quoted(say.VERSION_MARK)})", str(say.NO_MARK), ".promql"),
    ),
    "spec.slos[].indicator.ratio": (Cel(f"!({SAME})", str(say.SAME_COUNTS), ".total"),),
    "spec.slos[].objective": one_of("max", "min"),
    "spec.slos[].versusStable": one_of("points", "ratio"),
    "spec.slos[].threshold": (
        Cel("has(self.max) || has(self.min)", str(say.EMPTY_THRESHOLD)),
        Cel("!has(self.max) || !has(self.min) || self.max >= self.min", str(say.CROSSED_THRESHOLD), ".max"),
    ),
    "spec.slos[].scenarios": (*_scenarios("required"), *_scenarios("zeroTolerance")),
    "spec.slos[].judge": tuple(
        never("calibration", f"has(self.{rate})", say.clash(rate, say.CALIBRATED_TWICE.format(rate)))
        for rate in ("sensitivity", "specificity")
    ),
    "spec.slos[].judge.calibration": (
        Cel("self.found <= self.bad", "is more than bad", ".found"),
        Cel("self.flagged <= self.good", "is more than good", ".flagged"),
    ),
    "spec.stages": (
        Cel("self.filter(s, has(s.full)).size() <= 1", str(say.MIDDLE_FULL)),
        Cel("self.size() == 0 || has(self[self.size() - 1].full)", str(say.LAST_FULL)),
        Cel(
            f"self.filter(s, !has(s.full)).map(s, {WEIGHTS}).isSorted()",
            f"the candidate's weight goes down ({say.WEIGHT_DOWN})",
        ),
    ),
    "spec.stages[]": (
        *one_of(*say.STAGE_KINDS, hint=say.STAGE_HINT),
        not_shorter("maxDuration", "minDuration", f"minDuration {say.LONGER} (raise maxDuration)"),
    ),
    "spec.stages[].shadow": (Cel("has(self.sideEffects)", str(say.SIDE_EFFECTS)),),
}
"""Path in the resource (`[]` for the items of a list) -> what must hold there."""


def of_text(pattern: str) -> tuple[Cel, ...]:
    """What is said of a text that does not match a pattern."""
    told = IN_WORDS.get(pattern)
    if told is None:
        return ()
    message = around('"', "self", f'" {say.Sentence(*told)}')
    return (Cel(f"self.matches({quoted(pattern)})", message, computed=True),)
