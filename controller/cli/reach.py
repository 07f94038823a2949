"""How a command reaches the API server of a cluster, and who it is there."""

from collections.abc import Mapping
from pathlib import Path

from controller.cli.desk import Reach
from controller.cli.output import Code, CommandError
from controller.domain.cluster import Kind, ObjectRef
from controller.ports import ObjectApi

WHO_AM_I = Kind("authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview", namespaced=False)


def reach(kubeconfig: Path | None, context: str | None, namespace: str = "", everywhere: bool = False) -> Reach:
    """Ready to ask; nothing is asked yet. Raises CommandError."""
    from controller.cluster.connect import Access, NoAccessError, connect
    from controller.cluster.discovery import Discovery
    from controller.cluster.objects import ClusterObjects

    try:
        connection = connect(Access(kubeconfig, context))
    except NoAccessError as error:
        raise CommandError(str(error), Code.WRONG_USE) from error
    place = namespace or connection.namespace
    return Reach(ClusterObjects(connection), connection.host, place, everywhere, Discovery(connection))


def who_am_i(api: ObjectApi) -> str:
    """The name by which the API server knows the person who asks. Raises ClusterError."""
    told = api.create(ObjectRef(WHO_AM_I, "", "me"), {"apiVersion": WHO_AM_I.api_version, "kind": WHO_AM_I.name})
    status = told.get("status")
    user = status.get("userInfo") if isinstance(status, Mapping) else None
    return str(user.get("username", "")) if isinstance(user, Mapping) else ""
