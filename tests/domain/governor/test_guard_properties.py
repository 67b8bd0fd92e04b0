"""Properties of the guard: it never acts on missing readings, never flaps, and leaves people's pauses alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from hypothesis import example, given, settings
from hypothesis import strategies as st

from backprop_tui.domain.governor.guard import GuardState, step
from backprop_tui.domain.governor.guard_checks import GuardAction
from backprop_tui.domain.governor.snapshot import ActiveRun
from backprop_tui.domain.limits import MemoryLimit, RunLimits
from backprop_tui.domain.requests import ContinueRequest, PauseRequest, StopRequest
from backprop_tui.domain.telemetry import GpuHealth, GpuReading, Readings
from tests.domain.governor.machines import CALM_HOST, active_run, gb, gpu, process

ANSWERING = {GpuHealth.OK, GpuHealth.HOT}
LIMITS = RunLimits(
    gpu_max_temp_celsius=85.0,
    gpu_resume_margin_celsius=5.0,
    gpu_memory_limit=MemoryLimit(bytes=gb(8)),
    max_pause_seconds=20.0,
)


@dataclass(frozen=True, kw_only=True)
class Moment:
    """One second of weather: the GPU, the free RAM, the age of the readings, and whether the runners obey."""

    gpu: GpuReading
    ram_gb: float | None
    age: float
    obeyed: bool


@dataclass(frozen=True, kw_only=True)
class Second:
    """What the guard saw and did in one second."""

    at: int
    moment: Moment
    before: dict[str, ActiveRun]
    actions: tuple[GuardAction, ...]


def _moment(celsius: float | None, used_gb: float | None, health: GpuHealth, **rest: object) -> Moment:
    reading = gpu(celsius=celsius, health=health, processes=(process("young", used_gb),))
    return replace(Moment(gpu=reading, ram_gb=48.0, age=0.0, obeyed=True), **rest)  # type: ignore[arg-type]


fair_moments = st.builds(
    _moment,
    celsius=st.sampled_from([70.0, 79.9, 80.0, 84.9, 85.0, 91.0]),
    used_gb=st.sampled_from([1.0, 8.0, 9.0]),
    health=st.just(GpuHealth.OK),
    ram_gb=st.sampled_from([48.0, 2.0, 1.9, 1.0, 0.9]),
)
foul_moments = st.builds(
    _moment,
    celsius=st.sampled_from([None, 70.0, 91.0]),
    used_gb=st.sampled_from([None, 1.0, 9.0]),
    health=st.sampled_from(GpuHealth),
    ram_gb=st.sampled_from([None, 48.0, 0.5]),
    age=st.sampled_from([0.0, 0.0, 0.0, 4.0]),
    obeyed=st.booleans(),
)
weather = st.lists(fair_moments | foul_moments, min_size=1, max_size=40)
fair_weather = st.lists(fair_moments, min_size=1, max_size=40)
ABOVE_LIMIT = _moment(70.0, 9.0, GpuHealth.OK)


def days(moments: list[Moment]) -> Iterator[Second]:
    """The guard over two runs of ours and one that a person paused, second by second."""
    runs = {
        "old": active_run("old", 0, limits=LIMITS, started_at=1.0),
        "young": active_run("young", 0, limits=LIMITS, started_at=2.0),
        "hers": active_run("hers", 0, limits=LIMITS, started_at=3.0, paused_by="anna"),
    }
    state = GuardState()
    for at, moment in enumerate(moments):
        host = replace(CALM_HOST, ram_available_bytes=None if moment.ram_gb is None else gb(moment.ram_gb))
        readings = Readings(time=at - moment.age, host=host, gpus=(moment.gpu,), probe="nvml")
        taken = step(
            state,
            tuple(runs.values()),
            readings,
            now=float(at),
            sample_seconds=1.0,
            readings_age_seconds=moment.age,
        )
        yield Second(at=at, moment=moment, before=dict(runs), actions=taken.actions)
        state = taken.state
        if moment.obeyed:
            for action in taken.actions:
                runs[action.run_id] = obeyed(runs[action.run_id], action)
        runs = {name: older(run) for name, run in runs.items()}


def obeyed(run: ActiveRun, action: GuardAction) -> ActiveRun:
    match action.request:
        case PauseRequest(by=by):
            return replace(run, paused_by=by, paused_seconds=0.0)
        case ContinueRequest():
            return replace(run, paused_by=None)
        case StopRequest():
            return replace(run, stopping=True)
        case _:
            return run


def older(run: ActiveRun) -> ActiveRun:
    return replace(run, paused_seconds=run.paused_seconds + 1.0 if run.paused_by else 0.0)


@settings(max_examples=150)
@given(weather)
def test_stale_readings_never_lead_to_an_action(moments: list[Moment]) -> None:
    for second in days(moments):
        if second.moment.age > 3:
            assert second.actions == ()


@settings(max_examples=150)
@given(weather)
def test_a_running_run_is_never_touched_because_of_a_gpu_that_does_not_answer(moments: list[Moment]) -> None:
    for second in days(moments):
        for action in second.actions:
            moves = second.before[action.run_id].paused_by is None
            if second.moment.gpu.health not in ANSWERING and moves and not isinstance(action.request, PauseRequest):
                assert action.alarm == "gpu_lost"
            if isinstance(action.request, PauseRequest) and action.request.by == "heat":
                assert second.moment.gpu.health in ANSWERING


@settings(max_examples=150)
@given(weather)
def test_commands_match_the_state_of_the_run_and_a_persons_pause_is_left_alone(moments: list[Moment]) -> None:
    for second in days(moments):
        commanded = [
            action.run_id
            for action in second.actions
            if isinstance(action.request, PauseRequest | ContinueRequest | StopRequest)
        ]
        assert len(commanded) == len(set(commanded))
        for action in second.actions:
            run = second.before[action.run_id]
            assert not run.stopping
            assert run.id != "hers" or not isinstance(action.request, PauseRequest | ContinueRequest)
            if isinstance(action.request, PauseRequest):
                assert run.paused_by is None
            if isinstance(action.request, ContinueRequest):
                assert run.paused_by == action.request.by


@settings(max_examples=150)
@given(fair_weather)
def test_heat_pauses_only_what_stays_at_the_limit_and_continues_only_what_has_cooled(moments: list[Moment]) -> None:
    seen: list[float] = []
    for second in days(moments):
        seen.append(second.moment.gpu.temperature_celsius or 0.0)
        for action in second.actions:
            if isinstance(action.request, PauseRequest) and action.request.by == "heat":
                assert min(seen[-2:]) >= 85.0
                assert len(seen) >= 2
            if isinstance(action.request, ContinueRequest) and action.request.by == "heat":
                assert seen[-1] < 80.0


@settings(max_examples=150)
@given(fair_weather)
def test_a_run_is_not_paused_again_before_heat_or_low_ram_has_lasted_again(moments: list[Moment]) -> None:
    continued_at: dict[str, int] = {}
    for second in days(moments):
        for action in second.actions:
            if isinstance(action.request, ContinueRequest):
                continued_at[action.run_id] = second.at
            if isinstance(action.request, PauseRequest) and action.run_id in continued_at:
                assert second.at >= continued_at[action.run_id] + (2 if action.request.by == "heat" else 1)


@settings(max_examples=150)
@given(fair_weather)
def test_ram_has_hysteresis_and_time_to_settle(moments: list[Moment]) -> None:
    paused_at = continued_at = float("-inf")
    for second in days(moments):
        for action in second.actions:
            ram = second.moment.ram_gb or 0.0
            if isinstance(action.request, PauseRequest) and action.request.by == "ram":
                assert ram < 1.0
                assert second.at - paused_at >= 10
                paused_at = second.at
            if isinstance(action.request, ContinueRequest) and action.request.by == "ram":
                assert ram >= 2.0
                assert second.at - max(paused_at, continued_at) >= 10
                continued_at = second.at


@settings(max_examples=150)
@given(weather)
@example([ABOVE_LIMIT] * 4)  # of which every second is rarely drawn
def test_no_run_is_stopped_for_its_memory_without_a_warning(moments: list[Moment]) -> None:
    warned: set[str] = set()
    for second in days(moments):
        for action in second.actions:
            if action.alarm != "memory_limit":
                continue
            if isinstance(action.request, StopRequest):
                assert action.run_id in warned
                assert action.request.cause == "memory_limit"
            warned.add(action.run_id)


@settings(max_examples=150)
@given(weather)
def test_every_action_has_a_reason(moments: list[Moment]) -> None:
    for second in days(moments):
        for action in second.actions:
            request = action.request
            assert request.reason if isinstance(request, PauseRequest | ContinueRequest | StopRequest) else True
            assert action.figure is not None or action.alarm == "gpu_lost"
