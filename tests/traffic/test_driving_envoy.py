"""An Envoy that someone else runs, with the bootstrap that the how-to page shows."""

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from controller.domain.traffic import RouterUnavailableError, Split
from controller.testing.conformance.traffic_rig import settle
from controller.traffic.envoy import EnvoyRouter
from tests.parts.envoy import start_envoy
from tests.parts.tools import ROOT
from tests.traffic.models import ask
from tests.traffic.rigs import V11, V12, EnvoyRig, an_envoy_rig

PAGE = ROOT / "docs" / "how-to" / "drive-your-own-envoy.md"
CANARY = Split(V11, V12, weight=25)


@pytest.fixture
def rig() -> Iterator[EnvoyRig]:
    """A rig whose Envoy is started by the test from the page's bootstrap."""
    with an_envoy_rig() as fresh:
        target = replace(fresh.binding.route.envoy, listen=None)
        fresh.binding = replace(fresh.binding, route=replace(fresh.binding.route, target=target))
        fresh.router = EnvoyRouter(fresh.binding)
        subprocess.run(["sh", "-ec", block("sh", fresh)], check=True)
        yield fresh


def block(language: str, rig: EnvoyRig) -> str:
    """The first block of that language on the page, for the rig's folder."""
    text = re.search(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert text is not None
    return text[1].replace("/etc/envoy/tidegate", str(rig.folder))


def bootstrap(rig: EnvoyRig, changes: dict[str, str] | None = None) -> Path:
    """The first YAML block of the page, with the test's own ports and folder."""
    changed = block("yaml", rig).replace("9901", str(rig.admin_port)).replace("8080", str(rig.port))
    for old, new in (changes or {}).items():
        assert old in changed
        changed = changed.replace(old, new)
    path = rig.folder.with_name(rig.folder.name + "-bootstrap.yaml")
    path.write_text(changed)
    return path


@pytest.fixture(autouse=True)
def cleaned(rig: EnvoyRig) -> Iterator[None]:
    yield
    for path in rig.folder.parent.glob(rig.folder.name + "-bootstrap.*"):
        path.unlink()


def test_the_page_shows_a_bootstrap_that_works(rig: EnvoyRig) -> None:
    with start_envoy(bootstrap(rig), rig.admin_port):
        assert rig.router.observe().table is None
        assert rig.send(1) == []
        settle(rig, Split(V11))
        assert rig.send(5) == [V11] * 5
        settle(rig, CANARY)
        assert set(rig.send(60)) == {V11, V12}
        settle(rig, Split(V11))
    assert not (rig.folder / "lds.json").exists()
    assert not (rig.folder / "bootstrap.json").exists()


def test_files_that_were_there_first_are_read_at_its_start(rig: EnvoyRig) -> None:
    rig.router.apply(Split(V11))
    with start_envoy(bootstrap(rig), rig.admin_port):
        assert settle(rig, Split(V11)).accepted


def test_a_rollout_shares_the_virtual_host_of_its_hosts(rig: EnvoyRig) -> None:
    health = {"name": "health", "match": {"prefix": "/health"}, "direct_response": {"status": 204}}
    rest = {"name": "rest", "match": {"prefix": "/"}, "direct_response": {"status": 418}}
    theirs = {"name": "theirs", "domains": ["*"], "routes": [health, rest]}
    config = {"@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration", "name": "tidegate"}
    content = {"version_info": "1", "resources": [{**config, "virtual_hosts": [theirs]}]}
    (rig.folder / "rds.json").write_text(json.dumps(content))
    with start_envoy(bootstrap(rig), rig.admin_port):
        settle(rig, CANARY)
        assert len(rig.send(10)) == 10
        assert ask(rig.port, 1, path="/health") == []
    held = json.loads((rig.folder / "rds.json").read_text())["resources"][0]["virtual_hosts"]
    assert [route for route in held[0]["routes"] if not route["name"].startswith("tidegate/")] == [health, rest]
    assert held[0]["routes"][0] == health


def test_an_envoy_that_never_reads_our_routes_is_told(rig: EnvoyRig) -> None:
    with (
        start_envoy(bootstrap(rig, {"route_config_name: tidegate": "route_config_name: other"}), rig.admin_port),
        pytest.raises(RouterUnavailableError, match="no listener that uses the route configuration `tidegate`"),
    ):
        rig.router.observe()


def test_without_an_admin_layer_an_unwritable_folder_is_told_with_both_reasons(rig: EnvoyRig) -> None:
    changes = {"- {name: admin, admin_layer: {}}": "- {name: fixed, static_layer: {}}"}
    with start_envoy(bootstrap(rig, changes), rig.admin_port):
        settle(rig, CANARY)
        (rig.folder / ".spare").unlink()
        (rig.folder / ".spare").mkdir()
        with pytest.raises(RouterUnavailableError, match=r"cannot write .*nor by Envoy's runtime"):
            rig.router.apply(Split(V11))


def test_a_missing_folder_is_told_before_anything_is_written(rig: EnvoyRig) -> None:
    target = replace(rig.binding.route.envoy, config_dir=str(rig.folder / "nowhere"))
    router = EnvoyRouter(replace(rig.binding, route=replace(rig.binding.route, target=target)))
    with pytest.raises(RouterUnavailableError, match=r"no folder .*/nowhere: make it"):
        router.apply(Split(V11))


def test_the_split_is_not_raised_on_an_envoy_that_does_not_read_the_clusters(rig: EnvoyRig) -> None:
    (rig.folder / "theirs.json").write_text('{"resources": []}')
    changes = {f"{rig.folder}/cds.json": f"{rig.folder}/theirs.json"}
    with start_envoy(bootstrap(rig, changes), rig.admin_port):
        with pytest.raises(RouterUnavailableError, match=r"has not taken .*/cds.json .*the candidate gets no more"):
            rig.router.apply(CANARY)
        assert rig.router.observe().table is None
