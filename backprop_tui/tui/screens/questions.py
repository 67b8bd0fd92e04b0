"""Questions to the user: a dialog with one key per answer, and what the main screen asks in it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen

from backprop_tui.domain.formatting import counted, duration
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.status import ACTIVE, Status
from backprop_tui.presentation import durations
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.probes.logout import LogoutEffect
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import Line, Piece, Token, clip, clip_with_path, wrapped
from backprop_tui.tui.panes.run_order import NEWEST
from backprop_tui.tui.panes.run_table import HIDEABLE
from backprop_tui.tui.screens.ui_state import UiState
from backprop_tui.tui.snapshot import Snapshot
from backprop_tui.tui.textual_patches.dismiss_once import DismissOnce
from backprop_tui.tui.widgets.line_widget import LineWidget

CANCEL = "cancel"
_WIDTH = 66


@lazy_dataclass(frozen=True, slots=True)
class Answer:
    """A key, the result, and the text beside the key."""

    key: str
    value: str
    text: str


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A line below the answers; its glyph is that of the state `word`."""

    word: str
    text: str
    token: Token


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Title, lines of text, answers, and notes below them."""

    title: str
    lines: Sequence[str]
    answers: Sequence[Answer]
    notes: Sequence[Note] = ()


class Ask(DismissOnce, ModalScreen[str]):
    """Dialog with a question; its result is the value of the answer, or `CANCEL`."""

    CSS_PATH = "../dialogs.tcss"

    def __init__(self, question: Question, *, glyphs: Glyphs) -> None:
        super().__init__()
        self._question = question
        self._glyphs = glyphs

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog") as box:
            box.border_title = f" {self._question.title} "
            yield LineWidget(glyphs=self._glyphs, id="question")

    def on_mount(self) -> None:
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        width = min(_WIDTH, self.app.size.width)
        lines = self._lines(width - 4)
        box = self.query_one("#dialog")
        box.styles.width, box.styles.height = width, min(len(lines) + 2, self.app.size.height)
        self.query_one("#question", LineWidget).show(lines)

    def _lines(self, width: int) -> list[Line]:
        lines: list[Line] = [()]
        for number, text in enumerate(self._question.lines):
            for row in wrapped(text, width - 2):
                clipped = clip(row.removeprefix("  "), width - 2, self._glyphs)
                lines.append((Piece(f" {clipped}", Token.MUTED if number else Token.FG, bold=not number),))
        lines.append(())
        for answer in self._question.answers:
            key = Piece(f"  {answer.key:<6}", Token.ACCENT, bold=True)
            lines.append((key, Piece(clip_with_path(answer.text, width - 9, self._glyphs))))
        lines.append((Piece(f"  {'esc':<6}", Token.ACCENT, bold=True), Piece("cancel", Token.MUTED)))
        lines += [()] if self._question.notes else []
        for note in self._question.notes:
            rows = wrapped(f"{self._glyphs.state(note.word)} {note.text}", width - 2)
            lines += [(Piece(f" {clip(row, width - 2, self._glyphs)}", note.token),) for row in rows]
        return lines

    def on_key(self, event: events.Key) -> None:
        has_enter = any(answer.key == "enter" for answer in self._question.answers)
        if event.key in ("escape", "q") or (event.key == "enter" and not has_enter):
            event.stop()
            self.dismiss(CANCEL)
            return
        for answer in self._question.answers:
            if answer.key in (event.key, event.character):
                event.stop()
                self.dismiss(answer.value)
                return


SET_NUMBER, NO_LIMIT = "set", "none"
SORT, COLUMN = "sort", "column"  # prefixes of the answers to `view_question`
SORT_TITLES = {"gpu": "GPU", "left": "timebox left", "eta": "ETA", NEWEST: "newest first"}  # others: the key itself
_MORE_MINUTES = (("1", 10), ("3", 30), ("6", 60))
_SORT_LETTERS = {
    "name": "n",
    "gpu": "u",
    "progress": "p",
    "step": "s",
    "loss": "l",
    "left": "m",
    "eta": "i",
    NEWEST: "w",
}
_COLUMN_DIGITS = {"trend": "1", "eta": "2", "timebox": "3", "saved": "4", "slice": "5", "tags": "6"}


def names_of(runs: Sequence[KnownRun]) -> str:
    return sanitize(str(runs[0].record["name"])) if len(runs) == 1 else counted(len(runs), "run")


def confirm_question(title: str, line: str, text: str) -> Question:
    """Asks for `y`, so that pressing enter without reading is harmless."""
    return Question(title=title, lines=(line,), answers=(Answer("y", "yes", text),))


def stop_question(runs: Sequence[KnownRun]) -> Question:
    """A waiting run leaves the queue; a running one gets time to save, or not."""
    if all(run.status is Status.QUEUED for run in runs):
        answer = Answer("enter", "stop", "remove from the queue (r queues it again)")
        return Question(title="Stop", lines=(f"Take {names_of(runs)} out of the queue?",), answers=(answer,))
    return Question(
        title="Stop",
        lines=(f"Stop {names_of(runs)}?", *_unsaved_work(runs)),
        answers=(
            Answer("enter", "stop", "stop, with time to save"),
            Answer("c", "checkpoint", "after the next checkpoint"),
            Answer("S", "kill", "kill now"),
        ),
    )


def _unsaved_work(runs: Sequence[KnownRun]) -> list[str]:
    """Says of a single run at which step it is and what is saved."""
    if len(runs) != 1 or runs[0].live is None:
        return []
    live = runs[0].live
    lines = [] if live.step is None else [f"It is at step {live.step:,}."]
    newest = next(reversed(live.usable_checkpoints), None)
    if newest is not None:
        at_step = "" if newest.step is None else f", step {newest.step:,}"
        ago = durations.age(live.time - newest.saved_at)
        lines.append(f"Saved: {sanitize(newest.path.rpartition('/')[2])}{at_step}, {ago} ago.")
        if newest.step is not None and live.step is not None and live.step > newest.step:
            lines.append(f"The {live.step - newest.step:,} steps since are lost unless it saves when it is stopped.")
    else:
        lines.append("It has no known checkpoint: all of its work may be lost.")
        reasons = (live.problem, None if live.shared_directory is None else live.shared_directory.message)
        lines += [sanitize(reason) for reason in reasons if reason is not None]
    return lines


def time_question(runs: Sequence[KnownRun]) -> Question:
    answers = [Answer(key, str(minutes), f"+{duration(60 * minutes)}") for key, minutes in _MORE_MINUTES]
    answers.append(Answer("e", SET_NUMBER, "set another number"))
    answers.append(Answer("n", NO_LIMIT, "no limit"))
    return Question(title="Time", lines=(f"Extend {names_of(runs)}",), answers=answers)


def copy_question(run: KnownRun) -> Question:
    values = copyable(run).items()
    answers = [Answer(key, key, f"{name:<10} {value}") for key, (name, value) in values]
    return Question(title="Copy", lines=(names_of([run]),), answers=answers)


def copyable(run: KnownRun) -> dict[str, tuple[str, str]]:
    """Returns name and value of everything that can be copied of a run, by the key of its answer."""
    return {key: (name, sanitize(value)) for key, name, value in _copyable(run)}


def _copyable(run: KnownRun) -> Iterator[tuple[str, str, str]]:
    record = run.record
    yield "y", "id", run.id
    yield "n", "name", str(record["name"])
    if record.get("log_path"):
        yield "l", "log", str(record["log_path"])
        yield "f", "folder", os.path.dirname(str(record["log_path"]))
    if record["command"]:
        yield "c", "command", shlex.join(record["command"])
    if record.get("cwd"):
        yield "w", "directory", str(record["cwd"])
    evidence = (record.get("cause") or {}).get("evidence")
    if evidence:
        yield "e", "error", str(evidence)
    if record.get("checkpoints"):
        yield "k", "checkpoint", str(record["checkpoints"][-1]["path"])


def view_question(state: UiState, glyphs: Glyphs) -> Question:
    """Offers the orders of the runs and the columns that can be hidden; what is in force is ticked."""
    sort = None if state.sort is None else state.sort.key

    def ticked(text: str, *, on: bool) -> str:
        return f"{glyphs.state('done') if on else ' '} {text}"

    answers = [Answer("a", f"{SORT}:", ticked("default order", on=sort is None))]
    for key, letter in _SORT_LETTERS.items():
        text = SORT_TITLES[key] if key == NEWEST else f"by {SORT_TITLES.get(key, key)}"
        answers.append(Answer(letter, f"{SORT}:{key}", ticked(text, on=sort == key)))
    for column in HIDEABLE:
        text = ticked(f"column {column}", on=column not in state.hidden)
        answers.append(Answer(_COLUMN_DIGITS[column], f"{COLUMN}:{column}", text))
    return Question(title="View", lines=("Sort and columns",), answers=answers)


def local_active_runs(snapshot: Snapshot) -> list[KnownRun]:
    """Returns the active runs of this machine; leaving the dashboard does not stop those of other machines."""
    return [run for run in snapshot.runs if run.status in ACTIVE and run.record["host"] == snapshot.host]


def has_local_work(snapshot: Snapshot) -> bool:
    return bool(local_active_runs(snapshot) or _waiting(snapshot))


def _waiting(snapshot: Snapshot) -> int:
    return sum(run.status is Status.QUEUED and run.record["host"] == snapshot.host for run in snapshot.runs)


def leave_question(snapshot: Snapshot) -> Question:
    """Says what continues, offers the ways to leave, and says what a logout would do."""
    active, waiting = len(local_active_runs(snapshot)), _waiting(snapshot)
    counts = [f"{count} {state}" for count, state in ((active, "running"), (waiting, "waiting")) if count]
    pronoun = "It continues" if active + waiting == 1 else "They continue"
    queue = "the queue stays held" if snapshot.queue_held else "hold the queue"
    answers = [
        Answer("enter", "leave", "leave, everything continues"),
        Answer("H", "hold", f"leave, but start nothing new ({queue})"),
    ]
    if active:
        text = f"stop {'it' if active == 1 else f'all {active}'}, hold the queue, leave; asks once more"
        answers.append(Answer("S", "stop", text))
    return Question(
        title="Leave",
        lines=(
            f"{', '.join(counts)}. {pronoun} when this window closes.",
            "The supervisor runs the queue until it is empty.",
        ),
        answers=answers,
        notes=_logout_notes(snapshot.logout),
    )


def _logout_notes(logout: LogoutEffect | None) -> list[Note]:
    if logout is None:
        return []
    if logout.survives:
        return [Note(word="completed", text=f"runs survive logout on this machine ({logout.reason})", token=Token.OK)]
    text = f"logging out ends runs on this machine ({logout.reason}); to fix it: {logout.fix}"
    return [Note(word="conservative", text=text, token=Token.WARN)]
