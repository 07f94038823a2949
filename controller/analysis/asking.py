"""Which families and queries a rollout needs. Pure."""

import re
from collections.abc import Iterable, Sequence

from controller.domain.measure import FamilyAsk, QueryAsk
from controller.domain.names import VersionName
from controller.domain.rollout import Identity, ModelRollout, Version
from controller.domain.slo import Indicator, LatencyIndicator, Matcher, PromqlIndicator, Selector

Ask = FamilyAsk | QueryAsk

PLACEHOLDER = "{{version}}"
_LITERALS = re.compile(r"""\#[^\n]* | (=~|!~)?\s*("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)""", re.VERBOSE)
_REGEX_SIGNS = re.compile(r"[\\.+*?()|\[\]{}^$]")


def selectors(indicator: Indicator) -> tuple[Selector, ...]:
    """The counter series an indicator reads; a histogram's buckets come before its count."""
    match indicator:
        case LatencyIndicator(histogram=name, match=match):
            return (Selector(f"{name}_bucket", match), Selector(f"{name}_count", match))
        case PromqlIndicator():
            return ()
        case ratio:
            return (ratio.bad, ratio.total, *(one for one in (ratio.errors, ratio.eligible) if one is not None))


def of_version(selector: Selector, identity: Identity) -> tuple[Matcher, ...]:
    """What the series of one version fulfil."""
    return (*selector.match, Matcher(identity.label, (identity.value,)))


def asks(rollout: ModelRollout, versions: Sequence[Version]) -> tuple[Ask, ...]:
    """Everything to ask for, one family per metric, no more than its label values of these versions."""
    wanted: list[Ask] = []
    for indicator in (slo.indicator for slo in rollout.slos):
        for version in versions:
            found = selectors(indicator)
            wanted += [FamilyAsk(one.metric, of_version(one, version.identity)) for one in found]
            if isinstance(indicator, PromqlIndicator):
                wanted.append(QueryAsk(fill(indicator.query, version.name)))
    return merge(wanted)


def merge(wanted: Iterable[Ask]) -> tuple[Ask, ...]:
    """One ask per metric that gives every series any of them wants, and each query once; the order is stable.

    A label stays restricted only when all restrict it, to the values of all.
    """
    families: dict[str, dict[str, dict[str, None]]] = {}
    queries: dict[str, QueryAsk] = {}
    for ask in wanted:
        if isinstance(ask, QueryAsk):
            queries[ask.query] = ask
            continue
        labels = _by_label(ask.match)
        known = families.get(ask.metric)
        families[ask.metric] = labels if known is None else _either(known, labels)
    merged = (FamilyAsk(metric, _matchers(labels)) for metric, labels in families.items())
    return (*merged, *queries.values())


def _by_label(match: Sequence[Matcher]) -> dict[str, dict[str, None]]:
    """Values per label, in order; a label that is matched twice keeps the first list: more series than needed."""
    labels: dict[str, dict[str, None]] = {}
    for one in match:
        labels.setdefault(one.label, dict.fromkeys(one.values))
    return labels


def _either(one: dict[str, dict[str, None]], other: dict[str, dict[str, None]]) -> dict[str, dict[str, None]]:
    return {label: {**values, **other[label]} for label, values in one.items() if label in other}


def _matchers(labels: dict[str, dict[str, None]]) -> tuple[Matcher, ...]:
    return tuple(Matcher(label, tuple(sorted(values))) for label, values in sorted(labels.items()))


def fill(query: str, version: VersionName) -> str:
    """The query for one version: the name stands, escaped, in quoted strings only, and matches itself in a regex.

    A placeholder elsewhere is left as it is: the server refuses it, and the SLO is blind.
    """

    def put(found: re.Match[str]) -> str:
        literal = found.group(2)
        if literal is None or PLACEHOLDER not in literal or (literal[0] == "`" and "`" in version):
            return found.group(0)
        name = _REGEX_SIGNS.sub(r"\\\g<0>", version) if found.group(1) else str(version)
        return found.group(0).replace(PLACEHOLDER, name if literal[0] == "`" else quote(name, literal[0]))

    return _LITERALS.sub(put, query)


def quote(text: str, sign: str = '"') -> str:
    """`text` as it stands inside a PromQL string between `sign`s."""
    return text.replace("\\", "\\\\").replace(sign, "\\" + sign).replace("\n", "\\n").replace("\r", "\\r")


def regex(values: Sequence[str]) -> str:
    """A PromQL regex that matches exactly these values."""
    return "|".join(_REGEX_SIGNS.sub(r"\\\g<0>", value) for value in values)
