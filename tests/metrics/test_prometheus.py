"""Prometheus's faults: each is a sentence that says what, where and what to do, and never a number."""

import logging
import time
from datetime import timedelta
from pathlib import Path

import pytest

from controller.domain.measure import FamilyAsk, FamilyReading, QueryAsk, ValueReading
from controller.domain.rollout import MetricServer
from controller.domain.slo import Matcher
from controller.metrics.prometheus import Prometheus
from controller.testing.clock import START
from tests.metrics.api_stub import ApiStub, Asked, Reply, json_reply, matrix, vector
from tests.parts.net import LOOPBACK, free_port

ASK = FamilyAsk("a_total", (Matcher("version", ("v11", "v12")),))
QUERY = QueryAsk("cost")
SECRET = "sesame-opens-all"


def server(url: str, **more: object) -> MetricServer:
    return MetricServer("prometheus", (url,), **{"timeout": timedelta(seconds=5), **more})  # type: ignore[arg-type]  # by name


def family(answer: Reply, **more: object) -> FamilyReading:
    with ApiStub(answer) as stub:
        return Prometheus(server(stub.url, **more)).fetch([ASK], START).families["a_total"]


def value(answer: Reply) -> ValueReading:
    with ApiStub(answer) as stub:
        return Prometheus(server(stub.url)).fetch([QUERY], START).values["cost"]


def problem(answer: Reply, **more: object) -> str:
    """What is wrong with a family; nothing of it may be used."""
    reading = family(answer, **more)
    assert not reading.series
    assert reading.problem is not None
    return reading.problem


class TestAsking:
    def test_the_query_goes_into_the_body_not_into_the_url(self) -> None:
        with ApiStub(matrix()) as stub:
            Prometheus(server(stub.url + "/prom/")).fetch([ASK], START)
        (asked,) = stub.asked
        assert (asked.method, asked.path) == ("POST", "/prom/api/v1/query")
        assert asked.form == {"query": 'a_total{version=~"v11|v12"}[60s]', "time": f"{START.timestamp():.3f}"}

    def test_the_window_covers_four_scrapes_and_every_silence(self) -> None:
        with ApiStub(matrix()) as stub:
            provider = Prometheus(server(stub.url, scrape_interval=timedelta(seconds=30)))
            provider.fetch([ASK], START)
            stub.answer = Reply(status=500)
            provider.fetch([ASK], START + timedelta(minutes=3))
            stub.answer = matrix()
            for minutes in (5, 6, 60):
                provider.fetch([ASK], START + timedelta(minutes=minutes))
        windows = [asked.form["query"].rpartition("[")[2] for asked in stub.asked]
        assert windows == ["120s]", "240s]", "360s]", "120s]", "900s]"]

    def test_samples_keep_their_own_timestamps(self) -> None:
        labels = {"__name__": "a_total", "version": "v12", "pod": "a"}
        (series,) = family(matrix((labels, [(1.5, "3"), (16.5, "5e3")]))).series
        assert series.labels == (("pod", "a"), ("version", "v12"))
        assert series.samples == ((1.5, 3.0), (16.5, 5000.0))

    def test_many_values_are_one_query(self) -> None:
        names = tuple(f"version-{number:05}" for number in range(2000))
        with ApiStub(matrix(({"version": names[0]}, [(1, "1")]))) as stub:
            shot = Prometheus(server(stub.url)).fetch([FamilyAsk("a_total", (Matcher("version", names),))], START)
        assert len(stub.asked) == len(shot.families["a_total"].series) == 1

    def test_a_server_that_refuses_long_queries_is_asked_in_parts_from_then_on(self) -> None:
        names = tuple(f"version-{number:05}" for number in range(2000))
        ask = FamilyAsk("a_total", (Matcher("version", names),))

        def answer(asked: Asked) -> Reply:
            if len(asked.form["query"]) > 16_384:
                return Reply(b"too long query", 422)
            first = asked.form["query"].partition('"')[2].partition("|")[0]
            return matrix(({"version": first}, [(1, "1")]))

        with ApiStub(answer) as stub:
            asking = Prometheus(server(stub.url))
            assert len(asking.fetch([ask], START).families["a_total"].series) == 4
            assert len(stub.asked) == 5
            assert len(asking.fetch([ask], START).families["a_total"].series) == 4
        assert len(stub.asked) == 9

    def test_zipped_answers_are_read(self) -> None:
        body = matrix(*(({"pod": str(pod)}, [(1, "1")]) for pod in range(20_000))).body
        assert len(family(Reply(body, zipped=True)).series) == 20_000


class TestAnswers:
    @pytest.mark.parametrize("kind", ["warnings", "infos"])
    def test_warnings_are_not_dropped(self, kind: str) -> None:
        """Partial data would look complete."""
        said = {kind: ["shard 3 did not answer"]}
        assert problem(matrix(({"v": "1"}, [(1, "1")]), **said)) == "partial: shard 3 did not answer"
        assert value(vector("1", **said)).problem == "partial: shard 3 did not answer"

    def test_an_info_about_a_name_is_harmless(self) -> None:
        info = 'PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "a"'
        assert value(vector("1", infos=[info])) == ValueReading(1.0)

    @pytest.mark.parametrize("values", [(), ("1", "2", "3")])
    def test_a_value_is_exactly_one(self, values: tuple[str, ...]) -> None:
        count = len(values) or "no"
        assert f"{count} series came back; exactly one is needed" in (value(vector(*values)).problem or "")

    def test_a_scalar_is_a_value(self) -> None:
        answer = {"status": "success", "data": {"resultType": "scalar", "result": [0, "2.5"]}}
        assert value(json_reply(answer)) == ValueReading(2.5)

    @pytest.mark.parametrize(
        ("answer", "said"),
        [
            (
                json_reply({"status": "error", "error": "parse error: x"}, 400),
                "answered 400: parse error: x; the query",
            ),
            (
                json_reply({"status": "error", "error": "too many samples"}, 422),
                "422: too many samples; the query is too",
            ),
            (Reply(b"oops", 500), "answered 500; see the log of the metrics server"),
            (Reply(b"", 401), "answered 401; check the bearer token or the password"),
            (Reply(b"not here", 404), "answered 404; is this the address of a Prometheus server's API?"),
            (Reply(b"", 302, headers={"Location": "http://elsewhere/"}), "it redirects: give the address"),
            (Reply(b"<html>log in</html>", kind="text/html"), "answered something that is not a query result"),
            (Reply(b""), "answered something that is not a query result"),
            (json_reply([1, 2]), "answered something that is not a query result"),
            (json_reply({"status": "success"}), "answered something that is not a query result"),
            (json_reply({"status": "success", "data": {"resultType": "matrix", "result": {}}}), "no list of results"),
            (json_reply({"status": "error", "data": {"resultType": "matrix", "result": []}}), "is of type matrix, not"),
            (vector("1"), "the answer is of type vector, not matrix"),
            (matrix(({"v": "1"}, [(1, "one")])), "a series of the answer cannot be read"),
            (
                json_reply({"status": "success", "data": {"resultType": "matrix", "result": [{"metric": {}}]}}),
                "a series of the answer cannot be read",
            ),
            (
                json_reply(
                    {
                        "status": "success",
                        "data": {"resultType": "matrix", "result": [{"metric": {}, "histograms": []}]},
                    }
                ),
                "native histograms",
            ),
        ],
    )
    def test_what_is_no_answer(self, answer: Reply, said: str) -> None:
        assert said in problem(answer)

    def test_nan_is_passed_on(self) -> None:
        (series,) = family(matrix(({"v": "1"}, [(1, "NaN")]))).series
        assert series.samples[0][1] != series.samples[0][1]


class TestServer:
    def test_down(self) -> None:
        shot = Prometheus(server(f"http://{LOOPBACK}:{free_port()}")).fetch([ASK, QUERY], START)
        for reading in (shot.families["a_total"], shot.values["cost"]):
            assert "cannot be reached (Connection refused); is it up, and is the address right?" in str(reading.problem)

    @pytest.mark.parametrize("answer", [Reply(b" " * 100, trickle=0.05), Reply(matrix().body, trickle=0.05)])
    def test_slow_takes_no_longer_than_the_timeout_for_all_asks_together(self, answer: Reply) -> None:
        asks = [FamilyAsk(f"m{number}_total") for number in range(5)]
        with ApiStub(answer) as stub:
            began = time.monotonic()
            shot = Prometheus(server(stub.url, timeout=timedelta(seconds=0.5))).fetch(asks, START)
            took = time.monotonic() - began
        assert took < 2
        assert len(stub.asked) == 1
        assert all("no whole answer within 0.5 s" in str(one.problem) for one in shot.families.values())

    def test_cut_off(self) -> None:
        body = matrix(({"v": "1"}, [(1, "1")])).body
        assert "the request or its answer failed (" in problem(Reply(body, cut=10))

    def test_too_large(self) -> None:
        with ApiStub(Reply(b" " * 10_000, zipped=True)) as stub:
            shot = Prometheus(server(stub.url), largest=1000).fetch([ASK], START)
        assert "the answer is larger than 1000 bytes" in str(shot.families["a_total"].problem)

    def test_one_refused_ask_does_not_spoil_the_others(self) -> None:
        def answer(asked: Asked) -> Reply:
            return Reply(status=422) if asked.form["query"].startswith("big") else matrix()

        with ApiStub(answer) as stub:
            shot = Prometheus(server(stub.url)).fetch([FamilyAsk("big_total"), ASK], START)
        assert shot.families["big_total"].problem
        assert shot.families["a_total"] == FamilyReading()


class TestCredentials:
    @pytest.fixture
    def secret(self, tmp_path: Path) -> Path:
        path = tmp_path / "secret"
        path.write_text(f"{SECRET}\n")
        return path

    def test_a_rotated_token_is_used_at_once(self, secret: Path) -> None:
        with ApiStub(matrix()) as stub:
            provider = Prometheus(server(stub.url, bearer_file=str(secret), headers=(("X-Scope-OrgID", "team"),)))
            provider.fetch([ASK], START)
            secret.write_text("the-next-one")
            provider.fetch([ASK], START)
        assert [asked.headers["Authorization"] for asked in stub.asked] == [f"Bearer {SECRET}", "Bearer the-next-one"]
        assert {asked.headers["X-Scope-OrgID"] for asked in stub.asked} == {"team"}

    def test_a_password(self, secret: Path) -> None:
        with ApiStub(matrix()) as stub:
            Prometheus(server(stub.url, basic_user="ops", basic_password_file=str(secret))).fetch([ASK], START)
        assert stub.asked[0].headers["Authorization"] == "Basic b3BzOnNlc2FtZS1vcGVucy1hbGw="

    def test_without_credentials_none_are_found_elsewhere(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / ".netrc").write_text(f"machine {LOOPBACK} login me password {SECRET}\n")
        monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
        with ApiStub(matrix()) as stub:
            Prometheus(server(stub.url)).fetch([ASK], START)
        assert "Authorization" not in stub.asked[0].headers

    def test_a_missing_file_is_told(self, tmp_path: Path) -> None:
        said = problem(matrix(), bearer_file=str(tmp_path / "gone"))
        assert said.startswith(f"cannot read the secret in {tmp_path}/gone: No such file or directory; check that")

    @pytest.mark.parametrize("text", [SECRET, f"{SECRET} ✓", f"{SECRET}\nx: y"])
    def test_no_secret_is_ever_told(self, secret: Path, text: str, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        secret.write_text(text)
        url = f"http://me:{SECRET}@{LOOPBACK}:{free_port()}/?token={SECRET}"
        shot = Prometheus(server(url, bearer_file=str(secret))).fetch([ASK, QUERY], START)
        assert shot.families["a_total"].problem
        assert SECRET not in repr(shot)
        with ApiStub(json_reply({"status": "error", "error": "no"}, 403)) as stub:
            shot = Prometheus(server(stub.url, bearer_file=str(secret))).fetch([ASK], START)
        assert shot.families["a_total"].problem
        assert SECRET not in repr(shot) + caplog.text
