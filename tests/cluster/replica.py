"""A process that shares shards: prints what it holds whenever that changes, and at once after it slept.

python -m tests.cluster.replica KUBECONFIG NAMESPACE NAME SHARDS
"""

import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import structlog

from controller.cluster.connect import Access, connect
from controller.cluster.lease_settings import LeaseSettings
from controller.cluster.leases import LeasedShards
from controller.cluster.listing import Pace
from controller.cluster.objects import ClusterObjects
from controller.cluster.views import ClusterViews

LEASE_SECONDS, RENEW_SECONDS = 6.0, 2.0


def main(kubeconfig: str, namespace: str, name: str, shards: str) -> None:
    """Until SIGTERM. Quiet but for what it holds: a log line of another thread would be mixed into it."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    connection = connect(Access(Path(kubeconfig), read_seconds=2.0))
    views = ClusterViews(connection, Pace(watch=5.0, grace=1.0, fresh=10.0))
    settings = LeaseSettings(
        namespace, name, int(shards), lease=LEASE_SECONDS, renew=RENEW_SECONDS, margin=1.5, retry=0.2
    )
    keeper = LeasedShards(ClusterObjects(connection), views, settings, lambda: datetime.fromtimestamp(time.time(), UTC))
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: ended.append(number))
    keeper.start()
    told: object = None
    while not ended:
        before = time.clock_gettime(time.CLOCK_BOOTTIME)
        held = sorted(keeper.mine())
        if held != told:
            told = held
            print(f"{before:.3f} {held}", flush=True)
        time.sleep(0.02)
    keeper.stop()
    views.close()
    connection.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
