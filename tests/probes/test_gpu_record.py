"""The reading of a GPU as time passes without an answer."""

from __future__ import annotations

from backprop_tui.domain.telemetry import GpuHealth, GpuReading
from backprop_tui.probes.gpu_record import NOT_RESPONDING, GpuAnswer, GpuFailed, GpuRecord

ANSWER = GpuAnswer(uuid="GPU-1", name="H100", temperature_celsius=50.0)


def test_a_gpu_that_becomes_stale_silently_has_a_problem() -> None:
    record = GpuRecord(0, sample_seconds=1.0)
    record.update(ANSWER, now=10.0)
    assert record.reading(11.0).problem is None
    reading = record.reading(14.0)
    assert (reading.health, reading.problem) == (GpuHealth.STALE, NOT_RESPONDING)


def test_a_stale_gpu_of_an_earlier_process_has_a_problem() -> None:
    earlier = GpuReading(index=0, uuid="GPU-1", name="H100", temperature_celsius=50.0)
    record = GpuRecord(0, sample_seconds=1.0, previous=(earlier, 10.0))
    reading = record.reading(20.0)
    assert (reading.health, reading.temperature_celsius, reading.problem) == (GpuHealth.STALE, 50.0, NOT_RESPONDING)


def test_the_drivers_reason_takes_precedence_over_not_responding() -> None:
    record = GpuRecord(0, sample_seconds=1.0)
    record.update(ANSWER, now=10.0)
    record.update(GpuFailed(problem="Unknown Error"), now=14.0)
    assert record.reading(14.0).problem == "Unknown Error"


def test_a_gpu_that_answers_again_has_no_problem() -> None:
    record = GpuRecord(0, sample_seconds=1.0)
    record.update(ANSWER, now=10.0)
    assert record.reading(20.0).problem == NOT_RESPONDING
    record.update(ANSWER, now=20.0)
    assert (record.reading(20.0).health, record.reading(20.0).problem) == (GpuHealth.OK, None)


def test_a_gpu_that_never_answered_is_unknown_without_a_problem() -> None:
    reading = GpuRecord(0, sample_seconds=1.0).reading(100.0)
    assert (reading.health, reading.problem) == (GpuHealth.UNKNOWN, None)
