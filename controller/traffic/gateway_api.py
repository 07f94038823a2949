"""The Gateway API router: weights, mirror and header rule in an HTTPRoute that people own.

Siblings say how: `gateway_api_names` (which backends are ours), `gateway_api_rules` (our rule, and the split it holds),
`gateway_api_memory` (what a rollback puts back), `gateway_api_plan` (a split as a rule), `gateway_api_patch` (the steps
there), `gateway_api_status` (is it in force, what can the gateway do). All of them are pure; this one asks and writes.

Reading costs no request: it is done in the view. There are no counters, so a split is verified by what the gateways'
controllers report of the generation that was written.
"""

import contextlib
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from controller.domain.cluster import (
    HTTP_ROUTE,
    ClusterError,
    ClusterUnavailableError,
    ConflictError,
    Document,
    ObjectRef,
)
from controller.domain.route import GatewayApiRoute
from controller.domain.traffic import Capabilities, RouteGoneError, RouterUnavailableError, RouteSeen, RouteTable, Split
from controller.ports import ObjectApi, ObjectView, RouteBinding
from controller.traffic import gateway_api_names, gateway_api_rules, gateway_api_status
from controller.traffic.breakglass_cluster import note_on
from controller.traffic.gateway_api_memory import Memory, Prepared, remembered
from controller.traffic.gateway_api_names import Names, ShapeError
from controller.traffic.gateway_api_patch import steps
from controller.traffic.gateway_api_plan import Wanted, left_over, prepared, wanted
from controller.traffic.gateway_api_rules import Found
from controller.traffic.gateway_api_status import MIRROR, MIRROR_PERCENT

T = TypeVar("T")
Plan = Callable[[Document, Found, Split], Wanted]
Gateways = Mapping[ObjectRef, Document | None]
Means = tuple[Found, Names, Split, Memory | None, RouteTable | None, str | None]

# What comes of an object that someone shaped in another way than its schema promises.
_MALFORMED = (ShapeError, KeyError, TypeError, ValueError, AttributeError)
_RAISING = (0.0, 0.05, 0.2)
"""Seconds to wait before each new try after somebody else wrote first."""
_LOWERING = (0.0, 0.02, 0.05, 0.1, 0.2, 0.2, 0.4, 0.4)
"""The same when the candidate must go: it is tried more often, and when the API server is busy, too."""
_BUSY = 2.0
"""Seconds after which a rollback, too, leaves a busy API server to the next pass."""


class GatewayApiRouter:
    """One rollout's entries in one rule of an HTTPRoute; everything else in it is preserved.

    `view` must follow what `controller.traffic.FOLLOWED` lists. Raises RouterUnavailableError for a binding that no
    HTTPRoute can have.
    """

    def __init__(
        self, binding: RouteBinding, api: ObjectApi, view: ObjectView, pause: Callable[[float], None] = time.sleep
    ) -> None:
        if not isinstance(binding.route.target, GatewayApiRoute):
            raise LookupError(f"{binding.key}: the route {binding.route.target.place} is no HTTPRoute")
        self._binding, self._target = binding, binding.route.target
        self._ref = ObjectRef(HTTP_ROUTE, self._target.namespace, self._target.http_route)
        self._api, self._view, self._pause = api, view, pause
        self._names = self._understood(lambda: Names(binding, self._target.namespace))
        self._annotation = gateway_api_names.annotation(binding.key)
        self._cohort = gateway_api_names.cohort_rule(binding.key)
        self._last: tuple[Document, Gateways, RouteSeen] | None = None
        """The route as it was read last: every pass asks, and it rarely changes. Views never change a document."""

    @property
    def capabilities(self) -> Capabilities:
        """Depends on what the GatewayClass says. Raises RouterUnavailableError when that cannot be known now."""
        document = self._known()
        gateways = self._understood(lambda: gateway_api_status.gateways_of(document))
        features = [self._features(self._allowed(ref)) for ref in gateways]
        return Capabilities(
            mirror=gateway_api_status.supports(features, MIRROR, unsaid=True),
            mirror_percent=gateway_api_status.supports(features, MIRROR_PERCENT, unsaid=False),
            sticky_header=False,
            sticky_cookie=False,
            counts=False,
        )

    def observe(self) -> RouteSeen:
        document = self._known()
        gateways = self._gateways(document)
        if self._last is None or self._last[0] is not document or self._last[1] != gateways:
            self._last = (document, gateways, self._read(document, gateways))
        return self._last[2]

    def _read(self, document: Document, gateways: Gateways) -> RouteSeen:
        found = self._understood(lambda: self._find(document))
        table = self._understood(lambda: gateway_api_rules.table_of(found, self._names))
        trouble = self._understood(lambda: gateway_api_status.trouble(document, gateways))
        metadata = _metadata(document)
        return RouteSeen(
            table=table,
            accepted=not trouble,
            revision=f"generation {metadata.get('generation')}",
            epoch=str(metadata.get("uid", "")),
            trouble=trouble,
            glass=note_on(document, self._binding.key),
            overwritten_by=self._understood(lambda: self._overwritten_by(document)),
            prepared=self._understood(lambda: left_over(found, self._names, self._memory(document))),
        )

    def apply(self, split: Split) -> None:
        self._refuse_unlisted(split)
        if split.exposes():
            self._refuse_unable(split)
            if not self._is_prepared(split):
                return
        self._bring_about(split, self._moving)

    def _is_prepared(self, split: Split) -> bool:
        """May the candidate get its first request? What a gateway does not know yet it answers with 503.

        So it is named with weight 0 first, and the split is written when that was accepted: now or in a later pass.
        """
        assert split.candidate is not None
        document = self._newest(ask=False)
        table = self._table(self._understood(lambda: self._find(document)))
        served = table is None or table.share(split.candidate) or split.candidate in dict(table.cohorts)
        if served or not (split.weight or split.cohort):
            return True
        self._bring_about(split, self._preparing)
        now = self._known()
        return not self._understood(lambda: gateway_api_status.trouble(now, self._gateways(now)))

    def _preparing(self, document: Document, found: Found, split: Split) -> Wanted:
        tool, generation = self._overwritten_by(document), int(str(_metadata(document)["generation"]))
        how = Prepared(str(split.candidate), tool or "", generation + 1)
        return prepared(*self._means(document, found, split), how)

    def _moving(self, document: Document, found: Found, split: Split) -> Wanted:
        return wanted(*self._means(document, found, split))

    def _means(self, document: Document, found: Found, split: Split) -> Means:
        called = self._cohort if any(rule.get("name") for rule in found.rules) else None
        return found, self._names, split, self._memory(document), self._table(found), called

    def _overwritten_by(self, document: Document) -> str | None:
        """A listed tool, also when all that came after it was our preparing."""
        memory = self._memory(document)
        how = memory.prepared if memory else None
        if how is not None and how.tool and how.generation == _metadata(document).get("generation"):
            return how.tool
        return gateway_api_status.overwritten_by(document, self._target)

    def _bring_about(self, split: Split, plan: Plan) -> None:
        document = self._newest(ask=False)
        waits, began = list(_RAISING if split.exposes() else _LOWERING), time.monotonic()
        while True:
            try:
                return self._write(document, split, plan)
            except ConflictError as error:
                if not waits:
                    raise self._unavailable(f"others keep changing it: {error}") from error
            except ClusterUnavailableError as error:
                if split.exposes() or not waits or time.monotonic() - began > _BUSY:
                    raise self._unavailable(str(error)) from error
                waits[0] = max(waits[0], min(error.retry_after or 0.0, 1.0))
            except ClusterError as error:
                raise self._unavailable(str(error)) from error
            self._pause(waits.pop(0))
            document = self._newest(ask=True, otherwise=document)

    def _write(self, document: Document, split: Split, plan: Plan) -> None:
        found = self._understood(lambda: self._find(document))
        goal = self._understood(lambda: plan(document, found, split))
        patch = steps(document, found, goal, self._annotation)
        if patch:
            self._view.learn(self._ref, self._api.patch(self._ref, patch))

    def _memory(self, document: Document) -> Memory | None:
        return remembered(document, self._annotation)

    def _table(self, found: Found) -> RouteTable | None:
        """The split as it is; what is no split must not keep a rollback from being written."""
        try:
            return gateway_api_rules.table_of(found, self._names)
        except _MALFORMED:
            return None

    def _find(self, document: Document) -> Found:
        memory = self._memory(document)
        headers = memory.cohort if memory else ()
        return gateway_api_rules.find(document, self._target, self._names, self._cohort, headers)

    def _known(self) -> Document:
        """The route in the view."""
        try:
            document = self._view.get(self._ref)
        except ClusterError as error:
            raise self._unavailable(str(error)) from error
        return document if document is not None else self._missing()

    def _newest(self, ask: bool, otherwise: Document | None = None) -> Document:
        """The route in the view; when that is not current, or not to be trusted, as the API server has it."""
        if not ask:
            with contextlib.suppress(ClusterError):
                seen = self._view.get(self._ref)
                if seen is not None:
                    return seen
        try:
            return self._api.get(self._ref) or self._missing()
        except ClusterUnavailableError as error:
            if otherwise is not None:
                return otherwise
            raise self._unavailable(str(error)) from error
        except ClusterError as error:
            raise self._unavailable(str(error)) from error

    def _missing(self) -> Document:
        try:
            names = [str(_metadata(one).get("name")) for one in self._view.all(HTTP_ROUTE) if self._is_beside(one)]
        except ClusterError:
            names = []
        there = f"there are: {', '.join(sorted(names))}" if names else "there is none that can be seen"
        why = f"it does not exist; in namespace {self._target.namespace} {there}"
        raise RouteGoneError(f"{self._binding.key}: {self._target.place}: {why}")

    def _is_beside(self, document: Document) -> bool:
        return _metadata(document).get("namespace") == self._target.namespace

    def _gateways(self, document: Document) -> Gateways:
        """Those that can be seen; one that is not followed, or not allowed to be read, is left out."""
        found: dict[ObjectRef, Document | None] = {}
        for ref in self._understood(lambda: gateway_api_status.gateways_of(document)):
            try:
                found[ref] = self._view.get(ref)
            except ClusterError:
                continue
        return found

    def _features(self, gateway: Document | None) -> frozenset[str] | None:
        if gateway is None:
            return None
        its_class = self._understood(lambda: gateway_api_status.class_of(gateway))
        return self._understood(lambda: gateway_api_status.features_of(self._allowed(its_class)))

    def _allowed(self, ref: ObjectRef) -> Document | None:
        """None also for what may not be read. A view that is not current now is no answer."""
        try:
            return self._view.get(ref)
        except ClusterUnavailableError as error:
            raise self._unavailable(str(error)) from error
        except ClusterError:
            return None

    def _refuse_unable(self, split: Split) -> None:
        if not split.mirror:
            return
        able = self.capabilities
        if not able.mirror or (split.mirror < 100 and not able.mirror_percent):
            lacks = MIRROR if not able.mirror else MIRROR_PERCENT
            raise self._unavailable(
                f"its gateway cannot mirror {split.mirror} % of the requests: the GatewayClass does not list "
                f"{lacks} in status.supportedFeatures; mirror 100 % where it can, leave the shadow stage away, or use "
                "another gateway"
            )

    def _refuse_unlisted(self, split: Split) -> None:
        for version in (split.stable, split.candidate):
            if version is not None and version not in self._binding.backends:
                known = ", ".join(sorted(self._binding.backends)) or "none"
                raise RouterUnavailableError(f"{self._binding.key} has no backend for {version}; listed: {known}")

    def _understood(self, read: Callable[[], T]) -> T:
        try:
            return read()
        except ShapeError as error:
            raise self._unavailable(str(error)) from error
        except _MALFORMED as error:
            raise self._unavailable(f"it does not look like a gateway.networking.k8s.io/v1 one: {error!r}") from error

    def _unavailable(self, why: str) -> RouterUnavailableError:
        return RouterUnavailableError(f"{self._binding.key}: {self._target.place}: {why}")


def _metadata(document: Document) -> Mapping[str, object]:
    found = document["metadata"]
    assert isinstance(found, Mapping)
    return found
