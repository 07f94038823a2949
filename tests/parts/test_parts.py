"""Every real part starts, does its job once, and stops."""

import json
import socket
import ssl
import urllib.parse
import urllib.request
from pathlib import Path

import psutil
import psycopg
import pytest
import yaml

from tests.parts.certificates import self_signed
from tests.parts.envoy import an_envoy, start_envoy
from tests.parts.metrics_page import BROKEN, DROPPED, GARBAGE, Fault, MetricsPage
from tests.parts.net import LOOPBACK, TimedOutError, free_port, status_of, wait_until
from tests.parts.postgres import Postgres
from tests.parts.prometheus import Prometheus, a_prometheus, scrape_job


def fetch(url: str, timeout: float = 2.0) -> str:
    with urllib.request.urlopen(url, timeout=timeout) as response:
        return bytes(response.read()).decode(errors="replace")


def instant(prometheus: Prometheus, query: str) -> list[str]:
    """The values that an instant query gives."""
    answer = json.loads(fetch(f"{prometheus.url}/api/v1/query?query={urllib.parse.quote(query)}"))
    return [series["value"][1] for series in answer["data"]["result"]]


def test_a_page_serves_what_it_was_given(metrics_page: MetricsPage) -> None:
    metrics_page.set("answers_total 3\n")
    assert fetch(metrics_page.url) == "answers_total 3\n"
    assert metrics_page.asked == 1


def test_a_page_fails_as_told_and_heals(metrics_page: MetricsPage) -> None:
    metrics_page.set("answers_total 3\n")
    metrics_page.fail(BROKEN)
    assert status_of(metrics_page.url) == 500
    metrics_page.fail(GARBAGE)
    assert "not metrics" in fetch(metrics_page.url)
    metrics_page.fail(DROPPED)
    assert status_of(metrics_page.url) is None
    metrics_page.heal()
    assert fetch(metrics_page.url) == "answers_total 3\n"


def test_a_slow_page_outlasts_the_patience_of_its_reader_and_still_stops_at_once() -> None:
    with MetricsPage() as page:
        page.fail(Fault(delay=60))
        with pytest.raises(TimeoutError):
            fetch(page.url, timeout=0.2)
    assert status_of(page.url) is None


def test_waiting_says_what_for_when_it_was_in_vain() -> None:
    with pytest.raises(TimedOutError, match=r"waited 0\.05 s for the moon; last answer: 0"):
        wait_until(lambda: 0, 0.05, "the moon")


def test_postgres_answers_and_keeps_its_data_over_a_restart(postgres: Postgres, postgres_url: str) -> None:
    dsn = postgres_url.replace("+psycopg", "")
    with psycopg.connect(dsn) as connection:
        connection.execute("CREATE TABLE kept (word text)")
        connection.execute("INSERT INTO kept VALUES ('yes')")
    postgres.restart()
    with psycopg.connect(dsn) as connection:
        assert connection.execute("SELECT word FROM kept").fetchall() == [("yes",)]


def test_postgres_never_runs_as_root(postgres: Postgres) -> None:
    assert psutil.Process(postgres.child.pid).uids().effective != 0


def test_prometheus_scrapes_a_page_and_keeps_what_it_saw_over_a_restart(metrics_page: MetricsPage) -> None:
    metrics_page.set("answers_total 3\n")
    with a_prometheus([scrape_job("models", [metrics_page.target])]) as prometheus:
        wait_until(lambda: instant(prometheus, "answers_total"), 15, "the first scrape")
        metrics_page.stop()
        prometheus.restart()
        assert instant(prometheus, "last_over_time(answers_total[5m])") == ["3"]
    assert status_of(f"{prometheus.url}/-/ready") is None


def test_prometheus_asks_for_the_password_it_was_given() -> None:
    hashed = "$2y$04$tbHI9gT1CBvzPcxNK7TZluyq2w9IBz5v2wBt4UbZvWLZBjVzQzGGu"
    with a_prometheus(web_config={"basic_auth_users": {"reader": hashed}}) as prometheus:
        assert status_of(f"{prometheus.url}/-/ready") == 401


def test_prometheus_speaks_tls(tmp_path: Path) -> None:
    made = self_signed(tmp_path)
    files = {"cert_file": str(made.cert), "key_file": str(made.key)}
    with a_prometheus(web_config={"tls_server_config": files}) as prometheus:
        trust = ssl.create_default_context(cafile=made.cert)
        with urllib.request.urlopen(f"{prometheus.url}/-/ready", context=trust, timeout=5) as response:
            assert response.status == 200


def bootstrap(path: Path, admin_port: int) -> Path:
    address = {"socket_address": {"address": LOOPBACK, "port_value": admin_port}}
    path.write_text(yaml.safe_dump({"admin": {"address": address}}))
    return path


def test_envoy_starts_on_a_bootstrap_file_and_is_gone_afterwards(tmp_path: Path) -> None:
    admin = free_port()
    with an_envoy(bootstrap(tmp_path / "envoy.yaml", admin), admin) as envoy:
        assert "envoy" in psutil.Process(envoy.pid).name()
        assert "server.live: 1" in fetch(f"http://{LOOPBACK}:{admin}/stats?filter=server.live")
    assert not envoy.alive


def test_an_envoy_that_refuses_its_bootstrap_says_why(tmp_path: Path) -> None:
    path = tmp_path / "envoy.yaml"
    path.write_text("admin: {adress: nobody}\n")
    with pytest.raises(AssertionError, match="adress"):
        start_envoy(path, free_port())


def test_a_free_port_can_be_bound() -> None:
    with socket.create_server((LOOPBACK, free_port())) as server:
        assert server.getsockname()[0] == LOOPBACK
