"""`tidegate` as a process that believes in a cluster's DNS: every `NAME.NAMESPACE.svc` is this machine.

python -m benchmarks.kubernetes.pod run --cluster ...
"""

import socket
from collections.abc import Callable
from typing import Any

from controller.__main__ import main

LOOKED_UP: Callable[..., Any] = socket.getaddrinfo


def look_up(host: Any, *args: Any, **named: Any) -> Any:
    """As `socket.getaddrinfo`."""
    known = isinstance(host, str) and host.endswith(".svc")
    return LOOKED_UP("127.0.0.1" if known else host, *args, **named)


if __name__ == "__main__":
    socket.getaddrinfo = look_up
    main()
