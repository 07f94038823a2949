"""The health check for Argo CD, run in a real Lua over statuses as the controller writes them."""

from collections.abc import Mapping

import pytest

from tests.docs.pages import blocks

lupa = pytest.importorskip("lupa", reason="needs a Lua (lupa) to run the health check of docs/how-to/argo-cd.md")
TYPES = ("Ready", "Promoted", "Reconciling", "Stalled", "RolledBack")


def rollout(phase: str, *true: str, generation: int = 2, observed: int = 2, reason: str = "Because") -> object:
    """A ModelRollout with all conditions, these of them true."""
    conditions = [
        {"type": one, "status": "True" if one in true else "False", "reason": reason, "message": f"{one} told"}
        for one in TYPES
    ]
    status = {"phase": phase, "message": "in words", "observedGeneration": observed, "conditions": conditions}
    return {"metadata": {"generation": generation}, "status": status}


def health(document: object) -> Mapping[str, str]:
    (block,) = blocks("lua")
    lua = lupa.LuaRuntime(unpack_returned_tuples=True)
    check = lua.eval(f"function(obj)\n{block.text}\nend")
    found: Mapping[str, str] = dict(check(lua.table_from(document, recursive=True)))
    return found


@pytest.mark.parametrize(
    ("document", "status", "message"),
    [
        ({"metadata": {"generation": 1}}, "Progressing", "not seen it yet"),
        ({"metadata": {"generation": 1}, "status": {"phase": "Idle"}}, "Progressing", "not seen it yet"),
        (rollout("Idle", "Ready", "Promoted", observed=1), "Progressing", "last edit"),
        (rollout("Idle", "Ready", "Promoted"), "Healthy", "Ready told"),
        (rollout("Completed", "Ready", "Promoted"), "Healthy", "Ready told"),
        (rollout("Progressing", "Reconciling"), "Progressing", "Ready told"),
        (rollout("RolledBack", "Ready", "RolledBack"), "Degraded", "RolledBack told"),
        (rollout("RollingBack", "Reconciling"), "Progressing", "Ready told"),
        (rollout("Held", "Stalled", reason="HeldBreach"), "Suspended", "in words"),
        (rollout("AwaitingApproval", "Reconciling"), "Suspended", "in words"),
        (rollout("Paused", "Reconciling"), "Suspended", "in words"),
        (rollout("Held", "Stalled", reason="InvalidSpec"), "Degraded", "Stalled told"),
        (rollout("Stalled", "Stalled"), "Degraded", "Stalled told"),
    ],
)
def test_health(document: object, status: str, message: str) -> None:
    found = health(document)
    assert found["status"] == status
    assert message in found["message"]
