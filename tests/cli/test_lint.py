"""`lint`: all mistakes of all files at once, each on its line; exit code 2."""

from pathlib import Path

import pytest

from tests.cli.conftest import quick, tidegate

FIVE_MISTAKES = """\
apiVersion: tidegate.dev/v1alpha1
kind: ModelRollout
metadata: {name: support-bot}
spec:
  version: v14
  versions:
  - name: v11
    backendRef: {kind: Host, name: 127.0.0.1, port: 8011}
  - name: v12
    backendRef: {kind: Host, name: 127.0.0.1, port: 99999}
  routes:
  - istoi: {admin: "127.0.0.1:9901", configDir: envoy}
  metrics:
    scrape: {urls: ["http://127.0.0.1:9100/metrics"]}
  slos:
  - name: harm
    indicator:
      ratio:
        bad:   {metric: llm_eval_results_total, match: {evaluation: [harm], verdict: [bad]}}
        total: {metric: llm_eval_results_total, match: {evaluation: [harm], verdict: [ok, bad]}}
    objective: {max: 120%}
  stages:
  - {name: canary, canary: {weight: 10}, minDuration: 5 minutes}
  - {name: full, full: {}}
"""
LINES = {5: "v14", 10: "99999", 12: "istoi", 21: "120", 23: "5 minutes"}
GOOD = Path(__file__).parents[2] / "rollouts"


@pytest.fixture
def bad_file(tmp_path: Path) -> Path:
    file = tmp_path / "bad.yaml"
    file.write_text(FIVE_MISTAKES)
    return file


def test_names_all_five_mistakes_with_their_lines(bad_file: Path) -> None:
    ran = tidegate("lint", bad_file)
    assert ran.code == 2
    for line, what in LINES.items():
        assert any(text.startswith(f"{bad_file}:{line}: ") and what in text for text in ran.out.splitlines()), ran.out
    assert "5 mistakes in 1 file, 1 rollout" in ran.out
    assert "\x1b" not in ran.out


def test_the_same_as_json(bad_file: Path) -> None:
    ran = quick("lint", bad_file, "--output", "json")
    assert ran.code == 2
    assert {problem["line"] for problem in ran.json["problems"]} == set(LINES)
    assert {"file", "line", "path", "message", "hint"} == set(ran.json["problems"][0])
    assert (ran.json["files"], ran.json["rollouts"]) == (1, 1)


def test_good_files_and_folders() -> None:
    ran = quick("lint", GOOD)
    assert ran.code == 0
    assert "no mistakes in" in ran.out


def test_one_broken_file_does_not_hide_another(bad_file: Path) -> None:
    (bad_file.parent / "worse.yaml").write_text("a: [\n")
    ran = quick("lint", bad_file.parent)
    assert ran.code == 2
    assert "worse.yaml:" in ran.out
    assert "istoi" in ran.out


def test_the_same_rollout_in_two_files(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text((GOOD / "minimal.yaml").read_text())
    ran = quick("lint", tmp_path)
    assert ran.code == 2
    assert ran.out.count("is also given in") == 2


def test_many_files_are_read_by_every_core(tmp_path: Path) -> None:
    text = (GOOD / "minimal.yaml").read_text()
    for number in range(120):
        (tmp_path / f"{number}.yaml").write_text(text.replace("name: minimal", f"name: bot-{number}"))
    (tmp_path / "bad.yaml").write_text(FIVE_MISTAKES)
    ran = tidegate("lint", tmp_path, "--output", "json")
    assert (ran.code, ran.json["files"], ran.json["rollouts"]) == (2, 121, 121)
    assert {problem["line"] for problem in ran.json["problems"]} == set(LINES)


def test_hidden_files_are_left_out(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "x.yaml").write_text("a: [\n")
    assert quick("lint", tmp_path).code == 0


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    ran = quick("lint", tmp_path / "nope.yaml", "--output", "json")
    assert ran.code == 2
    assert "there is no such file" in ran.err
    assert ran.out == ""


def test_a_note_is_no_mistake(tmp_path: Path) -> None:
    """A proof that cannot know whether the judge has kept up is said, and nothing more."""
    file = tmp_path / "support-bot.yaml"
    file.write_text((GOOD / "minimal.yaml").read_text())
    ran = quick("lint", file, "--output", "json")
    assert (ran.code, ran.json["problems"]) == (0, [])
    assert any("indicator.ratio.eligible" in note for note in ran.json["notes"])
    assert "note: " in quick("lint", file).out
