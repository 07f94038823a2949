"""Several sources as one."""

from pathlib import Path

from controller.sources import DirectorySource, combine
from tests.sources.support import HandClock, key, rollout_text


def test_sources_are_merged_and_clashes_are_refused(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    (one / "a.yaml").write_text(rollout_text("a"))
    (two / "b.yaml").write_text(rollout_text("b"))
    clock = HandClock()
    source = combine([DirectorySource(one, clock=clock), DirectorySource(two, clock=clock)])
    before = source.read()
    assert sorted(before.rollouts) == [key("a"), key("b")]
    assert before.as_of == clock.now()
    (two / "a.yaml").write_text(rollout_text("a", "v1"))
    clashing = source.read().rollouts[key("a")]
    assert clashing.spec == before.rollouts[key("a")].spec
    assert [problem.file for problem in clashing.problems] == [str(one / "a.yaml"), str(two / "a.yaml")]
    (one / "a.yaml").unlink()
    source.read()
    clock.sleep(60)
    moved = source.read().rollouts[key("a")]
    assert not moved.problems
    assert moved.spec is not None
    assert moved.spec.version == "v1"
    source.close()


def test_trouble_of_one_leaves_the_others(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(rollout_text("a"))
    source = combine([DirectorySource(tmp_path), DirectorySource(tmp_path / "missing")])
    specs = source.read()
    assert list(specs.rollouts) == [key("a")]
    assert specs.trouble is not None
    assert "missing" in specs.trouble
