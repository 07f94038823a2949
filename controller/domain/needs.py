"""What a rollout asks of its router, beside what that router can do. Pure."""

import itertools
from collections.abc import Iterator

from controller.domain.rollout import ModelRollout, StageKind
from controller.domain.traffic import Capabilities


def unmet(rollout: ModelRollout, able: Capabilities) -> str | None:
    """The first thing that the router of this rollout cannot do, and what to do about it; None: it can do all."""
    return next(itertools.chain(_stages(rollout, able), _stickiness(rollout, able)), None)


def _stages(rollout: ModelRollout, able: Capabilities) -> Iterator[str]:
    where = f"{rollout.route.target.place} (router `{rollout.route.target.router}`)"
    for stage in rollout.stages:
        if stage.kind is StageKind.COHORT and not able.header_match:
            yield f"stage {stage.name}: {where} cannot choose requests by header; use a canary stage"
        if stage.kind is not StageKind.SHADOW:
            continue
        if not able.mirror:
            yield f"stage {stage.name}: {where} cannot mirror requests; leave the shadow stage away"
        elif stage.mirror < 100 and not able.mirror_percent:
            yield (
                f"stage {stage.name}: {where} cannot mirror {stage.mirror} % of the requests, only all of them; "
                "say `percent: 100` or leave the shadow stage away"
            )
        if stage.max_mirrored is not None and not able.counts:
            yield f"stage {stage.name}: {where} counts no requests, so `maxRequests` cannot be kept; leave it away"


def _stickiness(rollout: ModelRollout, able: Capabilities) -> Iterator[str]:
    sticky, target = rollout.route.sticky, rollout.route.target
    if sticky is None:
        return
    if not (able.sticky_header if sticky.by == "header" else able.sticky_cookie):
        yield f"{target.place} (router `{target.router}`) keeps no conversation on a version; leave `stickyBy` away"
