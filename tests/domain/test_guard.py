"""The guard acts on what lasts, once, and undoes only what it did itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from backprop_tui.domain.active import ActiveRun
from backprop_tui.domain.guard import GuardState, step
from backprop_tui.domain.guard_view import Alarm, GuardAction
from backprop_tui.domain.limits import MemoryLimit, RunLimits
from backprop_tui.domain.requests import ContinueRequest, PauseRequest, StopRequest, TellRequest
from backprop_tui.domain.telemetry import GpuHealth, GpuReading, Readings
from tests.domain.machines import CALM_HOST, active_run, gb, gpu, process


class Watch:
    """A machine looked at once a second, whose runners obey at once, or never when they are deaf."""

    def __init__(self, *runs: ActiveRun, deaf: bool = False) -> None:
        self.runs = {run.id: run for run in runs}
        self.deaf = deaf
        self.state = GuardState()
        self.now = 0.0

    def see(self, *gpus: GpuReading, ram_gb: float | None = 48.0, age: float = 0.0) -> tuple[GuardAction, ...]:
        """One step, a second after the last, with readings of that age."""
        self.now += 1.0
        for run in list(self.runs.values()):
            if run.paused_by:
                self.runs[run.id] = replace(run, paused_seconds=run.paused_seconds + 1.0)
        host = replace(CALM_HOST, ram_available_bytes=None if ram_gb is None else gb(ram_gb))
        taken = step(
            self.state,
            tuple(self.runs.values()),
            Readings(time=self.now - age, host=host, gpus=gpus, probe="nvml"),
            now=self.now,
            sample_seconds=1.0,
            readings_age_seconds=age,
        )
        self.state = taken.state
        if not self.deaf:
            self.obey(taken.actions)
        return taken.actions

    def obey(self, actions: Sequence[GuardAction]) -> None:
        for action in actions:
            run = self.runs[action.run_id]
            match action.request:
                case PauseRequest(by=by):
                    self.runs[run.id] = replace(run, paused_by=by, paused_seconds=0.0)
                case ContinueRequest():
                    self.runs[run.id] = replace(run, paused_by=None, paused_seconds=0.0)
                case StopRequest():
                    self.runs[run.id] = replace(run, stopping=True)
                case TellRequest():
                    pass


def requests(actions: Sequence[GuardAction]) -> list[tuple[str, object]]:
    return [(action.run_id, action.request) for action in actions]


class TestHeat:
    """A hot GPU stops the runs on it until it has cooled."""

    def test_two_readings_at_the_limit_pause_the_runs_on_that_gpu_alone(self) -> None:
        watch = Watch(active_run("vit", 0), active_run("lm", 0, 1), active_run("other", 1))
        assert watch.see(gpu(0, celsius=91.0), gpu(1)) == ()
        actions = watch.see(gpu(0, celsius=85.0), gpu(1))
        reason = "GPU 0 at 85 C, limit 85, continues below 80"
        assert requests(actions) == [
            ("vit", PauseRequest(by="heat", reason=reason)),
            ("lm", PauseRequest(by="heat", reason=reason)),
        ]
        assert [(action.alarm, action.figure, action.limit) for action in actions] == [
            (Alarm.OVERHEATED, 85.0, 85.0),
            (Alarm.OVERHEATED, 85.0, 85.0),
        ]

    def test_one_hot_reading_between_cool_ones_is_nothing(self) -> None:
        watch = Watch(active_run("vit", 0))
        assert [watch.see(gpu(celsius=celsius)) for celsius in (90.0, 84.0, 90.0, 84.0)] == [()] * 4

    def test_the_same_reading_seen_twice_is_one_reading(self) -> None:
        watch = Watch(active_run("vit", 0))
        for age in (0.0, 1.0, 2.0, 3.0):
            assert watch.see(gpu(celsius=91.0), age=age) == ()
        assert watch.see(gpu(celsius=91.0)) == ()
        assert len(watch.see(gpu(celsius=91.0))) == 1

    def test_it_continues_below_the_margin_and_not_at_it(self) -> None:
        watch = paused_for_heat()
        assert watch.see(gpu(celsius=80.0)) == ()
        assert requests(watch.see(gpu(celsius=79.0))) == [
            ("vit", ContinueRequest(by="heat", reason="GPU 0 at 79 C, below 80"))
        ]
        assert watch.see(gpu(celsius=84.0)) == ()

    def test_a_run_on_two_gpus_waits_for_both(self) -> None:
        watch = Watch(active_run("ddp", 0, 1))
        watch.see(gpu(0, celsius=90.0), gpu(1, celsius=90.0))
        watch.see(gpu(0, celsius=90.0), gpu(1, celsius=90.0))
        assert watch.see(gpu(0, celsius=70.0), gpu(1, celsius=81.0)) == ()
        assert watch.see(gpu(0, celsius=70.0), gpu(1, health=GpuHealth.STALE, celsius=70.0)) == ()
        assert watch.see(gpu(0, celsius=70.0), gpu(1, celsius=None)) == ()
        assert len(watch.see(gpu(0, celsius=70.0), gpu(1, celsius=79.0))) == 1

    def test_a_margin_of_zero_does_not_make_it_flap(self) -> None:
        watch = paused_for_heat(RunLimits(gpu_resume_margin_celsius=0.0))
        assert watch.see(gpu(celsius=84.0)) == ()
        assert len(watch.see(gpu(celsius=83.9))) == 1

    def test_what_a_person_paused_is_left_to_the_person(self) -> None:
        watch = Watch(active_run("vit", 0, paused_by="anna", paused_seconds=1e6))
        assert [watch.see(gpu(celsius=celsius)) for celsius in (91.0, 91.0, 91.0, 40.0, 40.0)] == [()] * 5

    def test_a_run_that_is_stopping_is_left_to_its_end(self) -> None:
        watch = Watch(active_run("vit", 0, stopping=True))
        assert [watch.see(gpu(celsius=91.0)) for _ in range(3)] == [()] * 3

    def test_on_overheat_stop_ends_it_resumably(self) -> None:
        watch = Watch(active_run("vit", 0, limits=RunLimits(on_overheat="stop")))
        watch.see(gpu(celsius=91.0))
        reason = "GPU 0 at 91 C, limit 85"
        assert requests(watch.see(gpu(celsius=91.0))) == [
            ("vit", StopRequest(by="heat", reason=reason, cause="overheated"))
        ]

    def test_on_overheat_warn_tells_once_until_it_has_cooled(self) -> None:
        watch = Watch(active_run("vit", 0, limits=RunLimits(on_overheat="warn")))
        told = [requests(watch.see(gpu(celsius=celsius))) for celsius in (91.0, 91.0, 91.0, 82.0, 91.0, 91.0)]
        once = [("vit", TellRequest(message="GPU 0 at 91 C, limit 85"))]
        assert told == [[], once, [], [], [], []]
        again = [requests(watch.see(gpu(celsius=celsius))) for celsius in (79.0, 91.0, 91.0)]
        assert again == [[], [], once]

    def test_a_limit_of_zero_switches_it_off(self) -> None:
        watch = Watch(active_run("vit", 0, limits=RunLimits(gpu_max_temp_celsius=0.0)))
        assert [watch.see(gpu(celsius=120.0)) for _ in range(3)] == [()] * 3

    def test_the_longest_pause_ends_the_run_resumably(self) -> None:
        watch = paused_for_heat(RunLimits(max_pause_seconds=3.0))
        assert [watch.see(gpu(celsius=84.0)) for _ in range(2)] == [()] * 2
        assert requests(watch.see(gpu(health=GpuHealth.STALE, celsius=84.0))) == [
            ("vit", StopRequest(by="heat", reason="paused for heat for 0:03, at most 0:03", cause="overheated"))
        ]

    def test_a_longest_pause_of_zero_is_none(self) -> None:
        watch = paused_for_heat(RunLimits(max_pause_seconds=0.0))
        assert [watch.see(gpu(celsius=84.0)) for _ in range(10)] == [()] * 10


def paused_for_heat(limits: RunLimits | None = None) -> Watch:
    watch = Watch(active_run("vit", 0, limits=limits or RunLimits()))
    watch.see(gpu(celsius=91.0))
    watch.see(gpu(celsius=91.0))
    assert watch.runs["vit"].paused_by == "heat"
    return watch


class TestStaleReadings:
    """What is not known now leads to nothing."""

    @pytest.mark.parametrize("health", [GpuHealth.STALE, GpuHealth.UNKNOWN])
    def test_a_gpu_that_does_not_answer_leads_to_no_action(self, health: GpuHealth) -> None:
        watch = Watch(active_run("vit", 0))
        assert [watch.see(gpu(celsius=99.0, health=health)) for _ in range(3)] == [()] * 3

    def test_readings_older_than_three_samples_lead_to_no_action(self) -> None:
        watch = Watch(active_run("vit", 0))
        watch.see(gpu(celsius=91.0), ram_gb=0.1, age=3.1)
        assert watch.see(gpu(celsius=91.0), ram_gb=0.1, age=4.1) == ()
        assert watch.see(gpu(celsius=91.0, age_seconds=3.1)) == ()

    def test_readings_from_the_future_lead_to_no_action(self) -> None:
        watch = Watch(active_run("vit", 0))
        assert watch.see(gpu(celsius=91.0), ram_gb=0.1, age=-3600.0) == ()

    def test_hot_readings_with_a_gap_between_are_not_two_in_a_row(self) -> None:
        watch = Watch(active_run("vit", 0))
        watch.see(gpu(celsius=91.0))
        watch.now += 60.0
        assert watch.see(gpu(celsius=91.0)) == ()
        assert len(watch.see(gpu(celsius=91.0))) == 1

    def test_a_gpu_without_a_temperature_leads_to_no_action(self) -> None:
        watch = Watch(active_run("vit", 0))
        assert [watch.see(gpu(celsius=None)) for _ in range(3)] == [()] * 3


class TestRam:
    """RAM nearly gone stops the youngest run, one at a time."""

    RUNS = (active_run("old", started_at=1.0), active_run("young", started_at=3.0), active_run("mid", started_at=2.0))

    def test_the_youngest_pauses_with_figures(self) -> None:
        watch = Watch(*self.RUNS)
        actions = watch.see(ram_gb=0.94)
        reason = "RAM 0.9 GB free, keeps 1, continues from 2"
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

    def test_a_run_that_keeps_no_ram_is_not_paused(self) -> None:
        careless = replace(self.RUNS[1], limits=RunLimits(min_free_ram_bytes=0))
        assert [action.run_id for action in Watch(self.RUNS[0], careless).see(ram_gb=0.1)] == ["old"]
        assert Watch(careless).see(ram_gb=0.0) == ()

    def test_unreadable_ram_pauses_and_continues_nobody(self) -> None:
        assert Watch(*self.RUNS).see(ram_gb=None) == ()
        assert Watch(replace(self.RUNS[0], paused_by="ram")).see(ram_gb=None) == ()

    def test_a_pause_for_ram_that_lasts_too_long_ends_the_run(self) -> None:
        watch = Watch(replace(self.RUNS[0], paused_by="ram", paused_seconds=3600.0))
        assert [action.request for action in watch.see(ram_gb=0.5)] == [
            StopRequest(by="ram", reason="paused for ram for 1:00 h, at most 1:00 h", cause=None)
        ]

    def test_neither_pause_ends_into_the_other(self) -> None:
        cooled = Watch(active_run("vit", 0, paused_by="heat"))
        assert cooled.see(gpu(celsius=50.0), ram_gb=0.5) == ()
        hot = Watch(active_run("vit", 0, paused_by="ram"))
        assert hot.see(gpu(celsius=85.0), ram_gb=30.0) == ()


class TestMemoryLimit:
    """A run above its own VRAM limit is told, then ended."""

    RUN = active_run("lm", 0, limits=RunLimits(gpu_memory_limit=MemoryLimit(bytes=gb(8))))

    def uses(self, count: float | None) -> GpuReading:
        return gpu(used_gb=20, processes=(process("lm", count), process("other", 11, pid=8)))

    def test_told_after_two_readings_and_ended_after_two_more(self) -> None:
        watch = Watch(self.RUN)
        words = "GPU 0: 9.1 GB used, limit 8"
        told = ("lm", TellRequest(message=f"{words}, stopped if it stays above"))
        ended = ("lm", StopRequest(by="memory_limit", reason=words, cause="memory_limit"))
        assert [requests(watch.see(self.uses(9.1))) for _ in range(5)] == [[], [told], [], [ended], []]

    def test_at_the_limit_is_not_above_it(self) -> None:
        watch = Watch(self.RUN)
        assert [watch.see(self.uses(8)) for _ in range(5)] == [()] * 5

    def test_a_run_that_mends_itself_goes_on_and_is_told_again_next_time(self) -> None:
        watch = Watch(self.RUN)
        kinds = [[type(action.request) for action in watch.see(self.uses(used))] for used in (9, 9, 9, 7, 9, 9, 9)]
        assert kinds == [[], [TellRequest], [], [], [], [TellRequest], []]

    def test_a_share_is_of_the_gpus_total(self) -> None:
        watch = Watch(replace(self.RUN, limits=RunLimits(gpu_memory_limit=MemoryLimit(fraction=0.5))))
        assert [len(watch.see(self.uses(12))) for _ in range(3)] == [0, 0, 0]
        assert [len(watch.see(self.uses(12.1))) for _ in range(2)] == [0, 1]

    def test_a_use_that_nobody_measured_is_not_above_anything(self) -> None:
        watch = Watch(self.RUN)
        assert [watch.see(self.uses(None)) for _ in range(5)] == [()] * 5

    def test_a_new_supervisor_tells_before_it_ends(self) -> None:
        watch = Watch()
        for _ in range(6):
            watch.see(self.uses(9.1))
        watch.runs["lm"] = self.RUN
        assert [type(action.request) for action in watch.see(self.uses(9.1))] == [TellRequest]

    def test_its_end_goes_before_a_pause(self) -> None:
        watch = Watch(self.RUN)
        kinds = [
            [type(action.request) for action in watch.see(replace(self.uses(9), temperature_celsius=celsius))]
            for celsius in (50.0, 50.0, 91.0, 91.0)
        ]
        assert kinds == [[], [TellRequest], [], [StopRequest]]


class TestLostGpu:
    """A lost GPU is told and nobody is killed."""

    def test_it_is_told_once(self) -> None:
        watch = Watch(active_run("lm", 0, 1), active_run("other", 1))
        lost = gpu(0, health=GpuHealth.LOST, celsius=99.0, problem="Xid 79")
        told = [requests(watch.see(lost, gpu(1))) for _ in range(3)]
        assert told == [[("lm", TellRequest(message="GPU 0 lost: Xid 79, the run is left alone"))], [], []]

    def test_it_is_told_again_when_it_was_back_between(self) -> None:
        watch = Watch(active_run("lm", 0))
        lost = gpu(health=GpuHealth.LOST)
        assert [len(watch.see(reading)) for reading in (lost, gpu(), lost)] == [1, 0, 1]


class TestObedience:
    """A command needs a moment, and is repeated when it has no effect."""

    def test_a_command_is_not_repeated_at_once_but_after_five_seconds(self) -> None:
        watch = Watch(active_run("vit", 0), deaf=True)
        assert [len(watch.see(gpu(celsius=91.0))) for _ in range(8)] == [0, 1, 0, 0, 0, 0, 1, 0]

    def test_a_run_gets_one_command_a_step(self) -> None:
        watch = Watch(active_run("vit", 0))
        watch.see(gpu(celsius=91.0))
        actions = watch.see(gpu(celsius=91.0), ram_gb=0.5)
        assert [action.alarm for action in actions] == [Alarm.OVERHEATED]
