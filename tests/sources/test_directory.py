"""A folder: last good specs are kept, only what changed is read, and changes are told."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from controller.domain.observation import SpecSeen
from controller.sources import directory
from controller.sources.directory import DirectorySource
from controller.sources.folder_watch import FolderWatch
from controller.spec.parse import Parsed, parse_bytes
from tests.sources.support import HandClock, eventually, key, rollout_text


def seen(source: DirectorySource, name: str) -> SpecSeen:
    return source.read().rollouts[key(name)]


def test_files_below_the_folder_are_read_and_others_are_not(tmp_path: Path) -> None:
    (tmp_path / "team").mkdir()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "a.yaml").write_text(rollout_text("a"))
    (tmp_path / "team" / "b.yml").write_text(rollout_text("b") + "---\n" + rollout_text("c"))
    for other in (".hidden/d.yaml", ".d.yaml", "d.yaml~", "#d.yaml", ".d.yaml.swp", "d.txt"):
        (tmp_path / other).write_text(rollout_text("d"))
    specs = DirectorySource(tmp_path).read()
    assert sorted(str(one) for one in specs.rollouts) == ["default/a", "default/b", "default/c"]
    assert not specs.problems
    provenance = specs.rollouts[key("c")].provenance
    assert provenance is not None
    assert provenance.file == str(tmp_path / "team" / "b.yml")
    assert provenance.line > 20


def test_a_spec_that_is_broken_now_goes_on_under_the_last_good_one(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(rollout_text("a"))
    source = DirectorySource(tmp_path)
    before = seen(source, "a")
    file.write_text(rollout_text("a").replace("max: 5%", "max: 500%"))
    now = seen(source, "a")
    assert now.spec == before.spec
    assert now.provenance == before.provenance
    assert "500%" in str(now.problems[0])
    file.write_text(rollout_text("a", "v1"))
    fixed = seen(source, "a")
    assert fixed.spec is not None
    assert fixed.spec.version == "v1"
    assert not fixed.problems


@pytest.mark.parametrize("text", ["spec: [\n", "\x00", "- just\n- a list\n", "a: 1\n"])
def test_a_file_that_is_torn_to_pieces_deletes_nothing(tmp_path: Path, text: str) -> None:
    clock = HandClock()
    file = tmp_path / "a.yaml"
    file.write_text(rollout_text("a") + "---\n" + rollout_text("b"))
    (tmp_path / "c.yaml").write_text(rollout_text("c"))
    source = DirectorySource(tmp_path, clock=clock)
    source.read()
    file.write_text(text)
    clock.sleep(3600)
    specs = source.read()
    for name in ("a", "b"):
        one = specs.rollouts[key(name)]
        assert one.spec is not None
        assert one.problems
        assert not one.deleted
    assert not specs.rollouts[key("c")].problems
    assert not specs.problems


def test_a_broken_file_of_no_known_rollout_is_a_problem_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("spec: [\n")
    (tmp_path / "b.yaml").write_text(rollout_text("b"))
    specs = DirectorySource(tmp_path).read()
    assert [problem.file for problem in specs.problems] == [str(tmp_path / "a.yaml")]
    assert specs.rollouts[key("b")].spec is not None


def test_a_rollout_that_never_was_good_has_no_spec(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(rollout_text("a").replace("max: 5%", "max: 500%"))
    one = seen(DirectorySource(tmp_path), "a")
    assert one.spec is None
    assert one.problems
    assert not one.deleted


def test_a_deleted_spec_is_told_after_it_settled_and_keeps_the_last_good_one(tmp_path: Path) -> None:
    clock = HandClock()
    file = tmp_path / "a.yaml"
    file.write_text(rollout_text("a"))
    source = DirectorySource(tmp_path, clock=clock)
    before = seen(source, "a")
    file.unlink()
    assert not seen(source, "a").deleted
    clock.sleep(5)
    gone = seen(source, "a")
    assert gone.deleted
    assert gone.spec == before.spec
    file.write_text(rollout_text("a"))
    assert seen(source, "a") == before


def test_a_file_replaced_in_two_steps_is_never_deleted(tmp_path: Path) -> None:
    clock = HandClock()
    file = tmp_path / "a.yaml"
    file.write_text(rollout_text("a"))
    source = DirectorySource(tmp_path, clock=clock)
    source.read()
    file.rename(tmp_path / "a.yaml~")
    assert not seen(source, "a").deleted
    file.write_text("")
    assert not seen(source, "a").deleted
    file.write_text(rollout_text("a", "v1"))
    clock.sleep(60)
    now = seen(source, "a")
    assert not now.deleted
    assert now.spec is not None
    assert now.spec.version == "v1"


def test_a_renamed_file_is_the_same_rollout(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(rollout_text("a"))
    source = DirectorySource(tmp_path, clock=HandClock())
    source.read()
    (tmp_path / "a.yaml").rename(tmp_path / "b.yaml")
    now = seen(source, "a")
    assert not now.problems
    assert now.provenance is not None
    assert now.provenance.file == str(tmp_path / "b.yaml")


def test_the_same_rollout_in_two_files_is_refused_in_both(tmp_path: Path) -> None:
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text(rollout_text("a"))
    source = DirectorySource(tmp_path)
    before = seen(source, "a")
    second.write_text(rollout_text("a", "v1"))
    now = seen(source, "a")
    assert now.spec == before.spec
    assert [problem.file for problem in now.problems] == [str(first), str(second)]
    assert f"also given in {second}:2" in now.problems[0].message
    assert f"also given in {first}:2" in now.problems[1].message
    second.unlink()
    assert not seen(source, "a").problems


def test_a_folder_that_cannot_be_read_changes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "rollouts"
    folder.mkdir()
    (folder / "a.yaml").write_text(rollout_text("a"))
    clock = HandClock()
    source = DirectorySource(folder, clock=clock)
    before, read_at = source.read(), clock.now()
    folder.rename(tmp_path / "elsewhere")
    clock.sleep(3600)
    lost = source.read()
    assert lost.rollouts == before.rollouts
    assert lost.trouble is not None
    assert str(folder) in lost.trouble
    assert lost.as_of == read_at
    (tmp_path / "elsewhere").rename(folder)
    assert source.read().trouble is None


def test_links_are_followed_and_a_link_to_nowhere_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data" / "a.yaml").write_text(rollout_text("a"))
    (tmp_path / "a.yaml").symlink_to(tmp_path / "..data" / "a.yaml")
    (tmp_path / "b.yaml").symlink_to(tmp_path / "nowhere.yaml")
    specs = DirectorySource(tmp_path).read()
    assert list(specs.rollouts) == [key("a")]
    assert "cannot be read" in str(specs.problems[0])


def test_only_changed_files_are_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(20):
        file = tmp_path / f"r{number}.yaml"
        file.write_text(rollout_text(f"r{number}"))
        os.utime(file, (1, 1))
    # Only the status change time is fresh now; it cannot be set, so it is believed at once here.
    monkeypatch.setattr(directory, "RACY_SECONDS", -1.0)
    parsed: list[str] = []

    def counted(data: bytes, file: str) -> tuple[Parsed, ...]:
        parsed.append(file)
        return parse_bytes(data, file)

    monkeypatch.setattr(directory, "parse_bytes", counted)
    source = DirectorySource(tmp_path)
    source.read()
    assert len(parsed) == 20
    source.read()
    assert len(parsed) == 20
    (tmp_path / "r3.yaml").write_text(rollout_text("r3", "v1"))
    assert seen(source, "r3").spec is not None
    assert parsed[20:] == [str(tmp_path / "r3.yaml")]


def test_an_edit_of_the_same_size_in_the_same_instant_is_seen(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(rollout_text("a", "v2"))
    source = DirectorySource(tmp_path)
    for version in ("v1", "v2", "v1"):
        times = file.stat().st_mtime_ns
        file.write_text(rollout_text("a", version))
        os.utime(file, ns=(times, times))
        spec = seen(source, "a").spec
        assert spec is not None
        assert spec.version == version


@contextmanager
def watched(source: DirectorySource) -> Iterator[threading.Event]:
    changed = threading.Event()
    source.watch(changed.set)
    try:
        yield changed
    finally:
        source.close()
        source.close()


@pytest.mark.parametrize("polling", [False, True])
def test_changes_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, polling: bool) -> None:
    if polling:
        monkeypatch.setattr(FolderWatch, "_observe", lambda self: None)
    (tmp_path / "a.yaml").write_text(rollout_text("a"))
    source = DirectorySource(tmp_path, settle=0.1, poll_seconds=0.05)
    with watched(source) as changed:
        (tmp_path / "a.yaml").write_text(rollout_text("a", "v1"))
        eventually(changed.is_set)
        spec = seen(source, "a").spec
        assert spec is not None
        assert spec.version == "v1"
        changed.clear()
        (tmp_path / "new").mkdir()
        (tmp_path / "new" / "b.yaml").write_text(rollout_text("b"))
        eventually(lambda: key("b") in source.read().rollouts and changed.is_set())


def test_a_deletion_is_told_again_when_it_settled(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(rollout_text("a"))
    source = DirectorySource(tmp_path, settle=0.1, poll_seconds=0.05)
    source.read()
    reads = []
    source.watch(lambda: reads.append(source.read()))
    try:
        (tmp_path / "a.yaml").unlink()
        eventually(lambda: bool(reads) and reads[-1].rollouts[key("a")].deleted)
    finally:
        source.close()


def test_a_folder_that_appears_later_is_watched(tmp_path: Path) -> None:
    folder = tmp_path / "later"
    source = DirectorySource(folder, poll_seconds=0.05)
    assert source.read().trouble is not None
    with watched(source) as changed:
        folder.mkdir()
        (folder / "a.yaml").write_text(rollout_text("a"))
        eventually(lambda: changed.is_set() and key("a") in source.read().rollouts)
