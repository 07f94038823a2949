"""Frozen nouns to bytes and back, exactly. Each blob says its format, what it holds, and its checksum.

A blob is `tg1 KIND json|zlib CRC32\\n` and then the JSON text, compressed when long. What does not read back as
exactly one value of its kind is an error, never a guess: a newer format, an unknown field, a flipped bit.
"""

import zlib
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Generic, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from controller.domain.decision import Fact
from controller.domain.evidence import Evidence
from controller.domain.measure import Measurement
from controller.domain.record import Alert, StoreUnavailableError, TickRecord
from controller.domain.rollout import ModelRollout
from controller.domain.state import Position

FORMAT = "tg1"
_LONG = 512  # bytes of JSON from which compression pays
_LEVEL = 1  # evidence with 200 series: 10 times smaller, and three times as fast as the default level
_CONFIG = ConfigDict(extra="forbid", ser_json_inf_nan="constants")

T = TypeVar("T")


class Codec(Generic[T]):
    """Packs values of one type. `kind` is written into the blob, so that one noun is never read as another."""

    def __init__(self, kind: str, type_: object) -> None:
        self.kind = kind
        self._type = type_

    @cached_property
    def _adapter(self) -> TypeAdapter[tuple[T]]:
        # In a tuple, because pydantic takes no config for a dataclass that is not its own.
        return TypeAdapter(tuple[self._type], config=_CONFIG)  # type: ignore[name-defined]  # known when it runs

    def prepare(self) -> None:
        """Build the packer now: it takes a fifth of a second that the first rollback should not have to wait for."""
        self._adapter  # noqa: B018 - built when first asked for

    def pack(self, value: T) -> bytes:
        """Raises StoreUnavailableError when a field holds what its type does not allow."""
        try:
            text = self._adapter.dump_json((value,), warnings="error")
        except PydanticSerializationError as wrong:
            raise StoreUnavailableError(
                f"this {self.kind} cannot be written down: {wrong}; please report it"
            ) from wrong
        coding = "zlib" if len(text) > _LONG else "json"
        body = zlib.compress(text, _LEVEL) if coding == "zlib" else text
        return f"{FORMAT} {self.kind} {coding} {zlib.crc32(body):08x}\n".encode() + body

    def unpack(self, blob: bytes) -> T:
        """Raises StoreUnavailableError for anything but a whole value of this kind in a known format."""
        head, _, body = blob.partition(b"\n")
        words = head.decode("ascii", errors="replace").split(" ")
        if words[0] != FORMAT:
            raise self._refused(f"its format is {words[0][:20]!r}, known is {FORMAT!r}: use the version that wrote it")
        if len(words) != 4 or words[1] != self.kind or words[2] not in ("json", "zlib"):
            raise self._refused(f"its head is {' '.join(words)[:60]!r}: restore a backup")
        if words[3] != f"{zlib.crc32(body):08x}":
            raise self._refused("its checksum is wrong, it is damaged: restore a backup")
        try:
            text = zlib.decompress(body) if words[2] == "zlib" else body
            return self._adapter.validate_json(text)[0]
        except (ValidationError, zlib.error) as wrong:
            raise self._refused(f"{_first(wrong)}: use the version that wrote it, or restore a backup") from wrong

    def _refused(self, why: str) -> StoreUnavailableError:
        return StoreUnavailableError(f"a stored {self.kind} cannot be read: {why}")


def _first(wrong: ValidationError | zlib.error) -> str:
    if isinstance(wrong, ValidationError):
        first = wrong.errors(include_input=False, include_url=False)[0]
        return f"{'.'.join(str(step) for step in first['loc'][1:])}: {first['msg']}"
    return str(wrong)


POSITION: Codec[Position] = Codec("position", Position)
EVIDENCE: Codec[Evidence] = Codec("evidence", Evidence)
MEASUREMENTS: Codec[tuple[Measurement, ...]] = Codec("measurements", tuple[Measurement, ...])
SPEC: Codec[ModelRollout] = Codec("spec", ModelRollout)
FACTS: Codec[Mapping[str, Fact]] = Codec("facts", Mapping[str, Fact])
ALERT: Codec[Alert] = Codec("alert", Alert)
RECORD: Codec[TickRecord] = Codec("record", TickRecord)

CODECS: tuple[Codec[Any], ...] = (POSITION, EVIDENCE, MEASUREMENTS, SPEC, FACTS, ALERT, RECORD)
