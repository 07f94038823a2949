"""`run --cluster` before anything is asked of a cluster."""

from pathlib import Path

from controller.cli.output import Code
from tests.cli.conftest import quick, tidegate


def test_a_cluster_is_something_to_run() -> None:
    ran = quick("run")
    assert ran.code == Code.WRONG_USE
    assert "--rollouts FOLDER or --git URL, or --cluster" in ran.err


def test_with_a_kubeconfig_that_is_not_there(tmp_path: Path) -> None:
    ran = quick("run", "--cluster", "--kubeconfig", tmp_path / "nope")
    assert ran.code == Code.WRONG_USE
    assert f"--kubeconfig {tmp_path / 'nope'}: there is no such file" in ran.err


def test_with_a_kubeconfig_that_names_no_cluster(tmp_path: Path) -> None:
    empty = tmp_path / "config"
    empty.write_text("apiVersion: v1\nkind: Config\n")
    ran = tidegate("run", "--cluster", "--kubeconfig", empty, "--state-dir", tmp_path / "state")
    assert ran.code == Code.WRONG_USE
    assert "no usable access to a Kubernetes cluster" in ran.err
    assert "give --kubeconfig FILE" in ran.err


def test_with_a_name_that_no_lease_can_have() -> None:
    ran = quick("run", "--cluster", "--identity", "my pod")
    assert ran.code == Code.WRONG_USE
    assert "a name without spaces" in ran.err
