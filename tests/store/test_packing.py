"""What is packed comes back the same, bit for bit; what cannot be read is refused, never guessed."""

import zlib
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.domain.evidence import Evidence
from controller.domain.measure import Measurement
from controller.domain.record import Alert, StoreUnavailableError, TickRecord
from controller.domain.rollout import ModelRollout
from controller.domain.state import Position, Run
from controller.store.packing import ALERT, EVIDENCE, MEASUREMENTS, POSITION, RECORD, SPEC, Codec
from controller.testing.conformance.store_samples import a_position, a_record, an_evidence
from tests.store.nouns import values_of

quietly = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def same(codec: Codec[Any], value: object) -> None:
    back = codec.unpack(codec.pack(value))
    assert back == value
    # Equal is not enough: 1 == 1.0 and 0.0 == -0.0.
    assert repr(back).replace("TzInfo(0)", "datetime.timezone.utc") == repr(value)


@quietly
@given(values_of(Position), values_of(Run))
def test_a_position_with_a_whole_run_comes_back(position: Position, run: Run) -> None:
    same(POSITION, replace(position, run=run))


@quietly
@given(values_of(Evidence))
def test_evidence_comes_back(evidence: Evidence) -> None:
    same(EVIDENCE, evidence)


@quietly
@given(values_of(ModelRollout))
def test_a_spec_comes_back(spec: ModelRollout) -> None:
    same(SPEC, spec)


@quietly
@given(st.lists(values_of(Measurement), max_size=3).map(tuple), values_of(Alert), values_of(TickRecord))
def test_measurements_alerts_and_records_come_back(seen: object, alert: Alert, record: TickRecord) -> None:
    same(MEASUREMENTS, seen)
    same(ALERT, alert)
    same(RECORD, record)


def test_evidence_with_many_series_is_compressed() -> None:
    evidence = an_evidence(per_slo=6, series=200)
    packed = EVIDENCE.pack(evidence)
    assert b" zlib " in packed.partition(b"\n")[0]
    assert len(packed) < 8_000
    assert EVIDENCE.unpack(packed) == evidence


def test_a_newer_format_is_refused_by_name() -> None:
    newer = POSITION.pack(a_position(10)).replace(b"tg1 ", b"tg2 ", 1)
    with pytest.raises(StoreUnavailableError, match=r"format is 'tg2', known is 'tg1': use the version that wrote it"):
        POSITION.unpack(newer)


def test_one_noun_is_never_read_as_another() -> None:
    with pytest.raises(StoreUnavailableError, match="a stored evidence cannot be read: its head is 'tg1 position"):
        EVIDENCE.unpack(POSITION.pack(a_position(10)))


@pytest.mark.parametrize("blob", [b"", b"tg1", b"tg1 position json\n{}", b"\xff\xfe\n", b"{}"])
def test_what_is_no_blob_is_refused(blob: bytes) -> None:
    with pytest.raises(StoreUnavailableError, match="a stored position cannot be read"):
        POSITION.unpack(blob)


@given(st.integers(0, 10_000), st.integers(0, 7))
def test_a_flipped_bit_is_never_read(at: int, bit: int) -> None:
    good = bytearray(POSITION.pack(a_position(10)))
    good[at % len(good)] ^= 1 << bit
    with pytest.raises(StoreUnavailableError):
        POSITION.unpack(bytes(good))


def test_a_field_of_a_newer_version_is_refused_by_its_name() -> None:
    body = b'[{"dedupe":"d","severity":"page","title":"t","body":"b","details":"","facts":{},"colour":"red"}]'
    blob = f"tg1 alert json {zlib.crc32(body):08x}\n".encode() + body
    with pytest.raises(StoreUnavailableError, match=r"0?\.?colour: .*use the version that wrote it"):
        ALERT.unpack(blob)


def test_a_value_of_the_wrong_type_is_refused_when_written_not_when_read() -> None:
    wrong = replace(an_evidence(), measured_at=timedelta(1))  # type: ignore[arg-type]
    with pytest.raises(StoreUnavailableError, match="this evidence cannot be written down"):
        EVIDENCE.pack(wrong)


def test_a_lone_surrogate_is_refused_when_written() -> None:
    with pytest.raises(StoreUnavailableError, match="cannot be written down"):
        POSITION.pack(replace(a_position(0), message="\ud800"))


def test_a_record_of_a_pass_comes_back() -> None:
    same(RECORD, a_record(7, streams=24, series=20))
