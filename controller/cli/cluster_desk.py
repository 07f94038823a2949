"""The desk of `kubectl tidegate`: reads ModelRollouts, and asks by RolloutRequests, which the API server checks."""

import secrets
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from controller.cli.output import Code, CommandError
from controller.cli.reach import who_am_i
from controller.cli.resource_view import view_of
from controller.domain.cluster import (
    MODEL_ROLLOUT,
    ROLLOUT_REQUEST,
    ClusterError,
    Document,
    ForbiddenError,
    InvalidObjectError,
    NotServedError,
    ObjectRef,
)
from controller.domain.names import RolloutKey
from controller.domain.request import Ask
from controller.ports import Clock, ObjectApi

PATIENCE, POLL = 30.0, 0.5
"""Seconds to wait for the controller's answer to a request, and between two looks."""
FOLLOW = 1.0
Answer = TypeVar("Answer")


class ClusterDesk:
    """Answers like a daemon. `namespace`: where a bare name lies; `everywhere`: `get` lists all namespaces."""

    def __init__(self, api: ObjectApi, clock: Clock, namespace: str, everywhere: bool = False) -> None:
        self._api, self._clock = api, clock
        self._namespace, self._everywhere = namespace, everywhere

    def call(self, verb: str, args: Mapping[str, object]) -> dict[str, Any]:
        """One answer. Raises CommandError."""
        if verb == "get":
            return self._get(str(args["name"])) if "name" in args else self._all()
        if verb in [one.value for one in Ask]:
            return self._request(Ask(verb), args)
        raise CommandError(
            f"`{verb}` needs the controller's database, which a cluster does not show: ask in its pod",
            Code.WRONG_USE,
            f"kubectl -n tidegate exec deployment/tidegate -- tidegate {verb} {args.get('name', '')}".rstrip(),
        )

    def stream(self, name: str) -> Iterator[dict[str, Any]]:
        """The rollout at every change of its resource. Raises CommandError."""
        told = None
        while True:
            document = self._rollout(name)
            revision = _metadata(document).get("resourceVersion")
            if revision != told:
                told = revision
                yield view_of(document)
            self._clock.sleep(FOLLOW)

    def _get(self, name: str) -> dict[str, Any]:
        return {"rollouts": [view_of(self._rollout(name))], "sources": []}

    def _all(self) -> dict[str, Any]:
        where = "" if self._everywhere else self._namespace
        found = _asked(lambda: self._api.list(MODEL_ROLLOUT, where))
        return {"rollouts": [view_of(one) for one in found], "sources": []}

    def _rollout(self, name: str) -> Document:
        key = RolloutKey.parse(name, self._namespace)
        ref = ObjectRef(MODEL_ROLLOUT, key.namespace, key.name)
        found = _asked(lambda: self._api.get(ref))
        if found is None:
            others = ", ".join(_name(one) for one in _asked(lambda: self._api.list(MODEL_ROLLOUT, key.namespace)))
            raise CommandError(f"there is no rollout {key}; in that namespace: {others or 'none'}")
        return found

    def _request(self, ask: Ask, args: Mapping[str, object]) -> dict[str, Any]:
        name = str(args["name"])
        key, document = RolloutKey.parse(name, self._namespace), self._rollout(name)
        run = view_of(document)["run"]
        wanted = {
            "rollout": key.name,
            "run": run["id"] if run else "",
            "action": ask.value,
            "argument": str(args.get("argument", "")),
            "reason": str(args["reason"]),
            "requestedBy": _asked(lambda: who_am_i(self._api)),
        }
        ref = ObjectRef(ROLLOUT_REQUEST, key.namespace, f"{key.name[:40]}-{ask.value}-{secrets.token_hex(4)}")
        _asked(lambda: self._api.create(ref, _document(ref, wanted, document)))
        self._answered(ref)
        return {"rollout": view_of(self._rollout(name))}

    def _answered(self, ref: ObjectRef) -> None:
        """Wait for the controller. Raises CommandError when it refuses or says nothing."""
        deadline = self._clock.monotonic() + PATIENCE
        while self._clock.monotonic() < deadline:
            document = _asked(lambda: self._api.get(ref)) or {}
            status = document.get("status")
            state = status.get("state") if isinstance(status, Mapping) else None
            if state == "Done":
                return
            if state == "Refused" and isinstance(status, Mapping):
                raise CommandError(str(status.get("message", "refused without a reason")), Code.REFUSED)
            self._clock.sleep(POLL)
        raise CommandError(
            f"no controller took up {ref} within {PATIENCE:.0f} s; it stays and is taken up when one runs",
            Code.NO_DAEMON,
            f"To take it back: kubectl -n {ref.namespace} delete rolloutrequest {ref.name}",
        )


def _document(ref: ObjectRef, spec: Mapping[str, object], rollout: Document) -> Document:
    """The request goes when its rollout goes."""
    kind, name, uid = MODEL_ROLLOUT, _name(rollout), str(_metadata(rollout).get("uid", ""))
    owner = {"apiVersion": kind.api_version, "kind": kind.name, "name": name, "uid": uid}
    return {
        "apiVersion": ref.kind.api_version,
        "kind": ref.kind.name,
        "metadata": {"name": ref.name, "namespace": ref.namespace, "ownerReferences": [owner]},
        "spec": {name: value for name, value in spec.items() if value},
    }


def _asked(question: Callable[[], Answer]) -> Answer:
    try:
        return question()
    except NotServedError as error:
        raise CommandError(str(error), Code.WRONG_USE) from error
    except (ForbiddenError, InvalidObjectError) as error:
        raise CommandError(str(error), Code.REFUSED) from error
    except ClusterError as error:
        raise CommandError(str(error), Code.NO_DAEMON) from error


def _metadata(document: Document) -> Mapping[str, Any]:
    found = document.get("metadata")
    return found if isinstance(found, Mapping) else {}


def _name(document: Document) -> str:
    return str(_metadata(document).get("name", "?"))
