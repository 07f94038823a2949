"""Can a controller work on this cluster? Is it there, does it serve our kinds, what may the account do?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from controller.cli.checks import Check, Checks, fine, note, unseen, wrong
from controller.cli.desk import Reach
from controller.cli.reach import who_am_i
from controller.cli.rights import Right, Where
from controller.domain.cluster import (
    HTTP_ROUTE,
    MODEL_ROLLOUT,
    ROLLOUT_REQUEST,
    SLO_TEMPLATE,
    ClusterError,
    ForbiddenError,
    Kind,
    ObjectRef,
)
from controller.ports import ObjectApi

DEFINITION = Kind("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", False)
MY_REVIEW = Kind("authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", False)
REVIEW = Kind("authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", False)


@dataclass(frozen=True, slots=True)
class Account:
    """A service account; `user` and `groups` as the API server knows it."""

    namespace: str
    name: str

    @property
    def user(self) -> str:
        return f"system:serviceaccount:{self.namespace}:{self.name}"

    @property
    def groups(self) -> list[str]:
        return ["system:serviceaccounts", f"system:serviceaccounts:{self.namespace}", "system:authenticated"]


def api_server(reach: Reach) -> Check:
    """Does it answer, and who are we there?"""
    try:
        return fine("API server", f"{reach.host} answers; we are {who_am_i(reach.api) or 'nobody'}")
    except ClusterError as error:
        return wrong("API server", str(error), "Look at the address, the certificate and the token of the kubeconfig.")


def own_namespace(reach: Reach, account: Account | None) -> str:
    """Where the controller's leases are: beside its account, or beside ours when we are one."""
    if account is not None:
        return account.namespace
    try:
        parts = who_am_i(reach.api).split(":")
    except ClusterError:
        return reach.namespace
    return parts[2] if parts[:2] == ["system", "serviceaccount"] and len(parts) == 4 else reach.namespace


def kinds(api: ObjectApi, namespace: str) -> Checks:
    """Are our kinds served, as this version of Tidegate describes them?"""
    from controller.spec.crd import definitions

    ours = {str(one["metadata"]["name"]): one for one in definitions()}  # type: ignore[index]  # ours, a mapping
    for kind in (MODEL_ROLLOUT, SLO_TEMPLATE, ROLLOUT_REQUEST):
        yield _definition(api, kind, ours[kind.resource], namespace)
    yield _served(api, HTTP_ROUTE, namespace) or fine(HTTP_ROUTE.resource, f"served in version {HTTP_ROUTE.version}")


def _definition(api: ObjectApi, kind: Kind, wanted: object, namespace: str) -> Check:
    todo = "kubectl apply --server-side -f manifests/crd.yaml   (of this version of Tidegate)"
    unserved = _served(api, kind, namespace)
    if unserved is not None:
        return unserved
    try:
        found = api.get(ObjectRef(DEFINITION, "", kind.resource))
    except ClusterError as error:
        return unseen(
            kind.resource, f"served; whether as this version of Tidegate describes it cannot be seen: {error}"
        )
    assert isinstance(wanted, Mapping)
    place = differs(wanted["spec"], (found or {}).get("spec"), "spec")
    if place is not None:
        return wrong(kind.resource, f"its definition is of another version of Tidegate: {place} is not ours", todo)
    return fine(kind.resource, "served, as this version of Tidegate describes it")


def _served(api: ObjectApi, kind: Kind, namespace: str) -> Check | None:
    try:
        api.list(kind, namespace)
    except ForbiddenError:
        return None  # who is not allowed to list it is told so only where it exists, or by the rights below
    except ClusterError as error:
        return wrong(kind.resource, str(error))
    return None


def differs(ours: object, theirs: object, at: str) -> str | None:
    """The first place where `theirs` lacks something of ours, or has something else; what it has beyond is its own."""
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        inner = (differs(value, theirs.get(name), f"{at}.{name}") for name, value in ours.items())
        return next((place for place in inner if place is not None), None)
    if isinstance(ours, list) and isinstance(theirs, list):
        if len(ours) != len(theirs):
            return at
        inner = (differs(a, b, f"{at}[{n}]") for n, (a, b) in enumerate(zip(ours, theirs, strict=True)))
        return next((place for place in inner if place is not None), None)
    same = ours == theirs and isinstance(ours, bool) == isinstance(theirs, bool)
    return None if same or (not ours and theirs is None) else at


@dataclass(frozen=True, slots=True)
class Places:
    """Namespaces: of the rollouts (empty: all), the controller's own, and that of shared templates (empty: none)."""

    rollouts: Sequence[str]
    own: str
    templates: str = ""

    def of(self, where: Where) -> Sequence[str]:
        """Where a right is needed."""
        shared = () if not self.templates or {"", self.templates} & {*self.rollouts} else (self.templates,)
        return {
            Where.ROLLOUTS: self.rollouts,
            Where.OWN: (self.own,),
            Where.TEMPLATES: shared,
            Where.EVERYWHERE: ("",),
        }[where]


def rights(api: ObjectApi, asked: Sequence[Right], places: Places, account: Account | None) -> Checks:
    """One check for each that is missing; one for all of them when none is."""
    who, missing = account.user if account else "this account", 0
    for right in asked:
        for place in places.of(right.where):
            try:
                allowed = _allowed(api, right, place, account)
            except ClusterError as error:
                yield unseen("rights", f"cannot be asked: {error}")
                return
            if not allowed:
                missing += 1
                yield _missing(right, place, who)
    if not missing:
        yield fine("rights", f"{who} may do all that the controller does ({len(asked)} rules)")


def _allowed(api: ObjectApi, right: Right, namespace: str, account: Account | None) -> bool:
    kind = REVIEW if account else MY_REVIEW
    attributes = {"group": right.kind.group, "resource": right.kind.plural, "verb": right.verb}
    attributes |= {"namespace": namespace, "subresource": right.part, "version": right.kind.version}
    spec: dict[str, object] = {"resourceAttributes": {name: value for name, value in attributes.items() if value}}
    if account:
        spec |= {"user": account.user, "groups": account.groups}
    answer = api.create(ObjectRef(kind, "", "review"), {"metadata": {}, "spec": spec}).get("status")
    return isinstance(answer, Mapping) and answer.get("allowed") is True


def _missing(right: Right, namespace: str, who: str) -> Check:
    from controller.cluster.refusals import rule

    where = f"in namespace {namespace}" if namespace else "in the whole cluster"
    role = f"Role of {namespace}, or the ClusterRole," if namespace else "ClusterRole"
    todo = f"Add to the rules of its {role} and bind it: {rule(right.verb, right.kind, right.part)}"
    if right.without:
        return note("rights", f"{who} may not {right} {where}; without it {right.without}", todo)
    return wrong("rights", f"{who} may not {right} {where}", todo)
