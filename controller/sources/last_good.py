"""Keeps the last good spec of every rollout, whatever happens to its text. Pure but for its memory; no files."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from controller.domain.names import RolloutKey
from controller.domain.observation import SpecSeen
from controller.domain.problem import SpecProblem
from controller.ports import Specs
from controller.sources.template_shelf import TemplateShelf
from controller.spec.clashes import clashes, template_clashes
from controller.spec.parse import Draft, Parsed, resolve
from controller.spec.templates import Templates

SETTLE_SECONDS = 2.0
"""A spec that is gone is believed to be deleted after so long: editors replace files in two steps."""


@dataclass(slots=True)
class _Kept:
    """The last good spec (None: never one), the file it was last seen in, and since when it has been missing."""

    seen: SpecSeen
    file: str
    missing_since: float | None = None


class LastGood:
    """What is known of every rollout ever seen."""

    def __init__(self, settle: float = SETTLE_SECONDS, shelf: TemplateShelf | None = None) -> None:
        self._settle = settle
        self._kept: dict[RolloutKey, _Kept] = {}
        self._resolved: dict[int, tuple[Draft, Parsed]] = {}
        self.shelf = shelf or TemplateShelf()

    def update(self, files: Mapping[str, tuple[Parsed, ...]], monotonic: float) -> Specs:
        """The specs, given every document of every file that can be seen now."""
        documents: defaultdict[RolloutKey, list[Parsed]] = defaultdict(list)
        nameless: defaultdict[str, list[SpecProblem]] = defaultdict(list)
        for file, parsed in self._with_templates(files).items():
            for one in parsed:
                if one.key is not None:
                    documents[one.key].append(one)
                elif one.problems:
                    nameless[file].extend(one.problems)
        twice = clashes((key, one.provenance) for key, found in documents.items() for one in found)
        for key, found in documents.items():
            self._see(key, found, twice.get(key, ()))
        blamed = {self._miss(key, nameless, monotonic) for key in self._kept if key not in documents}
        loose = (one for file, found in nameless.items() if file not in blamed for one in found)
        own = (one.template for parsed in files.values() for one in parsed if one.template is not None)
        return Specs({key: kept.seen for key, kept in self._kept.items()}, (*loose, *template_clashes(own)))

    def _with_templates(self, files: Mapping[str, tuple[Parsed, ...]]) -> dict[str, list[Parsed]]:
        """The documents with the templates of all sources; one whose templates are as before is not read again."""
        own = [one.template for parsed in files.values() for one in parsed if one.template is not None]
        self.shelf.put(self, own)
        templates, before, self._resolved = self.shelf.all(), self._resolved, {}
        return {file: [self._whole(one, templates, before) for one in parsed] for file, parsed in files.items()}

    def _whole(self, one: Parsed, templates: Templates, before: Mapping[int, tuple[Draft, Parsed]]) -> Parsed:
        if one.draft is None:
            return one
        draft, known = before.get(id(one.draft), (None, one))
        (found,) = resolve([known if draft is one.draft else one], templates)
        self._resolved[id(one.draft)] = one.draft, found
        return found

    def _see(self, key: RolloutKey, found: Iterable[Parsed], clash: tuple[SpecProblem, ...]) -> None:
        newest = next(iter(found))
        kept = self._kept.get(key)
        problems = clash or newest.problems
        if newest.rollout is not None and not problems:
            seen = SpecSeen(newest.rollout, newest.provenance)
        elif kept is not None and kept.seen.spec is not None:
            seen = replace(kept.seen, problems=problems, deleted=False)
        else:
            seen = SpecSeen(None, newest.provenance, problems)
        self._kept[key] = _Kept(seen, newest.provenance.file)

    def _miss(self, key: RolloutKey, broken: Mapping[str, list[SpecProblem]], monotonic: float) -> str:
        """A known rollout that no document names now: its file cannot be read, or it is deleted. The file to blame."""
        kept = self._kept[key]
        if kept.file in broken:
            kept.seen = replace(kept.seen, problems=tuple(broken[kept.file]), deleted=False)
            kept.missing_since = None
            return kept.file
        if kept.missing_since is None:
            kept.missing_since = monotonic
        if monotonic - kept.missing_since >= self._settle:
            kept.seen = replace(kept.seen, problems=(), deleted=True)
        return ""
