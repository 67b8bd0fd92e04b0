"""The guard acts once on lasting conditions, and only undoes its own pauses."""

from __future__ import annotations

import pytest

from backprop_tui.domain.governor.guard_checks import Alarm
from backprop_tui.domain.limits import RunLimits
from backprop_tui.domain.requests import ContinueRequest, NoticeRequest, PauseRequest, StopRequest
from backprop_tui.domain.telemetry import GpuHealth
from tests.domain.governor.machines import active_run, gpu
from tests.domain.governor.watch import Watch, requests


class TestHeat:
    """A hot GPU stops the runs on it until it has cooled."""

    def test_two_readings_at_the_limit_pause_the_runs_on_that_gpu_alone(self) -> None:
        watch = Watch(active_run("vit", 0), active_run("lm", 0, 1), active_run("other", 1))
        assert watch.see(gpu(0, celsius=91.0), gpu(1)) == ()
        actions = watch.see(gpu(0, celsius=85.0), gpu(1))
        reason = "GPU 0 at 85 °C, limit 85, continues below 80"
        assert requests(actions) == [
            ("vit", PauseRequest(by="heat", reason=reason, gpu=0, celsius=85.0)),
            ("lm", PauseRequest(by="heat", reason=reason, gpu=0, celsius=85.0)),
        ]
        assert [(action.alarm, action.figure, action.limit) for action in actions] == [
            (Alarm.OVERHEATED, 85.0, 85.0),
            (Alarm.OVERHEATED, 85.0, 85.0),
        ]

    def test_one_hot_reading_between_cool_ones_is_ignored(self) -> None:
        watch = Watch(active_run("vit", 0))
        assert [watch.see(gpu(celsius=celsius)) for celsius in (90.0, 84.0, 90.0, 84.0)] == [()] * 4

    def test_the_same_reading_seen_twice_is_one_reading(self) -> None:
        watch = Watch(active_run("vit", 0))
        for age in (0.0, 1.0, 2.0, 3.0):
            assert watch.see(gpu(celsius=91.0), age=age) == ()
        assert watch.see(gpu(celsius=91.0)) == ()
        assert len(watch.see(gpu(celsius=91.0))) == 1

    def test_with_faster_sampling_two_steps_of_the_guard_are_two_readings(self) -> None:
        watch = Watch(active_run("vit", 0), sample_seconds=0.2)
        assert [len(watch.see(gpu(celsius=91.0))) for _ in range(2)] == [0, 1]

    def test_it_continues_below_the_margin_and_not_at_it(self) -> None:
        watch = paused_for_heat()
        assert watch.see(gpu(celsius=80.0)) == ()
        assert requests(watch.see(gpu(celsius=79.0))) == [
            ("vit", ContinueRequest(by="heat", reason="GPU 0 at 79 °C, below 80"))
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

    def test_a_margin_of_zero_does_not_cause_flapping(self) -> None:
        watch = paused_for_heat(RunLimits(gpu_resume_margin_celsius=0.0))
        assert watch.see(gpu(celsius=84.0)) == ()
        assert len(watch.see(gpu(celsius=83.9))) == 1

    def test_a_persons_pause_is_left_alone(self) -> None:
        watch = Watch(active_run("vit", 0, paused_by="anna", paused_seconds=1e6))
        assert [watch.see(gpu(celsius=celsius)) for celsius in (91.0, 91.0, 91.0, 40.0, 40.0)] == [()] * 5

    def test_a_stopping_run_is_left_alone(self) -> None:
        watch = Watch(active_run("vit", 0, stopping=True))
        assert [watch.see(gpu(celsius=91.0)) for _ in range(3)] == [()] * 3

    def test_on_overheat_stop_ends_the_run_resumably(self) -> None:
        watch = Watch(active_run("vit", 0, limits=RunLimits(on_overheat="stop")))
        watch.see(gpu(celsius=91.0))
        reason = "GPU 0 at 91 °C, limit 85"
        assert requests(watch.see(gpu(celsius=91.0))) == [
            ("vit", StopRequest(by="heat", reason=reason, cause="overheated"))
        ]

    def test_on_overheat_warn_reports_once_until_it_has_cooled(self) -> None:
        watch = Watch(active_run("vit", 0, limits=RunLimits(on_overheat="warn")))
        notices = [requests(watch.see(gpu(celsius=celsius))) for celsius in (91.0, 91.0, 91.0, 82.0, 91.0, 91.0)]
        once = [("vit", NoticeRequest(message="GPU 0 at 91 °C, limit 85"))]
        assert notices == [[], once, [], [], [], []]
        again = [requests(watch.see(gpu(celsius=celsius))) for celsius in (79.0, 91.0, 91.0)]
        assert again == [[], [], once]

    def test_a_limit_of_zero_switches_it_off(self) -> None:
        watch = Watch(active_run("vit", 0, limits=RunLimits(gpu_max_temp_celsius=0.0)))
        assert [watch.see(gpu(celsius=120.0)) for _ in range(3)] == [()] * 3

    def test_the_longest_pause_ends_the_run_resumably(self) -> None:
        watch = paused_for_heat(RunLimits(max_pause_seconds=3.0))
        assert [watch.see(gpu(celsius=84.0)) for _ in range(2)] == [()] * 2
        assert requests(watch.see(gpu(health=GpuHealth.STALE, celsius=84.0))) == [
            ("vit", StopRequest(by="heat", reason="paused for heat for 3s, at most 3s", cause="overheated"))
        ]

    def test_a_max_pause_of_zero_means_no_limit(self) -> None:
        watch = paused_for_heat(RunLimits(max_pause_seconds=0.0))
        assert [watch.see(gpu(celsius=84.0)) for _ in range(10)] == [()] * 10


def paused_for_heat(limits: RunLimits | None = None) -> Watch:
    watch = Watch(active_run("vit", 0, limits=limits or RunLimits()))
    watch.see(gpu(celsius=91.0))
    watch.see(gpu(celsius=91.0))
    assert watch.runs["vit"].paused_by == "heat"
    return watch


class TestStaleReadings:
    """Missing and stale readings lead to no action."""

    @pytest.mark.parametrize("health", [GpuHealth.STALE, GpuHealth.UNKNOWN])
    def test_a_gpu_that_does_not_answer_leads_to_no_action(self, health: GpuHealth) -> None:
        watch = Watch(active_run("vit", 0))
        assert [watch.see(gpu(celsius=99.0, health=health)) for _ in range(3)] == [()] * 3

    def test_readings_older_than_three_samples_lead_to_no_action(self) -> None:
        watch = Watch(active_run("vit", 0))
        watch.see(gpu(celsius=91.0), ram_gb=0.1, age=3.1)
        assert watch.see(gpu(celsius=91.0), ram_gb=0.1, age=4.1) == ()
        assert watch.see(gpu(celsius=91.0, age_seconds=3.1)) == ()

    def test_the_age_of_a_gpus_figures_counts_from_when_they_were_measured(self) -> None:
        watch = Watch(active_run("vit", 0))
        assert [watch.see(gpu(celsius=91.0, age_seconds=2.0), age=2.0) for _ in range(3)] == [()] * 3

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


class TestLostGpu:
    """A lost GPU is reported and no run is stopped."""

    def test_it_is_reported_once(self) -> None:
        watch = Watch(active_run("lm", 0, 1), active_run("other", 1))
        lost = gpu(0, health=GpuHealth.LOST, celsius=99.0, problem="Xid 79")
        notices = [requests(watch.see(lost, gpu(1))) for _ in range(3)]
        assert notices == [[("lm", NoticeRequest(message="GPU 0 lost: Xid 79, the run continues"))], [], []]

    def test_it_is_reported_again_after_a_recovery(self) -> None:
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
