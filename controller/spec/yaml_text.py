"""YAML text -> plain values with the line of every path. The only importer of yaml in this room.

Read from parser events with a stack of our own: nothing is recursive, so neither depth nor aliases can hurt, and a
mistake in one document leaves the others of the file readable.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from controller.spec.finding import Finding, Path
from controller.spec.place import Place
from controller.spec.scalars import plain_value

MAX_DEPTH = 40
MAX_NODES = 20_000
STRING_TAGS = (None, "!", "tag:yaml.org,2002:str")

Value = object


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """One document. `broken`: it ended in a syntax error, and `value` is only what came before it."""

    value: Value
    place: Place
    findings: tuple[tuple[Finding, int], ...] = ()
    broken: bool = False


def read_documents(text: str) -> tuple[YamlDocument, ...]:
    """All documents of a file; empty ones are left out. Never raises: mistakes are findings with their line."""
    documents: list[YamlDocument] = []
    for first_line, chunk in _chunks(text.removeprefix("\ufeff")):
        documents.extend(_Reader(first_line, chunk).documents())
    return tuple(documents)


def write_document(value: Value, header: str = "") -> str:
    """A value as YAML text, keys in the order given, without aliases."""
    dumper = type("Dumper", (yaml.SafeDumper,), {"ignore_aliases": lambda *_: True})
    return header + yaml.dump(value, Dumper=dumper, sort_keys=False, width=110, allow_unicode=True)


def _chunks(text: str) -> Iterator[tuple[int, str]]:
    """The text between document markers, each with its first line's number. Directives stay with what follows them."""
    start, chunk = 1, list[str]()
    for number, line in enumerate(text.splitlines(keepends=True), start=1):
        if re.match(r"---(\s|$)", line) and not _only_directives(chunk):
            yield start, "".join(chunk)
            start, chunk = number, []
        chunk.append(line)
    yield start, "".join(chunk)


def _only_directives(lines: list[str]) -> bool:
    bare = [line for line in lines if line.strip() and not line.startswith("#")]
    return bool(bare) and all(line.startswith("%") for line in bare)


class _TooMuchError(Exception):
    """The document is deeper or larger than anything a rollout needs."""

    def __init__(self, finding: Finding, line: int) -> None:
        super().__init__(finding.message)
        self.finding, self.line = finding, line


@dataclass(slots=True)
class _Frame:
    """An open mapping or list. `key` is the entry being read; `skip`: its value is read and thrown away."""

    value: dict[str, Value] | list[Value]
    place: Place
    anchor: str | None
    key: str | None = None
    key_line: int = 0
    wants_key: bool = True
    skip: bool = False
    before: int = 0


class _Reader:
    """Builds the documents of one chunk from the parser's events."""

    def __init__(self, first_line: int, text: str) -> None:
        self.first_line, self.text = first_line, text
        self._begin()

    def _begin(self) -> None:
        self.stack: list[_Frame] = []
        self.anchors: dict[str, tuple[Value, Place, int]] = {}
        self.findings: list[tuple[Finding, int]] = []
        self.root: Value = None
        self.root_place: Place | None = None
        self.nodes = 0

    def documents(self) -> Iterator[YamlDocument]:
        try:
            for event in _events(self.text):
                if isinstance(event, yaml.ScalarEvent):  # most of them, so asked for first
                    self._scalar(event)
                elif isinstance(event, yaml.DocumentEndEvent):
                    yield from self._finished(broken=False)
                else:
                    self._take(event)
        except _TooMuchError as much:
            self.findings.append((much.finding, much.line))
            yield from self._finished(broken=True)
        except yaml.YAMLError as error:
            self.findings.append(self._syntax(error))
            yield from self._finished(broken=True)

    def _finished(self, *, broken: bool) -> Iterator[YamlDocument]:
        if self.root is not None or self.findings:
            place = self.root_place or Place(self.first_line)
            yield YamlDocument(self.root, place, tuple(self.findings), broken)
        self._begin()

    def _take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.CollectionStartEvent):
            self._open({} if isinstance(event, yaml.MappingStartEvent) else [], event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._close()
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)

    def _line(self, event: yaml.Event) -> int:
        return event.start_mark.line + self.first_line  # type: ignore[union-attr] # events have a mark

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        line = self._line(event)
        value: Value = event.value
        if event.tag not in STRING_TAGS:
            self._say(f"the tag `{_short_tag(event.tag)}` is not read here", line, "write the plain value")
        elif event.tag is None and event.implicit[0]:
            value = plain_value(event.value)
        self._count(1, line)
        place = Place(line)
        if event.anchor:
            self.anchors[event.anchor] = (value, place, 1)
        self._put(value, place)

    def _alias(self, event: yaml.AliasEvent) -> None:
        line = self._line(event)
        known = self.anchors.get(event.anchor or "")
        if known is None:
            self._say(f"the alias `*{event.anchor}` stands for nothing that is complete before it", line)
            return self._put("", Place(line))
        value, place, size = known
        self._count(size, line)
        return self._put(value, Place(line, place.inner))

    def _open(self, value: dict[str, Value] | list[Value], event: yaml.CollectionStartEvent) -> None:
        line = self._line(event)
        if event.tag not in (None, "!"):
            self._say(f"the tag `{_short_tag(event.tag)}` is not read here", line, "write the plain value")
        if len(self.stack) >= MAX_DEPTH:
            raise _TooMuchError(Finding((), f"nested deeper than {MAX_DEPTH} levels"), line)
        place = Place(line, {} if isinstance(value, dict) else [])
        frame = _Frame(value, place, event.anchor, before=self.nodes)
        self._count(1, line)
        self._put(value, place)
        self.stack.append(frame)

    def _close(self) -> None:
        frame = self.stack.pop()
        if frame.anchor:
            self.anchors[frame.anchor] = (frame.value, frame.place, self.nodes - frame.before)

    def _count(self, size: int, line: int) -> None:
        self.nodes += size
        if self.nodes > MAX_NODES:
            text = f"the document has more than {MAX_NODES} values, counting what aliases stand for"
            raise _TooMuchError(Finding((), text, "write fewer or smaller aliases"), line)

    def _put(self, value: Value, place: Place) -> None:
        if not self.stack:
            self.root, self.root_place = value, place
            return
        frame = self.stack[-1]
        if isinstance(frame.value, list):
            frame.value.append(value)
            assert isinstance(frame.place.inner, list)
            frame.place.inner.append(place)
        elif frame.wants_key:
            self._key(frame, value, place.line)
        else:
            self._entry(frame, value, place)

    def _key(self, frame: _Frame, key: Value, line: int) -> None:
        frame.wants_key, frame.key_line, frame.skip = False, line, True
        frame.key = None
        if key == "<<":
            self._say("merge keys (`<<`) are not read here", line, "write the fields out")
        elif not isinstance(key, str):
            hint = f'put quotes around it: "{key}"' if isinstance(key, (int, float)) else ""
            self._say(f"the key `{_brief(key)}` is not text", line, hint)
        elif key in frame.value:
            first = frame.place.find((key,)).line
            self._say(f"`{key}` is given twice (first on line {first})", line, "keep one of them", key)
        else:
            frame.key, frame.skip = key, False

    def _entry(self, frame: _Frame, value: Value, place: Place) -> None:
        frame.wants_key = True
        if frame.skip or frame.key is None:
            return
        if value is None:
            hint = f"write `{frame.key}: {{}}`" if frame.key == "full" else "give it one or remove the line"
            self._say(f"`{frame.key}` has no value", frame.key_line, hint)
            return
        assert isinstance(frame.value, dict)
        assert isinstance(frame.place.inner, dict)
        frame.value[frame.key] = value
        # The key's line is what people look for; what is inside keeps its own lines.
        place.line = frame.key_line
        frame.place.inner[frame.key] = place

    def _say(self, message: str, line: int, hint: str = "", key: str | None = None) -> None:
        path = self._path() if key is None else (*self._path()[: len(self.stack) - 1], key)
        self.findings.append((Finding(path, message, hint), line))

    def _path(self) -> Path:
        path: list[str | int] = []
        for frame in self.stack:
            if isinstance(frame.value, list):
                path.append(len(frame.value) - (1 if frame is not self.stack[-1] else 0))
            elif frame.key is not None:
                path.append(frame.key)
        return tuple(path)

    def _syntax(self, error: yaml.YAMLError) -> tuple[Finding, int]:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        if mark is None:
            return Finding((), "a character that YAML does not allow", "save the file as plain UTF-8"), self._bad_line()
        line = int(mark.line)
        # The end of the text is not where something was left open: the last line that holds anything is nearer.
        line = min(line, self.text.rstrip().count("\n"))
        return Finding((), *self._in_words(error, line, int(mark.column))), line + self.first_line

    def _in_words(self, error: yaml.YAMLError, line: int, column: int) -> tuple[str, str]:
        lines = self.text.splitlines()
        text = lines[line] if line < len(lines) else ""
        if "\t" in text[: column + 1]:
            return "a tab is used for indentation", "YAML wants spaces"
        problem, context = getattr(error, "problem", "") or "", getattr(error, "context", "") or ""
        return f"not valid YAML: {problem}{' ' + context if context else ''}", "look at this line and the one before it"

    def _bad_line(self) -> int:
        for number, line in enumerate(self.text.splitlines(), start=self.first_line):
            if not all(char.isprintable() or char in "\t\ufeff" for char in line):
                return number
        return self.first_line


def _events(text: str) -> Iterator[yaml.Event]:
    """The parser's events; libyaml's where it is there, ten times faster."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        while (event := loader.get_event()) is not None:
            yield event
    finally:
        loader.dispose()


def _short_tag(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!")


def _brief(value: Value) -> str:
    return str(value) if isinstance(value, (int, float)) else "…" if value else "(empty)"
