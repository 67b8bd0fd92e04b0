"""The guard: what must be done about runs that are already running."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field

from backprop_tui.domain.governor.guard_checks import (
    Alarm,
    GpuHistory,
    GuardAction,
    GuardView,
    continue_cooled,
    continue_when_ram_recovers,
    enforce_memory_limits,
    is_cool,
    is_within_limit,
    lost_gpus,
    pause_overheated,
    pause_when_ram_is_low,
    report_lost_gpus,
    stop_long_paused,
    update_histories,
)
from backprop_tui.domain.governor.snapshot import ActiveRun
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.requests import NoticeRequest, PauseRequest
from backprop_tui.domain.telemetry import Readings, is_stale

# A guardian notices a request within a second; one that had no effect after this time is sent again.
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
    """Performs one step of the guard over all active runs, at the monotonic time `now`.

    `sample_seconds` is the time between two readings, `readings_age_seconds` the age of these.
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
