"""Templates of a folder, a git repository and a cluster, used across files and across sources."""

from pathlib import Path

import pytest

from controller.domain.cluster import MODEL_ROLLOUT, SLO_TEMPLATE, ObjectRef, Operation
from controller.ports import Specs
from controller.sources import CombinedSource, CustomResources, DirectorySource, GitSource
from controller.spec.yaml_text import read_documents
from controller.testing.cluster import MemoryCluster
from tests.sources.support import HandClock, Repository, key, spec_of
from tests.spec.test_templates import TEMPLATE, using
from tests.spec.texts import MINIMAL, good

WANTED = good(MINIMAL)
STRICT = TEMPLATE.replace("default: 5%", "default: 2%")


def max_bad(specs: Specs) -> float | None:
    return spec_of(specs.rollouts[key("minimal")]).slos[0].max_bad


def folder(path: Path, **files: str) -> DirectorySource:
    path.mkdir(exist_ok=True)
    for name, text in files.items():
        (path / f"{name}.yaml").write_text(text, encoding="utf-8")
    return DirectorySource(path, settle=0.0)


def source(remote: Repository, work: Path) -> GitSource:
    return GitSource(str(remote.path), "main", "rollouts", work, clock=HandClock())


def test_a_template_in_another_file_of_the_folder(tmp_path: Path) -> None:
    specs = folder(tmp_path, a=using(), b=TEMPLATE).read()
    assert (specs.problems, spec_of(specs.rollouts[key("minimal")])) == ((), WANTED)


def test_a_changed_template_changes_what_uses_it(tmp_path: Path) -> None:
    found = folder(tmp_path, a=using(), b=TEMPLATE)
    first = found.read()
    (tmp_path / "b.yaml").write_text(STRICT, encoding="utf-8")
    assert (max_bad(first), max_bad(found.read())) == (0.05, 0.02)


def test_what_is_not_touched_is_not_read_again(tmp_path: Path) -> None:
    found = folder(tmp_path, a=using(), b=TEMPLATE)
    first = found.read().rollouts[key("minimal")].spec
    assert found.read().rollouts[key("minimal")].spec is first


@pytest.mark.parametrize("text", ["", TEMPLATE.replace("indicator:", "indicatr:"), "a: [\n"])
def test_a_template_that_is_gone_or_broken_leaves_the_last_good_rollout(tmp_path: Path, text: str) -> None:
    found = folder(tmp_path, a=using(), b=TEMPLATE)
    found.read()
    (tmp_path / "b.yaml").write_text(text, encoding="utf-8")
    specs = found.read()
    assert spec_of(specs.rollouts[key("minimal")]) == WANTED
    told = str(specs.rollouts[key("minimal")].problems[0])
    assert "there is no SLOTemplate `checked`" in told or "default/checked has mistakes" in told
    assert bool(specs.problems) == bool(text)


def test_a_rollout_that_goes_from_beside_its_template_is_deleted(tmp_path: Path) -> None:
    found = folder(tmp_path, a=f"{using()}---\n{TEMPLATE}")
    found.read()
    (tmp_path / "a.yaml").write_text(TEMPLATE, encoding="utf-8")
    found.read()
    assert found.read().rollouts[key("minimal")].deleted


def test_a_template_given_twice_is_told(tmp_path: Path) -> None:
    specs = folder(tmp_path, a=using(), b=TEMPLATE, c=STRICT).read()
    assert max_bad(specs) == 0.05
    (problem,) = specs.problems
    assert f"c.yaml:1: metadata.name: the SLOTemplate default/checked is also given in {tmp_path}/b.yaml:1" in str(
        problem
    )


def test_a_template_in_another_source_read_before_or_after(tmp_path: Path) -> None:
    rollouts, templates = folder(tmp_path / "a", a=using()), folder(tmp_path / "b", b=TEMPLATE)
    assert max_bad(CombinedSource([rollouts, templates]).read()) == 0.05
    assert max_bad(CombinedSource([templates, rollouts]).read()) == 0.05


def test_templates_in_git_for_a_folder_and_the_other_way_round(tmp_path: Path) -> None:
    remote = Repository(tmp_path / "remote")
    remote.commit({"rollouts/b.yaml": TEMPLATE}, "one")
    git = source(remote, tmp_path / "work")
    rollouts = folder(tmp_path / "a", a=using())
    combined = CombinedSource([rollouts, git])
    assert max_bad(combined.read()) == 0.05
    remote.commit({"rollouts/b.yaml": STRICT}, "two")
    assert git.poll()
    assert max_bad(combined.read()) == 0.02


def test_a_folders_template_for_a_rollout_in_git(tmp_path: Path) -> None:
    remote = Repository(tmp_path / "remote")
    remote.commit({"rollouts/a.yaml": using()}, "one")
    git, templates = source(remote, tmp_path / "work"), folder(tmp_path / "b", b=TEMPLATE)
    combined = CombinedSource([git, templates])
    assert max_bad(combined.read()) == 0.05
    (tmp_path / "b" / "b.yaml").write_text(STRICT, encoding="utf-8")
    assert max_bad(combined.read()) == 0.02


def put(cluster: MemoryCluster, text: str, namespace: str = "default") -> None:
    document = read_documents(text)[0].value
    assert isinstance(document, dict)
    kind = MODEL_ROLLOUT if document["kind"] == "ModelRollout" else SLO_TEMPLATE
    cluster.put(kind, document | {"metadata": document["metadata"] | {"namespace": namespace}})


class TestOfACluster:
    """Rollouts and templates as objects."""

    def test_used_and_edited(self) -> None:
        cluster = MemoryCluster()
        put(cluster, TEMPLATE)
        put(cluster, using())
        found = CustomResources(cluster.view)
        assert max_bad(found.read()) == 0.05
        cluster.edit(
            ObjectRef(SLO_TEMPLATE, "default", "checked"),
            Operation("replace", "/spec/parameters/1/default", "2%"),
        )
        assert max_bad(found.read()) == 0.02

    def test_from_the_shared_namespace(self) -> None:
        cluster = MemoryCluster()
        put(cluster, TEMPLATE, "tidegate-templates")
        put(cluster, using())
        assert max_bad(CustomResources(cluster.view, ["default"]).read()) == 0.05

    def test_a_cluster_without_the_kind_runs_rollouts_that_use_none(self) -> None:
        cluster = MemoryCluster()
        cluster.server.served.discard(SLO_TEMPLATE)
        put(cluster, MINIMAL)
        specs = CustomResources(cluster.view).read()
        assert (specs.trouble, spec_of(specs.rollouts[key("minimal")])) == (None, WANTED)

    def test_a_wrong_template_is_told(self) -> None:
        cluster = MemoryCluster()
        put(cluster, TEMPLATE.replace("indicator:", "indicatr:"))
        (problem,) = CustomResources(cluster.view).read().problems
        assert str(problem).startswith("slotemplate default/checked: spec.slo: `indicator` is missing")
