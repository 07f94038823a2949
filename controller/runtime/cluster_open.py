"""Opens a cluster as the settings say: one connection, one set of watches, leases when replicas share the rollouts."""

import os
import socket

from controller.cluster.connect import Access, Told, connect
from controller.cluster.discovery import Discovery
from controller.cluster.lease_settings import LeaseSettings
from controller.cluster.leases import LeasedShards
from controller.cluster.objects import ClusterObjects, told_nobody
from controller.cluster.views import ClusterViews
from controller.ports import Clock
from controller.runtime.cluster_house import AloneKeeper, Cluster, Keeper, ShardNews
from controller.runtime.cluster_routes import ClusterRoutes
from controller.runtime.settings import ClusterSettings


def open_cluster(settings: ClusterSettings, clock: Clock, told: Told = told_nobody) -> Cluster:
    """Ready; nothing is asked yet. `told` hears of every request.

    Raises NoAccessError (a ClusterError), ValueError for leases that cannot work.
    """
    connection = connect(Access(settings.kubeconfig, settings.context))
    api, view = ClusterObjects(connection, told), ClusterViews(connection, told=told)
    identity, news = settings.identity or _identity(), ShardNews()
    keeper = _keeper(settings, connection.namespace, identity, view, news, clock, told)
    return Cluster(
        api=api,
        kinds=Discovery(connection, told),
        view=view,
        routes=ClusterRoutes(api, view, settings.namespaces),
        identity=identity,
        namespaces=settings.namespaces,
        keeper=keeper,
        news=news,
        close=view.close,
        keep_requests=settings.keep_requests,
    )


def _keeper(
    settings: ClusterSettings,
    namespace: str,
    identity: str,
    view: ClusterViews,
    news: ShardNews,
    clock: Clock,
    told: Told,
) -> Keeper:
    """Renewals have a connection of their own, and little patience: they must not wait for each other."""
    if settings.shards == 0:
        return AloneKeeper()
    seconds = settings.lease_seconds
    leases = LeaseSettings(
        settings.lease_namespace or namespace, identity, settings.shards, seconds,
        renew=seconds * 5 / 12, margin=seconds / 5, retry=min(1.0, seconds / 15),
    )  # fmt: skip
    access = Access(settings.kubeconfig, settings.context, seconds / 8, seconds / 6, seconds / 5)
    return LeasedShards(ClusterObjects(connect(access), told), view, leases, clock.now, news.gained, news.lost)


def _identity() -> str:
    """In a pod the host's name is the pod's, and new with every one of them."""
    return f"{socket.gethostname()}-{os.getpid()}"
