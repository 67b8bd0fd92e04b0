"""A sampler that ends with an error: the reason is recorded, and it is started again later and later."""

from __future__ import annotations

import os
import time
from itertools import pairwise
from pathlib import Path

import pytest

from backprop_tui.launchers import sampler_process
from backprop_tui.launchers.sampler_process import RESTART_SECONDS, SILENT_SECONDS, SamplerProcess
from backprop_tui.store.failures import SAMPLER, failure_of
from backprop_tui.store.home import Home


def test_a_failing_sampler_is_recorded_and_started_ever_later(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Home(str(home / "backprop"), "testhost")
    store.prepare()
    program = tmp_path / "sample.py"
    program.write_text("raise ValueError('no such driver')\n")
    monkeypatch.setattr(sampler_process, "_PROGRAM", str(program))
    process, now, starts = SamplerProcess(home=store, probe="none", interval_seconds=1.0), 1000.0, []
    for _ in range(60):
        process.ensure(now)
        if process._identity is not None and process._started_at == now:
            starts.append(now)
            os.waitpid(process._identity.pid, 0)
        now += 1.0
    failure = failure_of(store, SAMPLER)
    assert failure is not None
    assert failure.reason == "ValueError: no such driver"
    pauses = [after - before for before, after in pairwise(starts)]
    assert pauses[:6] == [RESTART_SECONDS] * 4 + [8, 16]


def test_a_sampler_that_writes_nothing_more_is_replaced_whatever_the_clock_says(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Home(str(home / "backprop"), "testhost")
    store.prepare()
    program = tmp_path / "sample.py"
    program.write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setattr(sampler_process, "_PROGRAM", str(program))
    process = SamplerProcess(home=store, probe="none", interval_seconds=1.0)
    process.ensure(1000.0)
    first = process._identity
    for number in range(3):  # written with the clock two hours ahead, then set back
        Path(store.readings).write_text("x" * number)
        os.utime(store.readings, (time.time() + 7200, time.time() + 7200))
        process.ensure(1010.0 + 10 * number)
        assert process._identity == first
    process.ensure(1030.0 + SILENT_SECONDS)
    assert process._identity not in (None, first)
    process.stop()
