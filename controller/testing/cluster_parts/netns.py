"""A network of its own on this machine: a namespace whose addresses 10.77.0.0/16 are all local to it.

Kubernetes refuses loopback addresses in EndpointSlices; inside, a backend may listen on any 10.77.x.y. Works as root
(`unshare --net`) and as an ordinary user where user namespaces are allowed (`unshare --user --map-root-user --net`).
We stay outside and hold sockets of the inside; programs are started inside, or reach across by a `Forward`.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from controller.testing.cluster_parts import netns_agent
from controller.testing.cluster_parts.forward import Forward
from controller.testing.cluster_parts.patience import LOOPBACK
from controller.testing.cluster_parts.process import Process
from controller.testing.cluster_parts.programs import PartError

FIRST_ADDRESS, MASK = "10.77.0.1", "255.255.0.0"
AS_ROOT: tuple[str, ...] = ()
AS_USER = ("--user", "--map-root-user")
PATIENCE = 20.0


class NetnsRefusedError(PartError):
    """This machine lets us make no network namespace; says what it answered to each way of asking."""


class Netns:
    """Exists from construction to `stop`, which also ends every process that is still inside."""

    def __init__(self, ways: Sequence[tuple[str, ...]] | None = None) -> None:
        """Raises NetnsRefusedError. `ways` are tried in turn; by default those that may work for who we are."""
        refusals = []
        if missing := [name for name in ("unshare", "nsenter") if shutil.which(name) is None]:
            raise NetnsRefusedError(f"no {' and no '.join(missing)} on PATH (they come with util-linux)")
        for way in ways or ((AS_ROOT, AS_USER) if os.geteuid() == 0 else (AS_USER,)):
            agent, control = _start_agent(way)
            if _said_ready(control):
                break
            refusals.append(f"`unshare {' '.join((*way, '--net'))}`: {_end(agent, control)}")
        else:
            raise NetnsRefusedError("no network namespace is allowed here. " + "; ".join(refusals))
        self._agent, self._control, self._way = agent, control, way
        self._inode = _namespace(agent.pid)
        self._forwards: list[Forward] = []

    @staticmethod
    def address(number: int) -> str:
        """One of its addresses: 1 to 254. 1 is meant for the gateway."""
        return f"10.77.0.{number}"

    def command(self, argv: Sequence[str | Path]) -> list[str]:
        """The same command, run inside. It keeps its pid: nothing forks in between."""
        user = ["--user", "--preserve-credentials"] if self._way == AS_USER else []
        return ["nsenter", "--target", str(self._agent.pid), *user, "--net", "--", *map(str, argv)]

    def start(
        self, name: str, argv: Sequence[str | Path], log: Path, *, env: Mapping[str, str] | None = None
    ) -> Process:
        """Start a program inside; the caller stops it, or `stop` does."""
        return Process(name, argv, log, env=env, through=self.command([]))

    def new_socket(self) -> socket.socket:
        """A new TCP socket of the inside, for this process to bind or connect."""
        self._control.send(b"socket")
        _, numbers, _, _ = socket.recv_fds(self._control, 16, 1)
        if not numbers:
            raise PartError("the agent of the network namespace is gone")
        return socket.socket(fileno=numbers[0])

    def listen(self, address: str, port: int = 0) -> socket.socket:
        """A socket that listens inside; accept on it from here. `port` 0 takes a free one."""
        made = self.new_socket()
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind((address, port))
            made.listen(128)
        except OSError:
            made.close()
            raise
        return made

    def connect(self, address: str, port: int, timeout: float = 10.0) -> socket.socket:
        """A connection to somebody inside. Raises OSError."""
        made = self.new_socket()
        try:
            made.settimeout(timeout)
            made.connect((address, port))
        except OSError:
            made.close()
            raise
        return made

    def free_port(self) -> int:
        """A port that nobody inside listens on now, at any address."""
        with self.new_socket() as made:
            made.bind(("", 0))
            return int(made.getsockname()[1])

    def reach(self, address: str, port: int) -> Forward:
        """A free loopback port out here that leads to an address inside: `forward.port`, `forward.url`."""
        return self._keep(Forward(socket.create_server((LOOPBACK, 0)), lambda: self.connect(address, port)))

    def expose(self, port: int) -> Forward:
        """Let those inside reach 127.0.0.1:`port` out here, under that very address."""
        return self._keep(Forward(self.listen(LOOPBACK, port), lambda: socket.create_connection((LOOPBACK, port), 10)))

    def processes(self) -> list[int]:
        """The processes inside now, the agent aside."""
        pids = (int(path.name) for path in Path("/proc").glob("[0-9]*"))
        return [pid for pid in pids if pid != self._agent.pid and _namespace(pid) == self._inode]

    def stop(self) -> None:
        """Close the ways across, kill what is left inside, and let the namespace go. Stopping twice is harmless."""
        for forward in self._forwards:
            forward.stop()
        self._forwards.clear()
        if self._agent.poll() is None:
            for pid in self.processes():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        _end(self._agent, self._control)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _keep(self, forward: Forward) -> Forward:
        self._forwards.append(forward)
        return forward


def _start_agent(way: Sequence[str]) -> tuple[subprocess.Popen[str], socket.socket]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(PATIENCE)
    agent = [sys.executable, "-I", netns_agent.__file__, str(theirs.fileno()), FIRST_ADDRESS, MASK]
    with theirs:
        started = subprocess.Popen(
            ["unshare", *way, "--net", "--", *agent], pass_fds=[theirs.fileno()], start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
    return started, ours


def _said_ready(control: socket.socket) -> bool:
    try:
        return control.recv(16) == b"ready"
    except OSError:
        return False


def _end(agent: subprocess.Popen[str], control: socket.socket) -> str:
    """Close our side, which ends the agent; what it complained about."""
    control.close()
    try:
        _, said = agent.communicate(timeout=5)
    except subprocess.TimeoutExpired:
        agent.kill()
        _, said = agent.communicate()
    except ValueError:  # its pipes are closed: it was ended before
        return ""
    return said.strip()[-400:]


def _namespace(pid: int) -> int:
    """The number of the network namespace a process is in; 0 when it has just gone or is not ours to see."""
    try:
        return Path(f"/proc/{pid}/ns/net").stat().st_ino
    except OSError:
        return 0
