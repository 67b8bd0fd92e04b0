"""The governor line, which says whether runs may start, and the problem line, which shows the newest failure."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from rich.cells import cell_len
from textual import events, on
from textual.message import Message

from backprop_tui.domain.formatting import from_iso
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.status import Status
from backprop_tui.presentation import durations, machine
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.presentation.states import cause_text, is_problem
from backprop_tui.tui.glyphs import Glyphs, start_tokens
from backprop_tui.tui.lines import (
    Line,
    LineBuilder,
    Piece,
    Token,
    clip,
    ends,
    joined_clauses,
    pressing,
    shortened,
    width_of,
)
from backprop_tui.tui.snapshot import Snapshot
from backprop_tui.tui.widgets.line_widget import LineWidget

_TOKENS = {
    machine.OPEN: Token.OK,
    machine.WAITING: Token.INFO,
    machine.CONSERVATIVE: Token.WARN,
    machine.HELD: Token.WARN,
    machine.STARTING: Token.INFO,
}


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class GovernorLineView:
    """`starts` has the start tokens left and their maximum; None if starts are not limited, or not known."""

    line: machine.GovernorLine
    starts: tuple[float, int] | None = None

    @property
    def token(self) -> Token:
        return _TOKENS.get(self.line.state, Token.INFO)


def governor_line_view(snapshot: Snapshot) -> GovernorLineView:
    """The line. A machine without unfinished runs needs no supervisor: there the queue is open or held."""
    state, unfinished = snapshot.governor, snapshot.unfinished
    queued = [run.record["host"] for run in unfinished if run.status is Status.QUEUED]
    waiting = queued.count(snapshot.host)
    if state is None and all(run.record["host"] != snapshot.host for run in unfinished):
        line = machine.held_line(0) if snapshot.queue_held else machine.idle_line(len(queued))
        return GovernorLineView(line=line)
    line = machine.governor_line(state, waiting=waiting, elsewhere=len(queued) - waiting)
    if state is None or state.start_tokens is None:
        return GovernorLineView(line=line)
    return GovernorLineView(line=line, starts=(state.start_tokens, state.start_burst))


def draw_governor(view: GovernorLineView, width: int, glyphs: Glyphs) -> Line:
    """The state, as many clauses as fit, how many other runs wait, and the start tokens at the right end."""
    line = view.line
    builder = LineBuilder()
    builder.put(f" {glyphs.state(line.state)} ", view.token).put(line.title, view.token, bold=True).put("  ")
    right = _starts(view, glyphs)
    behind = f"  +{line.behind} waiting" if line.behind else ""
    room = width - builder.column - width_of(right) - len(behind) - 2
    text, more = joined_clauses(line.clauses, room, glyphs, wide=width >= 100)
    before, key, after = text.partition(machine.HELD_HINT)
    builder.put(before).extend([Piece(key, click=pressing("H"))] if key else []).put(after)
    builder.put((f"  {more}" if more else "") + behind, Token.MUTED)
    return ends(builder.line(), right, width)


def _starts(view: GovernorLineView, glyphs: Glyphs) -> list[Piece]:
    if view.starts is None:
        return []
    tokens, burst = view.starts
    left, spent = start_tokens(tokens, burst, glyphs)
    count = f" {int(tokens + 1e-9)} of {burst} "
    return [Piece("starts ", Token.MUTED), Piece(left, Token.OK), Piece(spent, Token.MUTED), Piece(count, Token.MUTED)]


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class ProblemView:
    """The newest failure that nobody has looked at; `more` counts the other ones."""

    run_id: str
    name: str
    state: str
    age: str
    cause: str
    more: int = 0


def unseen_problems(snapshot: Snapshot, seen: AbstractSet[str]) -> list[KnownRun]:
    """The runs of the last day that failed and have not been looked at, newest first."""
    return [run for run in snapshot.recent_runs if run.id not in seen and is_problem(run)]


def problem_view(snapshot: Snapshot, seen: AbstractSet[str]) -> ProblemView | None:
    unseen = unseen_problems(snapshot, seen)
    if not unseen:
        return None
    newest = unseen[0]
    ended = from_iso(newest.record.get("ended_at"))
    return ProblemView(
        run_id=newest.id,
        name=sanitize(newest.label),
        state=newest.status.value,
        age=durations.age(None if ended is None else snapshot.moment.wall - ended),
        cause=cause_text(newest.record),
        more=len(unseen) - 1,
    )


def draw_problem(view: ProblemView, width: int, glyphs: Glyphs) -> Line:
    builder = LineBuilder()
    builder.put(f" {glyphs.state(view.state)} {clip(view.name, width // 3, glyphs)} {view.state}", Token.BAD, bold=True)
    builder.put(f" {view.age} ago: ", Token.MUTED)
    more = f"  +{view.more} more" if view.more else ""
    right = [Piece(more + "  ", Token.MUTED), Piece("!", Token.ACCENT, bold=True), Piece(" show ", Token.MUTED)]
    room = width - builder.column - width_of(right)
    cause = view.cause if cell_len(view.cause) <= room else view.cause.replace("out of memory", "OOM")
    builder.put(shortened(cause, room, glyphs))
    return ends(builder.line(), right, width)


class GovernorBar(LineWidget):
    """One row: whether runs may start now."""

    class Clicked(Message):
        """The line was clicked, but none of its keys, to see why runs wait."""

    @on(events.Click)
    def _clicked(self, event: events.Click) -> None:
        if not self.piece_at(event).click:
            self.post_message(self.Clicked())


class ProblemBar(LineWidget):
    """One row: the newest failure that has not been looked at."""

    class Clicked(Message):
        """The line was clicked, to go to the run."""

    @on(events.Click)
    def _clicked(self) -> None:
        self.post_message(self.Clicked())
