"""The questions that the main screen asks: pure functions of what is on the screen."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence

from backprop_tui.domain.formatting import counted
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.status import ACTIVE, Status
from backprop_tui.presentation import durations
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.probes.logout import LogoutPolicy
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.panes.run_columns import HIDEABLE
from backprop_tui.tui.panes.run_order import NEWEST
from backprop_tui.tui.screens.ask import Answer, Note, Question
from backprop_tui.tui.screens.ui_state import UiState
from backprop_tui.tui.snapshot import Snapshot
from backprop_tui.tui.tokens import Token

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
    """Return the name of a single run, or how many runs there are."""
    return sanitize(str(runs[0].record["name"])) if len(runs) == 1 else counted(len(runs), "run")


def confirm_question(title: str, line: str, text: str) -> Question:
    """Ask for `y`, so that pressing enter without reading is harmless."""
    return Question(title=title, lines=(line,), answers=(Answer.by_letter("y", "yes", text),))


def stop_question(runs: Sequence[KnownRun]) -> Question:
    """A waiting run leaves the queue; a running one gets time to save, or not."""
    if all(run.status is Status.QUEUED for run in runs):
        answer = Answer(key="enter", shown="enter", value="stop", text="take out; r queues again")
        return Question(title="Stop", lines=(f"Take {names_of(runs)} out of the queue?",), answers=(answer,))
    return Question(
        title="Stop",
        lines=(f"Stop {names_of(runs)}?", *_unsaved_work(runs)),
        answers=(
            Answer(key="enter", shown="enter", value="stop", text="stop, with time to save"),
            Answer.by_letter("c", "checkpoint", "after the next checkpoint"),
            Answer.by_letter("S", "kill", "kill now"),
        ),
    )


def _unsaved_work(runs: Sequence[KnownRun]) -> list[str]:
    """Say of a single run at which step it is and what is saved."""
    if len(runs) != 1 or runs[0].live is None:
        return []
    live = runs[0].live
    lines = [] if live.step is None else [f"It is at step {live.step:,}."]
    if live.checkpoints:
        newest = live.checkpoints[-1]
        at_step = "" if newest.step is None else f", step {newest.step:,}"
        ago = durations.age(live.time - newest.saved_at)
        lines.append(f"Saved: {sanitize(newest.path.rpartition('/')[2])}{at_step}, {ago} ago.")
        if newest.step is not None and live.step is not None and live.step > newest.step:
            lines.append(f"The {live.step - newest.step:,} steps since are lost unless it saves when it is stopped.")
    else:
        lines.append("It has no known checkpoint: all of its work may be lost.")
    return lines


def time_question(runs: Sequence[KnownRun]) -> Question:
    """Ask how much longer the timebox shall be."""
    answers = [Answer.by_letter(key, str(minutes), f"+{minutes} min") for key, minutes in _MORE_MINUTES]
    answers.append(Answer.by_letter("e", SET_NUMBER, "set another number"))
    answers.append(Answer.by_letter("n", NO_LIMIT, "no limit"))
    return Question(title="Time", lines=(f"Extend {names_of(runs)}",), answers=answers)


def copy_question(run: KnownRun) -> Question:
    """Offer everything that `copyable` has."""
    values = copyable(run).items()
    answers = [Answer.by_letter(key, key, f"{name:<10} {value}") for key, (name, value) in values]
    return Question(title="Copy", lines=(names_of([run]),), answers=answers)


def copyable(run: KnownRun) -> dict[str, tuple[str, str]]:
    """Return name and value of everything that can be copied of a run, by the key of its answer."""
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
    """Offer the orders of the runs and the columns that can be hidden; what is in force is ticked."""
    sort = None if state.sort is None else state.sort.key

    def ticked(text: str, *, on: bool) -> str:
        return f"{glyphs.state('done') if on else ' '} {text}"

    answers = [Answer.by_letter("a", f"{SORT}:", ticked("default order", on=sort is None))]
    for key, letter in _SORT_LETTERS.items():
        text = SORT_TITLES[key] if key == NEWEST else f"by {SORT_TITLES.get(key, key)}"
        answers.append(Answer.by_letter(letter, f"{SORT}:{key}", ticked(text, on=sort == key)))
    for column in HIDEABLE:
        text = ticked(f"column {column}", on=column not in state.hidden)
        answers.append(Answer.by_letter(_COLUMN_DIGITS[column], f"{COLUMN}:{column}", text))
    return Question(title="View", lines=("Sort and columns",), answers=answers)


def local_active_runs(snapshot: Snapshot) -> list[KnownRun]:
    """Return the active runs of this machine; leaving the dashboard does not stop those of other machines."""
    return [run for run in snapshot.runs if run.status in ACTIVE and run.record["host"] == snapshot.host]


def has_local_work(snapshot: Snapshot) -> bool:
    """Whether a run of this machine is active or waiting."""
    return bool(local_active_runs(snapshot) or _waiting(snapshot))


def _waiting(snapshot: Snapshot) -> int:
    return sum(run.status is Status.QUEUED and run.record["host"] == snapshot.host for run in snapshot.runs)


def leave_question(snapshot: Snapshot) -> Question:
    """Say what continues, offer the ways to leave, and say what a logout would do."""
    active, waiting = len(local_active_runs(snapshot)), _waiting(snapshot)
    counts = [f"{count} {state}" for count, state in ((active, "running"), (waiting, "waiting")) if count]
    pronoun = "It continues" if active + waiting == 1 else "They continue"
    queue = "the queue stays held" if snapshot.queue_held else "hold the queue"
    answers = [
        Answer(key="enter", shown="enter", value="leave", text="leave, everything continues"),
        Answer.by_letter("H", "hold", f"leave, but start nothing new ({queue})"),
    ]
    if active:
        text = f"stop {'it' if active == 1 else f'all {active}'}, hold the queue, leave; asks once more"
        answers.append(Answer.by_letter("S", "stop", text))
    return Question(
        title="Leave",
        lines=(
            f"{', '.join(counts)}. {pronoun} when this window closes.",
            "A background process keeps the queue until all is done.",
        ),
        answers=answers,
        notes=_logout_notes(snapshot.logout),
    )


def _logout_notes(logout: LogoutPolicy | None) -> list[Note]:
    if logout is None:
        return []
    if logout.survives:
        return [Note(word="completed", text=f"runs survive logout on this machine ({logout.reason})", token=Token.OK)]
    text = f"logging out ends runs on this machine ({logout.reason}); to fix it: {logout.fix}"
    return [Note(word="conservative", text=text, token=Token.WARN)]
