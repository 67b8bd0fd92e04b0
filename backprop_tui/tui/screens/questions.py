"""Questions to the user: a dialog with a list of answers, and what the main screen asks in it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import inf
from typing import ClassVar

from rich.cells import cell_len
from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.geometry import Offset
from textual.message import Message
from textual.screen import ModalScreen

from backprop_tui.config.keys import KEYS
from backprop_tui.config.kinds import WrongValue
from backprop_tui.domain.formatting import counted, duration
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.run import Checkpoint, Run
from backprop_tui.domain.run_changes import stopped_too
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.status import ACTIVE, Status
from backprop_tui.presentation import durations
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.presentation.states import cause_of
from backprop_tui.probes.logout import LogoutEffect
from backprop_tui.tui.action import Action
from backprop_tui.tui.actions import MENU_ACTIONS, bindings
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import Line, Piece, Token, clip, clip_with_path, wrapped
from backprop_tui.tui.snapshot import Snapshot
from backprop_tui.tui.textual_patches.dismiss_once import LeftByClick
from backprop_tui.tui.widgets.line_widget import LineWidget, border_hints, edited

CANCEL = "cancel"
_MENU_KEYS = frozenset(key for action in MENU_ACTIONS for key in action.keys)
_WIDTH = 66
_UPDATE_SECONDS = 1.0


@lazy_dataclass(frozen=True, slots=True)
class Answer:
    """A key, the result, and the text beside the key; without a key it is chosen with the mark."""

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
class TextEntry:
    """A text that can be typed in place of an answer.

    `describe` says what the text means, or raises ValueError saying what is wrong with it. It begins with one of the
    characters of `begins`, so that letters can choose answers.
    """

    prompt: str
    begins: str
    describe: Callable[[str], str]


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Title, lines of text, answers, and notes below them; the answer `marked` is marked at first, else the first.

    Where something is destroyed, `marked` is `CANCEL`. `at` is the cell of the screen that it is about.
    `current` returns the lines as they are now, while the dialog is open.
    """

    title: str
    lines: Sequence[str]
    answers: Sequence[Answer]
    notes: Sequence[Note] = ()
    marked: str | None = None
    entry: TextEntry | None = None
    at: Offset | None = None
    current: Callable[[], Sequence[str]] | None = None


class QuestionText(LineWidget):
    """The lines of a dialog, of which the answers can be clicked."""

    class Clicked(Message):
        """A line was clicked, counted from the first one shown."""

        def __init__(self, row: int) -> None:
            super().__init__()
            self.row = row

    @on(events.Click)
    def _clicked(self, event: events.Click) -> None:
        self.post_message(self.Clicked(event.y))


class Ask(LeftByClick, ModalScreen[str]):
    """Dialog with a list of answers; its result is the value of the chosen one, a text that was typed, or `CANCEL`."""

    CSS_PATH = "../dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings(MENU_ACTIONS)

    def __init__(self, question: Question, *, glyphs: Glyphs) -> None:
        super().__init__()
        self._question = question
        self._text = question.lines
        self._glyphs = glyphs
        self._answers = [*question.answers, Answer("esc", CANCEL, "cancel")]
        values = [answer.value for answer in self._answers]
        self._cursor = values.index(question.marked) if question.marked in values else 0
        self._typed = ""
        self._is_astray = False  # a line for another window is being typed: its letters are no answers
        self._rows: list[int] = []  # the line of each answer
        self._top = 0  # the first line that is shown

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog") as box:
            between = self._glyphs.between
            keys = f" {between} ".join(f"{action.shown} {action.short}" for action in MENU_ACTIONS if action.help)
            box.border_subtitle = border_hints(keys, between)
            yield QuestionText(glyphs=self._glyphs, id="question")

    def on_mount(self) -> None:
        self._draw()
        if self._question.current is not None:
            self.set_interval(_UPDATE_SECONDS, self._update)

    def on_resize(self) -> None:
        self._draw()

    def _update(self) -> None:
        if self._question.current is not None:
            self._text = self._question.current()
            self._draw()

    def _draw(self) -> None:
        width = min(_WIDTH, self.app.size.width)
        lines = self._lines(width - 4)
        height = min(len(lines) + 2, self.app.size.height)
        box = self.query_one("#dialog")
        box.styles.width, box.styles.height = width, height
        at = self._question.at
        if at is not None:
            self.styles.align = ("left", "top")
            box.styles.offset = min(at.x, self.app.size.width - width), min(at.y + 1, self.app.size.height - height)
        cursor = self._rows[self._cursor]
        visible = max(1, height - 2)
        self._top = max(0, min(max(self._top, cursor - visible + 1), cursor, len(lines) - visible))
        marked = None if self._typed else cursor - self._top
        place = f", {self._cursor + 1} of {len(self._answers)}" if len(lines) > visible else ""
        box.border_title = f" {self._question.title}{place} "
        self.query_one(QuestionText).show(lines[self._top : self._top + visible], cursor=marked)

    def _lines(self, width: int) -> list[Line]:
        lines: list[Line] = [()]
        for number, text in enumerate(self._text):
            for row in wrapped(text, width - 2):
                clipped = clip(row.removeprefix("  "), width - 2, self._glyphs)
                lines.append((Piece(f" {clipped}", Token.MUTED if number else Token.FG, bold=not number),))
        lines.append(())
        if self._question.entry is not None:
            lines += [self._entry_line(self._question.entry, width), ()]
        self._rows.clear()
        for answer in self._answers:
            self._rows.append(len(lines))
            key = Piece(f"  {answer.key:<6}", Token.ACCENT, bold=True)
            token = Token.MUTED if answer.value == CANCEL else Token.FG
            lines.append((key, Piece(clip_with_path(answer.text, width - 9, self._glyphs), token)))
        lines += [()] if self._question.notes else []
        for note in self._question.notes:
            rows = wrapped(f"{self._glyphs.state(note.word)} {note.text}", width - 2)
            lines += [(Piece(f" {clip(row, width - 2, self._glyphs)}", note.token),) for row in rows]
        return lines

    def _entry_line(self, entry: TextEntry, width: int) -> Line:
        if not self._typed:
            return (Piece(f"  {clip(entry.prompt, width - 3, self._glyphs)}", Token.MUTED),)
        typed = Piece(f"  {clip(self._typed, width // 2, self._glyphs)}{self._glyphs.cursor}", Token.ACCENT, bold=True)
        meaning, token = self._meaning(entry)
        return typed, Piece(f"  {clip(meaning, max(1, width - cell_len(typed.text) - 3), self._glyphs)}", token)

    def _meaning(self, entry: TextEntry) -> tuple[str, Token]:
        try:
            return sanitize(entry.describe(self._typed)), Token.FG
        except ValueError as error:
            return sanitize(str(error)), Token.BAD

    def on_key(self, event: events.Key) -> None:
        """Takes the letters of answers, and text for the entry; other keys are in the list of actions.

        Text that is meant for another window must not answer: after a letter that is no answer, enter cancels.
        """
        character = event.character if event.is_printable else None
        if self._is_astray and character is not None:
            event.stop()
        elif self._takes_text(event):
            event.stop()
            self._typed = edited(self._typed, event)
        elif value := next((answer.value for answer in self._answers if answer.key == character), None):
            event.stop()
            self.dismiss(value)
        elif character is not None and event.key not in _MENU_KEYS:
            event.stop()
            self._is_astray, self._cursor = True, len(self._answers) - 1
        self._draw()

    def _takes_text(self, event: events.Key) -> bool:
        entry = self._question.entry
        if entry is None:
            return False
        if not self._typed:
            return event.character is not None and event.character in entry.begins
        return edited(self._typed, event) != self._typed

    def action_move(self, rows: int) -> None:
        """Marks another answer; what was typed is dropped."""
        self._cursor = max(0, min(self._cursor + rows, len(self._answers) - 1))
        self._typed, self._is_astray = "", False
        self._draw()

    def action_choose(self) -> None:
        if not self._typed:
            self.dismiss(self._answers[self._cursor].value)
        elif self._question.entry is not None and self._meaning(self._question.entry)[1] is not Token.BAD:
            self.dismiss(self._typed)

    def action_cancel(self) -> None:
        self.dismiss(CANCEL)

    @on(QuestionText.Clicked)
    def _clicked(self, message: QuestionText.Clicked) -> None:
        row = message.row + self._top
        if row in self._rows:
            self.dismiss(self._answers[self._rows.index(row)].value)


NO_LIMIT = "none"
RESUME_ONLY, RUN_AGAIN, RESUME_ALL = "resume-only", "run-again", "resume-all"
_MORE_MINUTES = (10, 30, 60)
_MAX_NAMES = 3  # of runs in a sentence


def names_of(runs: Sequence[KnownRun]) -> str:
    return sanitize(runs[0].label) if len(runs) == 1 else counted(len(runs), "run")


def action_menu(names: str, actions: Iterable[Action], at: Offset) -> Question:
    """Offers actions for what was clicked; the answer is the action string."""
    answers = [Answer(action.keys_in_footer, action.command, action.help) for action in actions]
    return Question(title="Actions", lines=(names,), answers=answers, at=at)


def confirm_question(title: str, lines: Sequence[str], text: str) -> Question:
    """Asks before something is lost: pressing enter without reading is harmless."""
    return Question(title=title, lines=lines, answers=(Answer("y", "yes", text),), marked=CANCEL)


def lost_with(runs: Sequence[KnownRun], snapshot: Snapshot) -> list[str]:
    """A line about the runs that are stopped too because they wait for a success of these; none if there are none."""
    queued = [run.run for run in snapshot.unfinished if run.status is Status.QUEUED and run.run is not None]
    lost = stopped_too({run.id for run in runs}, queued)
    return [f"{_waiting_for(lost, runs)} and will be stopped too."] if lost else []


def removable(runs: Sequence[KnownRun], snapshot: Snapshot) -> tuple[list[KnownRun], str]:
    """Those that no unfinished run names in its --after, and which runs keep the others; empty if none are kept."""
    unfinished = [run.run for run in snapshot.unfinished if run.run is not None]
    needed = {after.run for run in unfinished for after in run.spec.after}
    kept = [run for run in runs if run.id in needed]
    ids = {run.id for run in kept}
    by = [run for run in unfinished if any(after.run in ids for after in run.spec.after)]
    return [run for run in runs if run.id not in needed], _waiting_for(by, kept) if kept else ""


def _waiting_for(waiting: Sequence[Run], runs: Sequence[KnownRun]) -> str:
    names = ", ".join(run.label for run in waiting) if len(waiting) <= _MAX_NAMES else counted(len(waiting), "run")
    return f"{sanitize(names)} {'waits' if len(waiting) == 1 else 'wait'} for {'it' if len(runs) == 1 else 'them'}"


def stop_question(
    runs: Sequence[KnownRun],
    names: str,
    snapshot: Snapshot,
    current: Callable[[], Sequence[KnownRun]] | None = None,
) -> Question:
    """A waiting run leaves the queue; a running one gets time to save, or not. `current` returns the runs as of now."""
    lost = lost_with(runs, snapshot)

    def lines() -> list[str]:
        return [f"Stop {names}?", *_unsaved_work(runs if current is None else current()), *lost]

    if all(run.status is Status.QUEUED for run in runs):
        answer = Answer("", "stop", "remove from the queue (r queues it again)")
        return Question(title="Stop", lines=(f"Take {names} out of the queue?", *lost), answers=(answer,))
    return Question(
        title="Stop",
        lines=lines(),
        current=lines,
        answers=(
            Answer("", "stop", "stop, with time to save"),
            Answer("C", "checkpoint", "after the next checkpoint"),
            Answer("S", "kill", "kill now"),
        ),
    )


def run_again_question(completed: Sequence[KnownRun], others: Sequence[KnownRun], names: str) -> Question:
    """Asks what becomes of completed runs, whose results a resume could change; `others` are to be resumed too."""
    single = len(completed) == 1
    new, them = ("a new run", "it") if single else ("new runs", "them")
    in_place = Answer("I", RESUME_ALL, f"resume {them} in place: the result may change")
    if not others:
        lines = (f"{names} {'has' if single else 'have'} completed. Run {them} again?",)
        answers = [Answer("n", RUN_AGAIN, f"as {new}: the result stays"), in_place]
    else:
        lines = (f"Resume {names}? {len(others)} ended early, {len(completed)} completed.",)
        answers = [
            Answer("n", RUN_AGAIN, f"resume {len(others)}, run {len(completed)} again as {new}"),
            Answer("e", RESUME_ONLY, f"resume {len(others)} only"),
            in_place,
        ]
    return Question(title="Run again", lines=lines, answers=answers)


def _unsaved_work(runs: Sequence[KnownRun]) -> list[str]:
    """Says of a single run at which step it is and what is saved."""
    if len(runs) != 1 or runs[0].live is None:
        return []
    live = runs[0].live
    lines = [] if live.step is None else [f"It is at step {live.step:,}."]
    newest = next(reversed(live.usable_checkpoints), None)
    if newest is not None:
        lines.append(f"Saved: {_name_and_step(newest)}, {durations.age(live.time - newest.saved_at)} ago.")
    last = next((saved for saved in reversed(live.checkpoints) if not saved.written), None)
    if last is not None and (newest is None or last.saved_at > newest.saved_at):
        lines.append(f"Announced by its log, not seen on disk yet: {_name_and_step(last)}.")
    else:
        last = newest
    if last is None:
        known = "known checkpoint" if live.shared_directory is None else "checkpoint that is certainly its own"
        lines.append(f"It has no {known}: all of its work may be lost.")
        reasons = (live.problem, None if live.shared_directory is None else live.shared_directory.message)
        lines += [sanitize(reason) for reason in reasons if reason is not None]
    elif last.step is not None and live.step is not None and live.step > last.step:
        lines.append(f"The {live.step - last.step:,} steps since are lost unless it saves when it is stopped.")
    return lines


def _name_and_step(saved: Checkpoint) -> str:
    name = sanitize(saved.path.rpartition("/")[2])
    return name if saved.step is None else f"{name}, step {saved.step:,}"


def time_question(runs: Sequence[KnownRun], names: str) -> Question:
    """Asks for more time: an answer, or a number of minutes or a duration that is typed; see `new_limit`."""
    limits = {_limit(run) for run in runs}
    limit = limits.pop() if len(limits) == 1 else None
    answers = [Answer("", str(minutes), f"+{duration(60 * minutes)}") for minutes in _MORE_MINUTES]
    answers.append(Answer("n", NO_LIMIT, "no limit"))

    def describe(text: str) -> str:
        if len(runs) > 1 and not text.startswith("="):
            return f"+{duration(new_limit(text, 0.0))} each"
        seconds = new_limit(text, limit)
        return "no limit" if seconds == inf else f"limit {duration(seconds)}"

    lines = [f"Extend {names}"]
    if len(runs) == 1:
        lines.append("It has no limit." if limit is None else f"Its limit is {duration(limit)}.")
    prompt = "minutes or a duration: 60, 2h, 1h30m; =2h sets the limit"
    entry = TextEntry(prompt=prompt, begins="0123456789.=", describe=describe)
    return Question(title="Time", lines=lines, answers=answers, entry=entry)


def _limit(run: KnownRun) -> float | None:
    return None if run.run is None else run.run.spec.max_run_seconds


def new_limit(text: str, limit: float | None) -> float:
    """The timebox in seconds after `60`, `2h` (more than now) or `=2h` (that much); infinite for `none`.

    Raises:
        ValueError: the text is no duration, or there is no limit to be extended.
    """
    added = text.removeprefix("=").strip()
    try:
        minutes = KEYS["max_run_minutes"].kind.read(added)
    except WrongValue as error:
        raise ValueError("not a time such as 60, 2h or 1h30m") from error
    if minutes is None:
        return inf
    if text.startswith("="):
        return 60 * float(str(minutes))
    if limit is None:
        raise ValueError(f"there is no limit to extend; ={added} sets one")
    return limit + 60 * float(str(minutes))


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
    evidence = cause_of(record).get("evidence")
    if evidence:
        yield "e", "error", str(evidence)
    if record.get("checkpoints"):
        yield "p", "checkpoint", str(record["checkpoints"][-1]["path"])


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
        Answer("l", "leave", "leave, everything continues"),
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
