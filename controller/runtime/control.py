"""People's requests, as they come in over the Unix socket: reading is answered at once, asking waits for its pass."""

import itertools
from collections.abc import Iterator, Mapping
from datetime import timedelta

from controller.domain.decision import Notice, Reason
from controller.domain.names import RolloutKey
from controller.domain.record import StoreUnavailableError
from controller.domain.request import Ask, OperatorRequest
from controller.runtime import why
from controller.runtime.book import Held
from controller.runtime.dispatch import Dispatcher
from controller.runtime.explain import explain
from controller.runtime.house import House
from controller.runtime.views import View, decision_view, entry_view, no_decision, view
from controller.web.protocol import Request
from controller.web.socket import Answer, RequestRefusedError

ANSWER_WITHIN = timedelta(seconds=20)
MOST_HISTORY = 1000


class Control:
    """The handler of the control socket."""

    def __init__(self, house: House, dispatcher: Dispatcher) -> None:
        self._house, self._dispatcher = house, dispatcher
        self._ids = itertools.count(1)

    def __call__(self, request: Request) -> Answer:
        """Answer one request. Raises RequestRefusedError with a sentence for the one who asked."""
        if request.verb in {ask.value for ask in Ask}:
            return self._ask(Ask(request.verb), request)
        readers = {
            "get": self._get,
            "watch": self._watch,
            "history": self._history,
            "explain": self._explain,
            "ping": self._ping,
        }
        if request.verb not in readers:
            raise RequestRefusedError(f"unknown request `{request.verb}`; known: {', '.join(sorted(readers))}")
        return readers[request.verb](request.args)

    def _ping(self, _args: Mapping[str, object]) -> Answer:
        return {"alive": True, "rollouts": len(self._house.book.all())}

    def _find(self, args: Mapping[str, object]) -> Held:
        name = str(args.get("name") or "")
        everyone = self._house.book.all()
        exact = [held for held in everyone if held.key == RolloutKey.parse(name)]
        matches = exact or [held for held in everyone if held.key.name == name]
        if len(matches) == 1:
            return matches[0]
        known = ", ".join(str(held.key) for held in everyone) or "none"
        what = "several rollouts are named" if matches else "there is no rollout"
        raise RequestRefusedError(f"{what} `{name}`; known: {known}")

    def _get(self, args: Mapping[str, object]) -> Answer:
        now = self._house.clock.now()
        chosen = [self._find(args)] if args.get("name") else list(self._house.book.all())
        return {"rollouts": [view(held, now) for held in chosen], "sources": self._sources()}

    def _sources(self) -> list[View]:
        specs = self._house.specs.read()
        told: View = {
            "source": ", ".join(self._house.sources),
            "trouble": specs.trouble,
            "as_of": specs.as_of.isoformat() if specs.as_of else None,
            "problems": [str(problem) for problem in specs.problems],
        }
        return [told]

    def _watch(self, args: Mapping[str, object]) -> Answer:
        held = self._find(args)
        return self._views(held)

    def _views(self, held: Held) -> Iterator[View]:
        """One view at every change, and at least one every two seconds: how much longer it takes changes by itself."""
        while not self._house.stopping.is_set():
            with held.changed:
                version = held.version
            yield view(held, self._house.clock.now())
            with held.changed:
                if held.version == version:
                    held.changed.wait(2.0)

    def _history(self, args: Mapping[str, object]) -> Answer:
        held = self._find(args)
        limit = args.get("limit")
        count = min(max(int(limit), 1), MOST_HISTORY) if isinstance(limit, int) else 50
        try:
            entries = self._house.store.journal(held.key, count)
        except StoreUnavailableError as error:
            raise RequestRefusedError(f"the history cannot be read now: {error}") from error
        return {"name": str(held.key), "entries": [entry_view(entry) for entry in entries]}

    def _explain(self, args: Mapping[str, object]) -> Answer:
        held = self._find(args)
        if args.get("decision") is not None:
            return self._explain_decision(held, args["decision"])
        now = self._house.clock.now()
        return {"name": str(held.key), "lines": list(explain(held, now)), "rollout": view(held, now)}

    def _explain_decision(self, held: Held, seq: object) -> Answer:
        if not isinstance(seq, int):
            raise RequestRefusedError(f"a decision has a number, not {seq!r}; `tidegate history` shows them")
        try:
            found = why.find(lambda limit: self._house.store.journal(held.key, limit), seq)
        except StoreUnavailableError as error:
            raise RequestRefusedError(f"the journal cannot be read now: {error}") from error
        if found is None:
            raise RequestRefusedError(no_decision(held.key, seq))
        return decision_view(held.key, found)

    def _ask(self, ask: Ask, request: Request) -> Answer:
        held = self._find(request.args)
        if held.lost is not None:
            raise RequestRefusedError(held.lost.waits_for)
        reason = str(request.args.get("reason") or "").strip()
        if not reason:
            raise RequestRefusedError(f"say why: tidegate {ask.value} {held.key.name} --reason '...'")
        argument = str(request.args.get("argument") or "")[:100]
        if not self._house.sharing.guards(held.key):
            raise RequestRefusedError(f"another replica guards {held.key}: ask there, or by a RolloutRequest")
        now = self._house.clock.now()
        identity = f"{now.isoformat()}/{next(self._ids)}"
        with held.lock:
            held.inbox.append(OperatorRequest(identity, ask, request.actor, reason[:500], now, argument))
        self._dispatcher.hasten(held.key)
        return self._answered(held, identity, ask)

    def _answered(self, held: Held, identity: str, ask: Ask) -> Answer:
        deadline = self._house.clock.monotonic() + ANSWER_WITHIN.total_seconds()
        with held.changed:
            while identity not in held.answers and self._house.clock.monotonic() < deadline:
                held.changed.wait(0.5)
        notices = held.answers.pop(identity, None)
        if notices is None:
            raise RequestRefusedError(f"`{ask.value}` was taken down but not answered yet; look with `tidegate get`")
        refusal = _refusal(notices, identity)
        if refusal is not None:
            raise RequestRefusedError(refusal)
        return {"done": ask.value, "rollout": view(held, self._house.clock.now())}


def _refusal(notices: tuple[Notice, ...], identity: str) -> str | None:
    mine = (n for n in notices if n.reason is Reason.REFUSED and n.facts.get("request") == identity)
    return next((str(notice.facts.get("why")) for notice in mine), None)
