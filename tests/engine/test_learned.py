"""Peaks of VRAM, remembered by command."""

from __future__ import annotations

from dataclasses import replace

from backprop_tui.domain.run import Peak, Run
from backprop_tui.engine.capacity import MOST_COMMANDS, VramHistory
from tests.engine.machines import Host


def run(host: Host, run_id: str, *command: str, peak: int | None = None) -> Run:
    queued = host.runs.queued(run_id, spec={"command": command or ("train.py",)}).read()
    return replace(queued, peak=Peak(vram_bytes=peak))


def test_the_peak_is_that_of_the_newest_run_of_the_same_command(host: Host) -> None:
    history = VramHistory(host.home)
    assert history.peak_of(run(host, "a")) is None
    history.record(run(host, "b", peak=7))
    history.record(run(host, "c", peak=5))
    assert history.peak_of(run(host, "d")) == 5
    assert history.peak_of(run(host, "e", "train.py", "--lr=1")) is None


def test_a_run_that_was_not_measured_changes_nothing(host: Host) -> None:
    history = VramHistory(host.home)
    history.record(run(host, "a", peak=7))
    history.record(run(host, "b"))
    assert history.peak_of(run(host, "c")) == 7


def test_the_next_supervisor_knows_the_peak_too(host: Host) -> None:
    VramHistory(host.home).record(run(host, "a", peak=7))
    assert VramHistory(host.home).peak_of(run(host, "b")) == 7


def test_a_broken_file_counts_as_missing(host: Host) -> None:
    with open(host.home.vram_history, "w", encoding="utf-8") as file:
        file.write("{")
    history = VramHistory(host.home)
    history.record(run(host, "a", peak=7))
    assert VramHistory(host.home).peak_of(run(host, "b")) == 7


def test_the_oldest_peak_is_forgotten_first(host: Host) -> None:
    history = VramHistory(host.home)
    history._peaks = {str(number): 1 for number in range(MOST_COMMANDS)}
    history.record(run(host, "a", peak=7))
    assert len(history._peaks) == MOST_COMMANDS
    assert "0" not in history._peaks
