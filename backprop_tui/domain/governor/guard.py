"""The guard: what must be done about runs that are already running."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field

from backprop_tui.domain.formatting import duration, gigabytes_down, gigabytes_up, plain
from backprop_tui.domain.governor.guard_memory import (
    SETTLE_SECONDS,
    continue_ram_bytes,
    enforce_memory_limits,
    has_recovered,
    is_low,
    is_within_limit,
    pause_when_ram_is_low,
)
from backprop_tui.domain.governor.guard_view import Alarm, GpuHistory, GuardAction, GuardView, update_histories
from backprop_tui.domain.governor.heat import (
    continue_below_celsius,
    hottest_gpu,
    is_cool,
    is_gpu_hot,
    pause_overheated,
)
from backprop_tui.domain.governor.snapshot import BY_HEAT, BY_RAM, ActiveRun
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.requests import ContinueRequest, NoticeRequest, PauseRequest, StopRequest
from backprop_tui.domain.telemetry import GpuHealth, GpuReading, Readings, is_stale


def report_lost_gpus(view: GuardView) -> Iterator[GuardAction]:
    """Reports lost GPUs of a run, once for as long as one is lost."""
    for run in view.runs:
        lost = lost_gpus(run, view)
        if lost and (run.id, Alarm.GPU_LOST) not in view.reported:
            problem = f": {lost[0].problem}" if lost[0].problem else ""
            numbers = ", ".join(str(gpu.index) for gpu in lost)
            request = NoticeRequest(message=f"GPU {numbers} lost{problem}, the run is left alone")
            yield GuardAction(run_id=run.id, alarm=Alarm.GPU_LOST, request=request)


def lost_gpus(run: ActiveRun, view: GuardView) -> list[GpuReading]:
    """Returns the run's lost GPUs, without those that only do not answer at the moment."""
    return [gpu for gpu in view.readings.gpus if gpu.uuid in run.gpu_uuids and gpu.health is GpuHealth.LOST]


def stop_long_paused(view: GuardView) -> Iterator[GuardAction]:
    """Stops runs that the guard has paused for longer than they allow; they can be resumed."""
    for run in view.runs:
        limit = run.limits.max_pause_seconds
        if run.paused_by is None or not run.paused_by_guard or not 0 < limit <= run.paused_seconds:
            continue
        alarm = Alarm.OVERHEATED if run.paused_by == BY_HEAT else Alarm.RAM
        reason = f"paused for {run.paused_by} for {duration(run.paused_seconds)}, at most {duration(limit)}"
        cause = alarm.value if alarm is Alarm.OVERHEATED else None
        request = StopRequest(by=run.paused_by, reason=reason, cause=cause)
        yield GuardAction(run_id=run.id, alarm=alarm, request=request, figure=run.paused_seconds, limit=limit)


def continue_cooled(view: GuardView) -> Iterator[GuardAction]:
    """Continues every run that was paused for heat and whose GPUs are all cool again."""
    for run in view.runs:
        hottest = hottest_gpu(run, view)
        if run.paused_by != BY_HEAT or hottest is None or not is_cool(run, view) or is_low(run, view):
            continue
        figure, below = hottest.temperature_celsius or 0.0, continue_below_celsius(run.limits)
        reason = f"GPU {hottest.index} at {plain(figure)} °C, below {plain(below)}"
        request = ContinueRequest(by=BY_HEAT, reason=reason)
        yield GuardAction(run_id=run.id, alarm=Alarm.OVERHEATED, request=request, figure=figure, limit=below)


def continue_when_ram_recovers(view: GuardView) -> Iterator[GuardAction]:
    """Continues the oldest run that was paused for RAM, one at a time."""
    free = view.readings.host.ram_available_bytes
    ready = [
        run for run in view.runs if run.paused_by == BY_RAM and has_recovered(run, view) and not is_gpu_hot(run, view)
    ]
    if free is None or not ready or view.seconds_since_ram_action < SETTLE_SECONDS:
        return
    oldest = min(ready, key=lambda run: (run.started_at, run.id))
    needed = continue_ram_bytes(oldest.limits)
    reason = f"RAM {gigabytes_down(free)} GB free, needs {gigabytes_up(needed)}"
    request = ContinueRequest(by=BY_RAM, reason=reason)
    yield GuardAction(run_id=oldest.id, alarm=Alarm.RAM, request=request, figure=free, limit=needed)


# A guardian checks for requests five times a second; one that had no effect after this time is sent again.
RESEND_SECONDS = 5.0

# In order of precedence: the first command to a run wins.
CHECKS: tuple[Callable[[GuardView], Iterable[GuardAction]], ...] = (
    enforce_memory_limits,
    stop_long_paused,
    pause_overheated,
    pause_when_ram_is_low,
    continue_cooled,
    continue_when_ram_recovers,
    report_lost_gpus,
)

# When an alarm has ended, so that it may be reported again.
ALARM_IS_OVER: Mapping[Alarm, Callable[[ActiveRun, GuardView], bool]] = {
    Alarm.OVERHEATED: is_cool,
    Alarm.MEMORY_LIMIT: is_within_limit,
    Alarm.GPU_LOST: lambda run, view: not lost_gpus(run, view),
}


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class SentCommand:
    """The last command to a run, and its monotonic time."""

    action: GuardAction
    at: float


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class GuardState:
    """What the guard remembers between steps; times are monotonic."""

    histories: Mapping[str, GpuHistory] = field(default_factory=dict)
    sent: Mapping[str, SentCommand] = field(default_factory=dict)
    reported: frozenset[tuple[str, Alarm]] = frozenset()
    ram_paused_at: float = -float("inf")
    ram_acted_at: float = -float("inf")


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class GuardStep:
    """The state for the next step, and the actions of this one: at most one command per run, and all reports."""

    state: GuardState
    actions: tuple[GuardAction, ...] = ()


def step(
    state: GuardState,
    runs: Sequence[ActiveRun],
    readings: Readings,
    *,
    now: float,
    sample_seconds: float,
    readings_age_seconds: float = 0.0,
) -> GuardStep:
    """Performs one step of the guard.

    Args:
        state: The state after the last step.
        runs: All active runs, in their current state.
        readings: The newest readings.
        now: Monotonic seconds.
        sample_seconds: The time between two readings.
        readings_age_seconds: How old the readings are as a whole.
    """
    if is_stale(readings_age_seconds, sample_seconds):
        return GuardStep(state=state)
    histories = update_histories(
        state.histories, readings, readings_age_seconds=readings_age_seconds, sample_seconds=sample_seconds
    )
    view = GuardView(
        runs=tuple(run for run in runs if not run.stopping),
        readings=readings,
        histories=histories,
        reported=state.reported,
        seconds_since_ram_pause=now - state.ram_paused_at,
        seconds_since_ram_action=now - state.ram_acted_at,
    )
    proposed = (action for check in CHECKS for action in check(view))
    actions = tuple(_due_actions(proposed, state.sent, now))
    return GuardStep(state=_next_state(state, view, actions, now), actions=actions)


def _due_actions(proposed: Iterable[GuardAction], sent: Mapping[str, SentCommand], now: float) -> Iterator[GuardAction]:
    """All reports, and the first command to each run unless the same was sent a moment ago."""
    commanded: set[str] = set()
    for action in proposed:
        if isinstance(action.request, NoticeRequest):
            yield action
        elif action.run_id not in commanded:
            commanded.add(action.run_id)
            last = sent.get(action.run_id)
            is_repeated = last is not None and type(last.action.request) is type(action.request)
            if last is None or not is_repeated or now - last.at >= RESEND_SECONDS:
                yield action


def _next_state(state: GuardState, view: GuardView, actions: Sequence[GuardAction], now: float) -> GuardState:
    """The state after this step, without runs that have ended or are stopping."""
    runs = {run.id: run for run in view.runs}
    commands = [action for action in actions if not isinstance(action.request, NoticeRequest)]
    sent = {run_id: command for run_id, command in state.sent.items() if run_id in runs}
    sent.update({action.run_id: SentCommand(action=action, at=now) for action in commands})
    continuing = {
        (run_id, alarm)
        for run_id, alarm in state.reported
        if run_id in runs and not ALARM_IS_OVER[alarm](runs[run_id], view)
    }
    new = {(action.run_id, action.alarm) for action in actions if isinstance(action.request, NoticeRequest)}
    about_ram = [action for action in commands if action.alarm is Alarm.RAM]
    paused = any(isinstance(action.request, PauseRequest) for action in about_ram)
    return GuardState(
        histories=view.histories,
        sent=sent,
        reported=frozenset(continuing | new),
        ram_paused_at=now if paused else state.ram_paused_at,
        ram_acted_at=now if about_ram else state.ram_acted_at,
    )
