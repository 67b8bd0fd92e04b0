"""The guard: what must be done about runs that are running already.

It is asked once a second and answers with requests for the runners. It never acts on readings that are stale, and it
continues only what it paused itself. A new supervisor begins with an empty state; who is paused by whom, and for how
long, is told by the runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field

from backprop_tui.domain.governor.active import ActiveRun
from backprop_tui.domain.governor.freshness import is_stale
from backprop_tui.domain.governor.guard_heat import is_cool, pause_overheated
from backprop_tui.domain.governor.guard_lost import lost_gpus, tell_lost_gpus
from backprop_tui.domain.governor.guard_pauses import continue_cooled, continue_when_ram_is_back, stop_long_paused
from backprop_tui.domain.governor.guard_ram import pause_when_short
from backprop_tui.domain.governor.guard_view import Alarm, GuardAction, Track, View, follow
from backprop_tui.domain.governor.guard_vram import enforce_memory_limits, is_within_limit
from backprop_tui.domain.requests import PauseRequest, TellRequest
from backprop_tui.domain.telemetry import Readings
from backprop_tui.domain.values import dataclass

# A runner looks for requests five times a second; what has no effect for so long is asked again.
ASK_AGAIN_SECONDS = 5.0

# In order of precedence: the first command to a run stands.
CHECKS: tuple[Callable[[View], Iterable[GuardAction]], ...] = (
    enforce_memory_limits,
    stop_long_paused,
    pause_overheated,
    pause_when_short,
    continue_cooled,
    continue_when_ram_is_back,
    tell_lost_gpus,
)

# When a run may be told of the same again.
ALARM_IS_OVER: Mapping[Alarm, Callable[[ActiveRun, View], bool]] = {
    Alarm.OVERHEATED: is_cool,
    Alarm.MEMORY_LIMIT: is_within_limit,
    Alarm.GPU_LOST: lambda run, view: not lost_gpus(run, view),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The last command to a run, and the monotonic time of it."""

    action: GuardAction
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardState:
    """What the guard remembers between steps; times are monotonic."""

    tracks: Mapping[str, Track] = field(default_factory=dict)
    asked: Mapping[str, Asked] = field(default_factory=dict)
    told: frozenset[tuple[str, Alarm]] = frozenset()
    ram_paused_at: float = -float("inf")
    ram_acted_at: float = -float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardStep:
    """The state for the next step, and what is to be done now: at most one command a run, and what to tell."""

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
    """One look at the machine.

    Args:
        state: What the last step left.
        runs: All active runs, as they are now.
        readings: The newest there are.
        now: Monotonic seconds.
        sample_seconds: The time between two readings.
        readings_age_seconds: How old the readings are as a whole.
    """
    if is_stale(readings_age_seconds, sample_seconds):
        return GuardStep(state=state)
    view = View(
        runs=tuple(run for run in runs if not run.stopping),
        readings=readings,
        tracks=follow(state.tracks, readings, readings_age_seconds=readings_age_seconds, sample_seconds=sample_seconds),
        told=state.told,
        seconds_since_ram_pause=now - state.ram_paused_at,
        seconds_since_ram_action=now - state.ram_acted_at,
    )
    proposed = (action for check in CHECKS for action in check(view))
    actions = tuple(_due(proposed, state.asked, now))
    return GuardStep(state=_after(state, view, actions, now), actions=actions)


def _due(proposed: Iterable[GuardAction], asked: Mapping[str, Asked], now: float) -> Iterator[GuardAction]:
    """All there is to tell, and the first command to each run unless the same was asked of it a moment ago."""
    commanded: set[str] = set()
    for action in proposed:
        if isinstance(action.request, TellRequest):
            yield action
        elif action.run_id not in commanded:
            commanded.add(action.run_id)
            last = asked.get(action.run_id)
            if last is None or now - last.at >= ASK_AGAIN_SECONDS or not _is_same(last.action, action):
                yield action


def _is_same(one: GuardAction, other: GuardAction) -> bool:
    return type(one.request) is type(other.request)


def _after(state: GuardState, view: View, actions: Sequence[GuardAction], now: float) -> GuardState:
    """The memory of this step; runs that have ended, or are on their way there, are forgotten."""
    runs = {run.id: run for run in view.runs}
    commands = [action for action in actions if not isinstance(action.request, TellRequest)]
    asked = {run_id: asked for run_id, asked in state.asked.items() if run_id in runs}
    asked.update({action.run_id: Asked(action=action, at=now) for action in commands})
    stands = {
        (run_id, alarm)
        for run_id, alarm in state.told
        if run_id in runs and not ALARM_IS_OVER[alarm](runs[run_id], view)
    }
    told = {(action.run_id, action.alarm) for action in actions if isinstance(action.request, TellRequest)}
    about_ram = [action for action in commands if action.alarm is Alarm.RAM]
    paused = any(isinstance(action.request, PauseRequest) for action in about_ram)
    return GuardState(
        tracks=view.tracks,
        asked=asked,
        told=frozenset(stands | told),
        ram_paused_at=now if paused else state.ram_paused_at,
        ram_acted_at=now if about_ram else state.ram_acted_at,
    )
