"""The control socket: who asks is known, nonsense is answered, and a second daemon keeps out."""

import getpass
import json
import os
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from controller.web.client import DaemonRefusedError, DaemonUnavailableError, call, stream
from controller.web.protocol import MOST_REQUEST_BYTES, ProtocolError, Request, SocketPathError, parse_request
from controller.web.socket import Answer, ControlServer, RequestRefusedError, SocketInUseError
from tests.parts.net import wait_until

closed = threading.Event()


def counting() -> Iterator[dict[str, object]]:
    try:
        for number in range(1_000_000):
            yield {"n": number}
            time.sleep(0.001)
    finally:
        closed.set()


def handle(request: Request) -> Answer:
    answers: dict[str, Callable[[], Answer]] = {
        "echo": lambda: {"verb": request.verb, "args": dict(request.args), "actor": request.actor},
        "three": lambda: ({"n": number} for number in range(3)),
        "count": counting,
        "bug": lambda: {"x": [][1]},
        "disk": lambda: {"x": Path("/nonexistent/file").read_text()},
    }
    if request.verb not in answers:
        raise RequestRefusedError(f"unknown verb `{request.verb}`; known: {', '.join(answers)}")
    return answers[request.verb]()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tidegate.sock"


@pytest.fixture
def server(path: Path) -> Iterator[ControlServer]:
    server = ControlServer(path, handle)
    server.start()
    yield server
    server.stop()


def raw(path: Path, sent: bytes, finish: bool = False) -> dict[str, object]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(str(path))
        connection.sendall(sent)
        if finish:
            connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as lines:
            answer = json.loads(lines.readline())
            assert isinstance(answer, dict)
            return answer


@pytest.mark.usefixtures("server")
def test_the_kernel_says_who_asks(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUDO_USER", raising=False)
    answer = call(path, "echo", {"name": "support-bot", "reason": "naïve"})
    assert answer == {"verb": "echo", "args": {"name": "support-bot", "reason": "naïve"}, "actor": getpass.getuser()}
    monkeypatch.setenv("SUDO_USER", "ana")
    assert call(path, "echo")["actor"] == f"ana (as {getpass.getuser()})"


@pytest.mark.usefixtures("server")
def test_the_socket_is_for_user_and_group_only(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert [one.name for one in path.parent.iterdir()] == [path.name]


@pytest.mark.usefixtures("server")
def test_streams_until_it_ends_or_the_reader_goes(path: Path) -> None:
    assert list(stream(path, "three")) == [{"n": 0}, {"n": 1}, {"n": 2}]
    assert [one["verb"] for one in stream(path, "echo")] == ["echo"]
    closed.clear()
    endless = stream(path, "count")
    assert next(endless) == {"n": 0}
    endless.close()  # type: ignore[attr-defined]  # it is a generator
    assert closed.wait(5)


@pytest.mark.usefixtures("server")
def test_refusals_and_faults_are_answered(path: Path) -> None:
    with pytest.raises(DaemonRefusedError, match="unknown verb `nonsense`; known: echo"):
        call(path, "nonsense")
    with pytest.raises(DaemonRefusedError, match=r"internal error .IndexError., see the log"):
        call(path, "bug")
    with pytest.raises(DaemonRefusedError, match=r"internal error .FileNotFoundError., see the log"):
        call(path, "disk")
    with pytest.raises(DaemonUnavailableError, match="stream or nothing"):
        call(path, "three")
    with pytest.raises(DaemonRefusedError, match="too long"):
        call(path, "echo", {"x": "y" * MOST_REQUEST_BYTES})


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    "sent",
    [b"\n", b"nonsense\n", b"[1]\n", b"{}\n", b'{"verb": 1}\n', b'{"verb": "echo", "args": []}\n', b"\xff\xfe\n",
     b'{"verb": "echo", "on_behalf": "a b; c"}\n', b"[" * 60_000 + b"\n", b"x" * (MOST_REQUEST_BYTES * 3) + b"\n"],
)  # fmt: skip
def test_nonsense_gets_an_answer(path: Path, sent: bytes) -> None:
    answer = raw(path, sent)
    assert answer["ok"] is False
    assert answer["error"]


@pytest.mark.usefixtures("server")
def test_half_a_request_gets_an_answer_when_it_ends(path: Path) -> None:
    assert "newline" in str(raw(path, b'{"verb": "echo"}', finish=True)["error"])


def test_who_asks_cannot_be_overwritten_only_added_to() -> None:
    assert parse_request(b'{"verb": "x", "on_behalf": "root"}\n', "eve").actor == "root (as eve)"
    assert parse_request(b'{"verb": "x", "actor": "root"}\n', "eve").actor == "eve"
    with pytest.raises(ProtocolError):
        parse_request(b'{"verb": "x", "on_behalf": 1}\n', "eve")


@pytest.mark.usefixtures("server")
def test_a_second_daemon_keeps_out(path: Path) -> None:
    with pytest.raises(SocketInUseError, match="another daemon listens"):
        ControlServer(path, handle).start()
    assert call(path, "echo")["verb"] == "echo"


def test_a_stale_socket_is_replaced_and_a_file_is_not(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    with pytest.raises(DaemonUnavailableError, match="left from a daemon that ended"):
        call(path, "echo")
    server = ControlServer(path, handle)
    server.start()
    assert call(path, "echo")["verb"] == "echo"
    server.stop()
    assert not path.exists()
    path.write_text("precious")
    with pytest.raises(SocketInUseError, match="is no socket"):
        ControlServer(path, handle).start()
    assert path.read_text() == "precious"


def test_stopping_leaves_a_successors_socket_alone(path: Path) -> None:
    first, second = ControlServer(path, handle), ControlServer(path, handle)
    first.start()
    path.unlink()
    second.start()
    first.stop()
    assert call(path, "echo")["verb"] == "echo"
    second.stop()


def test_places_that_cannot_be_are_told(tmp_path: Path) -> None:
    with pytest.raises(DaemonUnavailableError, match="start `tidegate run`"):
        call(tmp_path / "none.sock", "echo")
    long = tmp_path / ("x" * 120)
    with pytest.raises(SocketPathError, match="choose a shorter one"):
        ControlServer(long, handle).start()
    with pytest.raises(DaemonUnavailableError, match="choose a shorter one"):
        call(long, "echo")
    with pytest.raises(SocketInUseError, match="cannot listen on"):
        ControlServer(tmp_path / "missing" / "x.sock", handle).start()


def test_stops_within_a_second_in_the_middle_of_a_stream(path: Path) -> None:
    server = ControlServer(path, handle)
    server.start()
    reader = stream(path, "count")
    next(reader)
    began = time.monotonic()
    server.stop()
    assert time.monotonic() - began < 1
    with pytest.raises(DaemonUnavailableError):
        list(reader)
    wait_until(closed.is_set, 5, "the stream to be closed")


def test_what_answers_and_is_not_tidegate_is_told(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()

        def answer() -> None:
            peer, _ = other.accept()
            with peer:
                peer.recv(1000)
                peer.sendall(b"220 mail.example ESMTP\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(DaemonUnavailableError, match="is not Tidegate"):
            call(path, "echo")
        thread.join()


@pytest.mark.skipif(os.getuid() == 0, reason="root may open everything")
def test_a_socket_one_may_not_use_is_told(path: Path) -> None:
    server = ControlServer(path, handle)
    server.start()
    path.chmod(0)
    with pytest.raises(DaemonUnavailableError, match="you may not use"):
        call(path, "echo")
    server.stop()
