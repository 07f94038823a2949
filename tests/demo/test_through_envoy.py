"""The whole world behind a real Envoy: split, mirror and judge agree, to the request."""

import json
from pathlib import Path

from controller.demo import programs as start
from controller.demo.processes import Processes, Running
from controller.demo.serving import LoopbackServer, Reply, Request, json_reply
from controller.demo.talk import ask
from tests.demo.rigs import VERSIONS, count, port_of
from tests.parts.envoy import an_envoy
from tests.parts.net import free_port, wait_until

TYPES = "type.googleapis.com/envoy.extensions.filters"


def address(port: int) -> dict[str, object]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def cluster(name: str, port: int) -> dict[str, object]:
    endpoint = {"endpoint": {"address": address(port)}}
    return {"name": name, "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]}}


def bootstrap(models: dict[str, Running], admin: int, listener: int) -> dict[str, object]:
    """75 % to v11, 25 % to v12, half of all mirrored to v13."""
    half = {"default_value": {"numerator": 50, "denominator": "HUNDRED"}}
    route = {
        "weighted_clusters": {"clusters": [{"name": "v11", "weight": 75}, {"name": "v12", "weight": 25}]},
        "request_mirror_policies": [{"cluster": "v13", "runtime_fraction": half}],
    }
    host = {"name": "chat", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": route}]}
    router = {"@type": f"{TYPES}.http.router.v3.Router"}
    manager = {
        "@type": f"{TYPES}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "chat",
        "route_config": {"virtual_hosts": [host]},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": router}],
    }
    chain = {"filters": [{"name": "http", "typed_config": manager}]}
    clusters = [cluster(name, port_of(model)) for name, model in models.items()]
    listeners = [{"name": "chat", "address": address(listener), "filter_chains": [chain]}]
    return {
        "admin": {"address": address(admin)},
        "static_resources": {"listeners": listeners, "clusters": clusters},
    }


def counted_by_envoy(admin: int, name: str) -> int:
    page = ask(admin, "GET", f"/stats?filter=^cluster.{name}.upstream_rq_total$").body.decode()
    return int(page.split(":")[1])


def test_envoy_the_models_the_client_and_the_judge_count_the_same(programs: Processes, tmp_path: Path) -> None:
    judge = programs.start(start.judge(VERSIONS))
    models = {name: programs.start(start.model_server(name, judge_url=judge.url(), latency_ms=5)) for name in VERSIONS}
    admin, listener = free_port(), free_port()
    config = tmp_path / "envoy.json"
    config.write_text(json.dumps(bootstrap(models, admin, listener)))
    with an_envoy(config, admin):
        url = f"http://127.0.0.1:{listener}"
        customers = programs.start(start.client(url, rate=100, streams=0.3, duration=4), wait=False)
        customers.wait_ended(20)
        seen = json.loads(customers.log.read_text().splitlines()[-1])
        assert set(seen["statuses"]) == {"200"}
        assert set(seen["versions"]) == {"v11", "v12"}
        for name in ("v11", "v12"):
            assert counted_by_envoy(admin, name) == seen["versions"][name]
        mirrored = counted_by_envoy(admin, "v13")
        assert 0.3 < mirrored / seen["requests"] < 0.7
        for name, sent in {**seen["versions"], "v13": mirrored}.items():
            wait_until(
                lambda: count(judge, "llm_eval_sampled_total", version=name) == sent,  # noqa: B023 - asked at once
                10,
                f"the judge to have read {sent} answers of {name}",
            )


def test_answers_to_mirrored_requests_are_marked(programs: Processes, tmp_path: Path) -> None:
    """By what Envoy itself writes into the request; the marks go to the judge."""
    marks: dict[object, set[object]] = {name: set() for name in VERSIONS}

    def take(request: Request) -> Reply:
        answers = request.json()["answers"]
        assert isinstance(answers, list)
        for answer in answers:
            marks[answer["version"]].add(answer["mirrored"])
        return json_reply({})

    judge = LoopbackServer(0, {"POST /judge": take})
    judge.start()
    url = f"http://127.0.0.1:{judge.port}"
    models = {name: programs.start(start.model_server(name, judge_url=url, latency_ms=1)) for name in VERSIONS}
    admin, listener = free_port(), free_port()
    config = tmp_path / "envoy.json"
    config.write_text(json.dumps(bootstrap(models, admin, listener)))
    with an_envoy(config, admin):
        programs.start(start.client(f"http://127.0.0.1:{listener}", rate=50, duration=30), wait=False)
        wait_until(lambda: all(marks.values()), 20, "answers of all three")
        programs.stop("client")
    programs.stop_all()
    judge.stop()
    assert marks == {"v11": {None}, "v12": {None}, "v13": {True}}
