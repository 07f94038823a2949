"""How each program of the demo is started: its command line, in one place."""

import sys
from collections.abc import Sequence

from controller.demo.processes import Program


def _module(name: str, *arguments: object) -> tuple[str, ...]:
    return (sys.executable, "-m", f"controller.demo.{name}", *(str(argument) for argument in arguments))


def judge(versions: Sequence[str], *, port: int = 0) -> Program:
    """The one judge of all versions."""
    return Program("judge", _module("judge", "--port", port, "--versions", ",".join(versions)), port)


def slack_receiver(*, port: int = 0) -> Program:
    """What stands for Slack."""
    return Program("slack_receiver", _module("slack_receiver", "--port", port), port)


def model_server(
    version: str, *, judge_url: str | None = None, wrong: float = 0.0, harmful: float = 0.0, latency_ms: float = 20.0,
    load_seconds: float = 0.0, sample: float = 1.0, seed: int = 0, port: int = 0,
) -> Program:  # fmt: skip
    """One version of the model; ready when its weights are loaded."""
    argv = _module(
        "model_server", "--port", port, "--name", version, "--wrong", wrong, "--harmful", harmful,
        "--latency-ms", latency_ms, "--load-seconds", load_seconds, "--sample", sample, "--seed", seed,
        *(("--judge", judge_url) if judge_url else ()),
    )  # fmt: skip
    return Program(version, argv, port, deadline=30.0 + load_seconds)


def client(
    url: str,
    *,
    rate: float = 80.0,
    conversations: float = 0.3,
    streams: float = 0.1,
    duration: float = 600.0,
    seed: int = 0,
    name: str = "client",
) -> Program:
    """The customers; start it with `wait=False`, it serves nothing. Its log's last line are the totals."""
    argv = _module(
        "client", "--url", url, "--rate", rate, "--conversations", conversations, "--streams", streams,
        "--duration", duration, "--seed", seed,
    )  # fmt: skip
    return Program(name, argv, health=None)
