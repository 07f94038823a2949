"""The network of a test's own, and the ways across its border."""

import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from controller.testing.cluster_parts.backend import Backend
from controller.testing.cluster_parts.netns import AS_ROOT, AS_USER, Netns, NetnsRefusedError
from controller.testing.cluster_parts.patience import wait_until

NO_SUCH_WAY = ("--no-such-way",)


def fetch(url: str, timeout: float = 5.0) -> str:
    with urllib.request.urlopen(url, timeout=timeout) as answer:
        return bytes(answer.read()).decode()


@pytest.mark.parametrize("way", [AS_ROOT, AS_USER], ids=["as-root", "as-user"])
def test_a_backend_inside_is_reached_from_both_sides(way: tuple[str, ...]) -> None:
    try:
        netns = Netns([way])
    except NetnsRefusedError as refused:
        pytest.skip(str(refused))
    with netns, Backend("v1", netns, netns.address(200)) as backend:
        forward = netns.reach(backend.address, backend.port)
        assert fetch(forward.url) == "v1"
        ask = f"import urllib.request as u; print(u.urlopen('http://{backend.address}:{backend.port}').read().decode())"
        inside = subprocess.run(netns.command([sys.executable, "-c", ask]), capture_output=True, text=True, timeout=30)
        assert inside.stdout == "v1\n", inside.stderr
        assert backend.count == 2


def test_an_address_of_ours_is_the_same_inside(netns: Netns) -> None:
    with Netns() as other, Backend("theirs", other, other.address(9)) as backend:
        ours = other.reach(backend.address, backend.port)
        netns.expose(ours.port)
        with netns.connect("127.0.0.1", ours.port) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.1 200")


def test_nothing_inside_outlives_its_network(netns: Netns, tmp_path: Path) -> None:
    del netns  # it says whether there can be one
    with Netns() as own:
        process = own.start("sleep", ["sleep", "1000"], tmp_path / "sleep.log")
        wait_until(lambda: process.pid in own.processes(), 10, "sleep to be inside")
    wait_until(lambda: not process.alive, 10, "sleep to be gone")
    own.stop()


def test_a_machine_that_forbids_it_is_told_with_its_own_words() -> None:
    with pytest.raises(NetnsRefusedError, match=r"`unshare --no-such-way --net`: unshare: unrecognized option"):
        Netns([NO_SUCH_WAY])


def test_a_forward_can_be_a_bad_network(netns: Netns) -> None:
    with Backend("v1", netns, netns.address(201)) as backend:
        forward = netns.reach(backend.address, backend.port)
        forward.freeze()
        with pytest.raises(TimeoutError):
            fetch(forward.url, timeout=0.3)
        forward.thaw()
        assert fetch(forward.url) == "v1"
        wait_until(lambda: forward.drop() == 0, 10, "what was fetched to be closed on both sides")
        with netns.connect(backend.address, backend.port):
            assert forward.drop() == 0
        forward.stop()
        with pytest.raises(OSError, match="refused"):
            fetch(forward.url)
