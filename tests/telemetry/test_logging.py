"""Log lines: JSON in a pipe, constant names and keys, and neither a secret nor anybody's text."""

import io
import json
import logging as stdlib
from collections.abc import Iterator

import pytest
import structlog

from controller.telemetry.logging import set_up
from controller.telemetry.masking import masked_text, masked_value


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root = stdlib.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def logged(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_one_json_object_per_line() -> None:
    stream = io.StringIO()
    set_up("info", "auto", stream)
    log = structlog.get_logger("runtime")
    log.info("rollback_started", rollout="support-bot", weight=0)
    log.debug("too_quiet")
    stdlib.getLogger("alembic").warning("from %s", "elsewhere")
    stdlib.getLogger("urllib3").info("a URL")
    first, second = logged(stream)
    assert {
        "event": "rollback_started",
        "rollout": "support-bot",
        "weight": 0,
        "level": "info",
    }.items() <= first.items()
    assert str(first["at"]).endswith("Z")
    assert first["logger"] == "runtime"
    assert second["event"] == "from elsewhere"


def test_secrets_and_texts_stay_out_whoever_logs_them() -> None:
    stream = io.StringIO()
    set_up("debug", "json", stream)
    log = structlog.get_logger()
    log.info("asked", bearer_token="s3cret", prompt="s3cret", nested={"password": "s3cret", "content": "s3cret"})
    log.info("asked", server="https://ana:s3cret@host/x", hook="https://hooks.slack.com/services/T0/B0/s3cret")
    try:
        raise RuntimeError("cannot reach http://u:s3cret@host: Authorization: Bearer s3cret-s3cret")
    except RuntimeError:
        log.exception("failed")
        stdlib.getLogger("elsewhere").exception("at http://u:s3cret@host/")
    assert "s3cret" not in stream.getvalue()
    assert "host/x" in stream.getvalue()
    assert "RuntimeError" in stream.getvalue()


def test_a_terminal_gets_lines_for_people() -> None:
    stream = io.StringIO()
    set_up("info", "console", stream)
    structlog.get_logger().info("promoted", token="s3cret", rollout="support-bot")
    assert "promoted" in stream.getvalue()
    assert "s3cret" not in stream.getvalue()


def test_setting_up_again_does_not_double_lines() -> None:
    stream = io.StringIO()
    set_up("info", "json", stream)
    set_up("info", "json", stream)
    structlog.get_logger().info("once")
    assert len(logged(stream)) == 1


def test_an_unknown_level_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="known: debug, info"):
        set_up("loud")


def test_paths_and_numbers_may_be_told() -> None:
    assert masked_value("bearer_file", "/run/secrets/x") == "/run/secrets/x"
    assert masked_value("tokens", 12) == 12
    assert masked_value("token", 12) == 12
    assert masked_value("Authorization", "x") == "[masked]"
    assert masked_value("list", ["http://u:p@h"]) == ["http://[masked]@h"]
    assert masked_text("basic instinct") == "basic instinct"
