"""What a listed GitOps tool wrote over a stage is undone when the database says so, and not before."""

from dataclasses import replace

import pytest

from controller.domain.state import Phase
from controller.domain.traffic import RouteTable
from controller.runtime.persisting import mend
from controller.testing.stores import Fault
from tests.runtime.rig import Rig


def test_without_a_store_it_is_not_undone(canary: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    router, stable = canary.router, canary.held.position.stable
    assert stable is not None
    stood, observed = router.observe().table, router.observe
    committed = RouteTable(((stable, 100),))
    router.set_by_hand(committed)
    monkeypatch.setattr(router, "observe", lambda: replace(observed(), overwritten_by="argocd-controller"))
    canary.store.fault = Fault.UNAVAILABLE
    canary.passes()
    canary.tick()
    assert observed().table == committed
    canary.store.fault = None
    assert mend(canary.house)
    canary.passes()
    assert observed().table == stood
    assert canary.held.position.phase is Phase.PROGRESSING
