"""When the guard checks, and the requests that it sends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from backprop_tui.domain.errors import StorageFailed
from backprop_tui.domain.live import Pause
from backprop_tui.domain.requests import PauseRequest
from backprop_tui.domain.run import Gpu
from backprop_tui.engine import capacity
from backprop_tui.engine.guard import Guard
from backprop_tui.store.watched_file import Signature, signature_of
from tests.engine.machines import Host, gpu
from tests.support.runs import Guardian


@pytest.fixture
def guardian(host: Host) -> Iterator[Guardian]:
    """The guardian of a run on GPU 0."""
    guardian = host.runs.guarded("a")
    attempt = replace(guardian.run.attempt, gpus=(Gpu(index=0, uuid="GPU-0"),))
    guardian.edits(replace(guardian.run, attempts=(attempt,)))
    yield guardian
    guardian.dies()


def measure(host: Host, celsius: float) -> None:
    """A new reading."""
    readings = host.readings_source.readings
    host.readings_source.readings = replace(readings, gpus=(gpu(0, temperature_celsius=celsius), gpu(1)))
    host.readings_source.written += 1


def check_each(host: Host, monkeypatch: pytest.MonkeyPatch, guardian: Guardian, guard: Guard, *celsius: float) -> None:
    """Checks readings that are half a second apart."""
    import time

    now = time.time()
    for number, figure in enumerate(celsius):
        measure(host, figure)
        moment = now + number / 2
        monkeypatch.setattr(
            host.readings_source, "latest", lambda moment=moment: replace(host.readings_source.readings, time=moment)
        )
        monkeypatch.setattr("backprop_tui.engine.guard.time.time", lambda moment=moment: moment)
        guard.check([guardian.run])


def test_two_hot_readings_pause_the_run(host: Host, guardian: Guardian, monkeypatch: pytest.MonkeyPatch) -> None:
    guard = Guard(host.home, host.capacity, host.readings_source)
    check_each(host, monkeypatch, guardian, guard, 91)
    assert guardian.asked() == []
    check_each(host, monkeypatch, guardian, guard, 91, 91)
    (request,) = guardian.asked()
    assert isinstance(request, PauseRequest)
    assert request.by == "heat"


def test_the_same_readings_are_not_checked_twice_within_a_sample(
    host: Host, guardian: Guardian, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard = Guard(host.home, host.capacity, host.readings_source)
    looks: list[int] = []
    monkeypatch.setattr(guard, "_check", lambda runs: looks.append(host.readings_source.written))
    measure(host, 40)
    guard.check([guardian.run])
    guard.check([guardian.run])
    measure(host, 40)
    guard.check([guardian.run])
    assert looks == [1, 2]


def test_a_request_that_could_not_be_written_is_written_at_the_next_check(
    host: Host, guardian: Guardian, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard = Guard(host.home, host.capacity, host.readings_source)
    looks: list[int] = []

    def fail(_runs: object) -> None:
        looks.append(host.readings_source.written)
        raise StorageFailed("disk full")

    monkeypatch.setattr(guard, "_check", fail)
    measure(host, 40)
    for _ in range(2):
        with pytest.raises(StorageFailed, match="disk full"):
            guard.check([guardian.run])
    assert looks == [1, 1]


@pytest.mark.parametrize(("pause", "looks"), [(None, 1), (Pause(since=0.0, by="person", reason="by you"), 3)])
def test_a_paused_run_is_looked_at_with_each_reading_and_others_now_and_then(
    host: Host, guardian: Guardian, monkeypatch: pytest.MonkeyPatch, pause: Pause | None, looks: int
) -> None:
    guardian.says(pause=pause)
    paths: list[str] = []

    def counted(path: str) -> Signature | None:
        paths.append(path)
        return signature_of(path)

    monkeypatch.setattr(capacity, "signature_of", counted)
    guard = Guard(host.home, host.capacity, host.readings_source)
    check_each(host, monkeypatch, guardian, guard, 40, 40, 40)
    assert len(paths) == looks
