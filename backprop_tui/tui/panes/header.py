"""The header: the host, how many runs are in which state, the time, and what is wrong with the dashboard itself."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace

from rich.cells import cell_len
from textual import events, on
from textual.message import Message

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.status import Status
from backprop_tui.presentation import durations
from backprop_tui.presentation.machine import SIMULATED
from backprop_tui.presentation.states import PROBLEM_STATUSES, status_word
from backprop_tui.tui.actions import BY_ID
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import (
    STATE_TOKENS,
    Line,
    LineBuilder,
    Piece,
    Token,
    clip,
    ends,
    hint,
    pressing,
    text_of,
    width_of,
)
from backprop_tui.tui.snapshot import Snapshot, WrongSetting
from backprop_tui.tui.widgets.line_widget import LineWidget

_SETTINGS_KEY = BY_ID["settings"].shown
_SETTINGS_HINT = hint(_SETTINGS_KEY, "settings", before="  ")
_MIN_IMPORTANT_FIRST = (Status.COMPLETED, Status.QUEUED, Status.PAUSED, Status.RUNNING, Status.FAILED)


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class HeaderView:
    """`counts` has the number of runs in each state; `problem` replaces the host name if the store cannot be read.

    So does a wrong setting while there is no such problem.
    """

    host: str
    counts: Mapping[Status, int]
    clock: str
    read_only: bool = False
    simulation: bool = False
    problem: str | None = None
    wrong_setting: WrongSetting | None = None


def header_view(snapshot: Snapshot) -> HeaderView:
    """Counts unfinished runs, and those that ended within the last day."""
    statuses = [run.status for run in snapshot.recent_runs]
    counts = (
        (Status.RUNNING, sum(status in (Status.RUNNING, Status.STARTING, Status.STOPPING) for status in statuses)),
        (Status.PAUSED, statuses.count(Status.PAUSED)),
        (Status.QUEUED, statuses.count(Status.QUEUED)),
        (Status.FAILED, sum(status in PROBLEM_STATUSES for status in statuses)),
        (Status.COMPLETED, statuses.count(Status.COMPLETED)),
    )
    sample = snapshot.sample
    return HeaderView(
        host=sanitize(snapshot.host),
        counts={state: count for state, count in counts if count},
        clock=durations.clock(snapshot.moment.wall),
        read_only=snapshot.is_read_only,
        simulation=snapshot.is_demo or (sample is not None and sample.readings.probe == SIMULATED),
        problem=snapshot.problem,
        wrong_setting=snapshot.wrong_setting if snapshot.problem is None else None,
    )


def draw_header(view: HeaderView, width: int, glyphs: Glyphs) -> Line:
    """Name and host at the left, counts and clock at the right; if it is narrow the least important is dropped."""
    if width < 20:
        return draw_counts(view, width, glyphs)
    counts = dict(view.counts)
    least = _least_left(view, width, glyphs)
    worded = frozenset(counts) if width >= 60 else frozenset()
    # Where it is narrow, the check mark has to do for `completed`.
    for gap, words in ((3, worded), (2, worded), (2, worded - {Status.COMPLETED})):
        right = _right(view, counts, glyphs, gap=gap, words=words)
        left = _left(view, width - width_of(right) - 2, glyphs, host=width >= 100)
        if not words or max(width_of(left), least) + width_of(right) + 1 <= width:
            break
    is_tight = False
    while counts and max(width_of(left), least) + width_of(right) + 1 > width:
        if is_tight:
            _drop_least_important(counts)
        is_tight = True
        right = _right(view, counts, glyphs, gap=2 if width >= 40 else 1, words=frozenset())
        left = _left(view, width - width_of(right) - 2, glyphs, host=False)
    return ends(left, right, width)


def _left(view: HeaderView, room: int, glyphs: Glyphs, *, host: bool) -> list[Piece]:
    left = [Piece(" backprop", Token.ACCENT, bold=True, click="app.command_palette")]
    if view.read_only and room >= 14:
        left.append(Piece("  READ-ONLY", Token.WARN, bold=True))
    if view.simulation:
        left.append(Piece("  SIMULATION" if room >= 24 else " SIM", Token.WARN, bold=True))
    left_room = room - width_of(left) - 1
    if view.wrong_setting is not None:
        left += _wrong_setting(view.wrong_setting, left_room, glyphs)
    elif view.problem is not None:
        left.append(Piece(" " + clip(view.problem, left_room, glyphs), Token.BAD, bold=True))
    elif host and left_room > 8:
        left.append(Piece(" " + clip(view.host, left_room, glyphs), Token.MUTED))
    return left


def _wrong_setting(wrong: WrongSetting, room: int, glyphs: Glyphs) -> list[Piece]:
    """The whole error or what is wrong, with the key that opens the settings there; a click on any of it does so."""
    whole = f"{wrong.text}{_others(wrong)}"
    has_room = cell_len(whole) + width_of(_SETTINGS_HINT) <= room
    text = whole if has_room else _in_short(wrong)
    keys = _SETTINGS_HINT if cell_len(text) + width_of(_SETTINGS_HINT) <= room else ()
    shown = clip(text, room - width_of(keys), glyphs)
    return [Piece(" "), Piece(shown, Token.BAD, bold=True, click=pressing(_SETTINGS_KEY)), *keys]


def _in_short(wrong: WrongSetting) -> str:
    return f"{wrong.key or wrong.place} is wrong{_others(wrong)}"


def _others(wrong: WrongSetting) -> str:
    return f" +{wrong.others}" if wrong.others else ""


def _least_left(view: HeaderView, width: int, glyphs: Glyphs) -> int:
    """The cells of what the dashboard is, and of a wrong setting in short.

    Counts lose their words for it, then the least important go.
    """
    if width < 60:
        return 0
    before = width_of(_left(replace(view, wrong_setting=None, problem=None), width, glyphs, host=False))
    if view.wrong_setting is None:
        return before + 1
    needed = before + cell_len(_in_short(view.wrong_setting)) + width_of(_SETTINGS_HINT) + 2
    return min(needed, width * 3 // 4)


def _right(
    view: HeaderView, counts: Mapping[Status, int], glyphs: Glyphs, *, gap: int, words: AbstractSet[Status]
) -> list[Piece]:
    builder = LineBuilder()
    for state, count in counts.items():
        builder.put(f"{glyphs.state(state)} ", STATE_TOKENS[state]).put(str(count), bold=True)
        builder.put(f" {status_word(state)}" if state in words else "", Token.MUTED).put(" " * gap)
    builder.put(view.clock if gap > 1 else "", Token.MUTED).put(" ")
    return list(builder.line())


def draw_counts(view: HeaderView, width: int, glyphs: Glyphs) -> Line:
    """All that a tiny screen shows: `backprop ► 2 ✗ 1`."""
    counts = dict(view.counts)
    while True:
        line = [Piece("backprop", Token.ACCENT, bold=True)]
        for state, count in counts.items():
            line += [Piece(f" {glyphs.state(state)} ", STATE_TOKENS[state]), Piece(str(count))]
        if not counts or width_of(line) <= width:
            return tuple(line) if width_of(line) <= width else ()
        _drop_least_important(counts)


def _drop_least_important(counts: dict[Status, int]) -> None:
    del counts[next(state for state in _MIN_IMPORTANT_FIRST if state in counts)]


def count_at(view: HeaderView, line: Line, column: int, glyphs: Glyphs) -> Status | None:
    """The state whose count is at a column of the drawn header."""
    text = text_of(line)
    for state, count in view.counts.items():
        shown = f"{glyphs.state(state)} {count}"
        before, _, after = text.rpartition(shown)
        start = cell_len(before)
        word = f" {status_word(state)}" if after.startswith(f" {status_word(state)}") else ""
        if shown in text and start <= column < start + len(shown + word):
            return state
    return None


class HeaderBar(LineWidget):
    """The first row; a click on a count shows only the runs that it counts."""

    class CountClicked(Message):
        """The count of a state was clicked."""

        def __init__(self, state: Status) -> None:
            super().__init__()
            self.state = state

    view: HeaderView | None = None
    _line: Line = ()

    def show_view(self, view: HeaderView, width: int) -> None:
        self.view, self._line = view, draw_header(view, width, self.glyphs)
        self.show([self._line])

    @on(events.Click)
    def _clicked(self, event: events.Click) -> None:
        state = None if self.view is None else count_at(self.view, self._line, event.x, self.glyphs)
        if state is not None:
            self.post_message(self.CountClicked(state))
