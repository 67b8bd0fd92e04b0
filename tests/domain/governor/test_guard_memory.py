"""The guard prevents RAM from running out and enforces each run's VRAM limit."""

from __future__ import annotations

from dataclasses import replace

from backprop_tui.domain.governor.guard_checks import Alarm, limit_bytes
from backprop_tui.domain.limits import MemoryLimit, RunLimits
from backprop_tui.domain.requests import ContinueRequest, NoticeRequest, PauseRequest, StopRequest
from backprop_tui.domain.telemetry import GpuHealth, GpuReading
from tests.domain.governor.machines import active_run, gb, gpu, process
from tests.domain.governor.watch import Watch, requests


class TestRam:
    """When RAM is nearly used up, the youngest run is stopped, one run at a time."""

    RUNS = (active_run("old", started_at=1.0), active_run("young", started_at=3.0), active_run("mid", started_at=2.0))

    def test_the_youngest_pauses_with_figures(self) -> None:
        watch = Watch(*self.RUNS)
        actions = watch.see(ram_gb=0.94)
        reason = "RAM 0.9 GB free, limit 1, continues from 2"
        assert requests(actions) == [("young", PauseRequest(by="ram", reason=reason))]
        assert (actions[0].alarm, actions[0].figure, actions[0].limit) == (Alarm.RAM, gb(0.94), gb(1))

    def test_the_next_one_pauses_only_after_the_first_pause_has_settled(self) -> None:
        watch = Watch(*self.RUNS)
        paused = [[action.run_id for action in watch.see(ram_gb=0.5)] for _ in range(12)]
        assert paused == [["young"], *[[]] * 9, ["mid"], []]

    def test_they_continue_oldest_first_from_half_of_what_they_keep(self) -> None:
        watch = Watch(*(replace(run, paused_by="ram") for run in self.RUNS[:2]), self.RUNS[2])
        assert watch.see(ram_gb=1.99) == ()
        assert requests(watch.see(ram_gb=2.0)) == [("old", ContinueRequest(by="ram", reason="RAM 2 GB free, needs 2"))]
        continued = [[action.run_id for action in watch.see(ram_gb=2.0)] for _ in range(10)]
        assert continued == [*[[]] * 9, ["young"]]

    def test_between_a_quarter_and_a_half_nothing_happens(self) -> None:
        watch = Watch(self.RUNS[0], replace(self.RUNS[1], paused_by="ram"))
        assert [watch.see(ram_gb=ram) for ram in (1.0, 1.5, 1.9)] == [()] * 3

    def test_a_run_without_a_ram_limit_is_not_paused(self) -> None:
        careless = replace(self.RUNS[1], limits=RunLimits(min_free_ram_bytes=0))
        assert [action.run_id for action in Watch(self.RUNS[0], careless).see(ram_gb=0.1)] == ["old"]
        assert Watch(careless).see(ram_gb=0.0) == ()

    def test_unreadable_ram_pauses_and_continues_no_run(self) -> None:
        assert Watch(*self.RUNS).see(ram_gb=None) == ()
        assert Watch(replace(self.RUNS[0], paused_by="ram")).see(ram_gb=None) == ()

    def test_a_pause_for_ram_that_lasts_too_long_ends_the_run(self) -> None:
        watch = Watch(replace(self.RUNS[0], paused_by="ram", paused_seconds=3600.0))
        assert [action.request for action in watch.see(ram_gb=0.5)] == [
            StopRequest(by="ram", reason="paused for ram for 1h, at most 1h", cause=None)
        ]

    def test_a_pause_does_not_end_while_the_other_condition_holds(self) -> None:
        cooled = Watch(active_run("vit", 0, paused_by="heat"))
        assert cooled.see(gpu(celsius=50.0), ram_gb=0.5) == ()
        hot = Watch(active_run("vit", 0, paused_by="ram"))
        assert hot.see(gpu(celsius=85.0), ram_gb=30.0) == ()


class TestMemoryLimit:
    """A run above its own VRAM limit is warned, then stopped."""

    RUN = active_run("lm", 0, limits=RunLimits(gpu_memory_limit=MemoryLimit(bytes=gb(8))))

    def uses(self, count: float | None) -> GpuReading:
        return gpu(used_gb=20, processes=(process("lm", count), process("other", 11, pid=8)))

    def test_a_run_is_warned_after_two_readings_and_stopped_after_two_more(self) -> None:
        watch = Watch(self.RUN)
        words = "GPU 0: 9.1 GB used, limit 8"
        warning = ("lm", NoticeRequest(message=f"{words}, the run will be stopped if it stays above the limit"))
        stop = ("lm", StopRequest(by="memory_limit", reason=words, cause="memory_limit"))
        assert [requests(watch.see(self.uses(9.1))) for _ in range(5)] == [[], [warning], [], [stop], []]

    def test_a_repeated_reading_neither_counts_nor_breaks_the_history(self) -> None:
        watch = Watch(self.RUN)
        ages = (0.0, 0.0, 1.05, 0.0, 0.0)
        kinds = [[type(action.request) for action in watch.see(self.uses(9), age=age)] for age in ages]
        assert kinds == [[], [NoticeRequest], [], [], [StopRequest]]

    def test_at_the_limit_is_not_above_it(self) -> None:
        watch = Watch(self.RUN)
        assert [watch.see(self.uses(8)) for _ in range(5)] == [()] * 5

    def test_a_run_that_gets_below_its_limit_continues_and_is_warned_again_next_time(self) -> None:
        watch = Watch(self.RUN)
        kinds = [[type(action.request) for action in watch.see(self.uses(used))] for used in (9, 9, 9, 7, 9, 9, 9)]
        assert kinds == [[], [NoticeRequest], [], [], [], [NoticeRequest], []]

    def test_an_alarm_continues_while_the_gpu_does_not_answer(self) -> None:
        watch = Watch(self.RUN)
        silent = replace(self.uses(9), health=GpuHealth.STALE)
        seen = [self.uses(9), self.uses(9), silent, self.uses(9), self.uses(9)]
        assert [len(watch.see(reading)) for reading in seen] == [0, 1, 0, 0, 0]

    def test_a_share_is_of_the_gpus_total(self) -> None:
        watch = Watch(replace(self.RUN, limits=RunLimits(gpu_memory_limit=MemoryLimit(fraction=0.5))))
        assert [len(watch.see(self.uses(12))) for _ in range(3)] == [0, 0, 0]
        assert [len(watch.see(self.uses(12.1))) for _ in range(2)] == [0, 1]

    def test_an_unmeasured_use_is_not_above_the_limit(self) -> None:
        watch = Watch(self.RUN)
        assert [watch.see(self.uses(None)) for _ in range(5)] == [()] * 5

    def test_a_new_supervisor_warns_before_it_stops_a_run(self) -> None:
        watch = Watch()
        for _ in range(6):
            watch.see(self.uses(9.1))
        watch.runs["lm"] = self.RUN
        assert [type(action.request) for action in watch.see(self.uses(9.1))] == [NoticeRequest]

    def test_its_end_goes_before_a_pause(self) -> None:
        watch = Watch(self.RUN)
        kinds = [
            [type(action.request) for action in watch.see(replace(self.uses(9), temperature_celsius=celsius))]
            for celsius in (50.0, 50.0, 91.0, 91.0)
        ]
        assert kinds == [[], [NoticeRequest], [], [StopRequest]]


def test_a_share_of_a_memory_that_is_not_known_is_no_limit() -> None:
    """Unified memory, or a part of a GPU."""
    assert limit_bytes(MemoryLimit(fraction=0.5), gpu(total_gb=None)) is None
    assert limit_bytes(MemoryLimit(fraction=0.5), gpu(total_gb=24)) == gb(12)
