"""Several sources as one. The same rollout in two of them is refused in both."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from controller.domain.names import RolloutKey
from controller.domain.observation import SpecSeen
from controller.ports import Specs, SpecSource
from controller.sources.template_shelf import TemplateShelf, UsesTemplates
from controller.spec.clashes import clashes
from controller.spec.templates import SHARED_NAMESPACE


class CombinedSource:
    """Asks every source and merges what they know."""

    def __init__(self, sources: Sequence[SpecSource], shared: str = SHARED_NAMESPACE) -> None:
        """`shared`: the namespace of templates that every namespace may use."""
        self._sources = tuple(sources)
        self._shelf = TemplateShelf(shared)
        for source in self._sources:
            if isinstance(source, UsesTemplates):
                source.share(self._shelf)
        self._good: dict[RolloutKey, SpecSeen] = {}

    def read(self) -> Specs:
        """All specs of all sources; `trouble` names every source that has any, `as_of` is the oldest."""
        revision = self._shelf.revision
        read = [source.read() for source in self._sources]
        if self._shelf.revision != revision:  # a template may lie in a source that was read after its use
            read = [source.read() for source in self._sources]
        troubles = [specs.trouble for specs in read if specs.trouble]
        ages = [specs.as_of for specs in read if specs.as_of]
        return Specs(
            rollouts=self._merged(read),
            problems=tuple(problem for specs in read for problem in specs.problems),
            trouble="; ".join(troubles) or None,
            as_of=min(ages) if ages else None,
        )

    def watch(self, changed: Callable[[], None]) -> None:
        """Watch all of them."""
        for source in self._sources:
            source.watch(changed)

    def close(self) -> None:
        """Close all of them."""
        for source in self._sources:
            source.close()

    def _merged(self, read: Sequence[Specs]) -> Mapping[RolloutKey, SpecSeen]:
        present: dict[RolloutKey, list[SpecSeen]] = {}
        for specs in read:
            for key, seen in specs.rollouts.items():
                present.setdefault(key, []).append(seen)
        merged = {key: _living(found) for key, found in present.items()}
        places = ((key, one.provenance) for key, found in merged.items() for one in found if one.provenance)
        twice = clashes(places)
        for key, found in merged.items():
            if key not in twice:
                self._good[key] = found[0]
        refused = {key: self._refused(key, found[0]) for key, found in merged.items() if key in twice}
        return {key: found[0] for key, found in merged.items()} | {
            key: replace(seen, problems=twice[key]) for key, seen in refused.items()
        }

    def _refused(self, key: RolloutKey, first: SpecSeen) -> SpecSeen:
        """Under what a clashing rollout goes on: the spec it had before the clash, else none."""
        return self._good.get(key) or SpecSeen(None, first.provenance)


def _living(found: list[SpecSeen]) -> list[SpecSeen]:
    """A rollout that moved from one source to another is deleted in the first; that is no clash."""
    return [seen for seen in found if not seen.deleted] or found[:1]
