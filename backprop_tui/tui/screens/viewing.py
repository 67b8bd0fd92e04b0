"""How the runs are looked at: order, columns, the best of a group; and what the palette offers beyond keys."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from typing import Any

from textual.widgets import Input

from backprop_tui.domain.formatting import counted
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.status import Status
from backprop_tui.presentation.states import is_held_back
from backprop_tui.tui.panes.run_columns import HIDEABLE
from backprop_tui.tui.panes.run_order import NEWEST, SORTS, RunFilter, RunSort, best_of, next_sort
from backprop_tui.tui.requests import Desk
from backprop_tui.tui.screens.ask import STAY, Answer, Question
from backprop_tui.tui.screens.front import Front
from backprop_tui.tui.tokens import Line, Piece, Token
from backprop_tui.tui.widgets.runs import RunsTable
from backprop_tui.tui.widgets.selected import DETAILS, SelectedRun

Command = tuple[str, str, Callable[[], object]]

_FAILED = "state:failed"
_MOST_NAMED = 200  # runs in the palette
_SORT_KEYS = {"name": "n", "gpu": "u", "progress": "p", "step": "s", "loss": "l", "left": "m", "eta": "i", NEWEST: "w"}
_SORT_WORDS = {"gpu": "GPU", "left": "time left", "eta": "time to its end", NEWEST: "newest first"}
_COLUMN_KEYS = {"trend": "1", "eta": "2", "timebox": "3", "saved": "4", "slice": "5", "tags": "6"}


class Viewing:
    """Changes what is shown, and nothing else."""

    def __init__(self, screen: Front, desk: Desk) -> None:
        self._screen = screen
        self._desk = desk

    def doing(self) -> dict[str, Callable[[], object]]:
        """By the ids of the registry."""
        return {"view": lambda: self._work(self._view()), "best": self._best}

    def _work(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._screen.work(coroutine)

    def sort(self, sort: RunSort | None) -> None:
        """The rows in that order; the cursor stays with its run."""
        self._screen.standing.sort = sort
        self._screen.paint()

    def head_clicked(self, head: str) -> None:
        """Sorted by that column, the other way round, and as it was."""
        self.sort(next_sort(self._screen.standing.sort, head))

    async def _view(self) -> None:
        """Asks until it is answered by leaving, so that several columns can be chosen."""
        while True:
            meant = await self._screen.question(self._question())
            if meant == STAY:
                return None
            kind, _, what = meant.partition(":")
            if kind == "column":
                self._screen.standing.hidden ^= {what}
                self._screen.paint()
                continue
            return self.sort(RunSort.by(what) if what else None)

    def _question(self) -> Question:
        standing, chosen = self._screen.standing, self._screen.glyphs.state("done")
        now = None if standing.sort is None else standing.sort.key

        def marked(words: str, *, on: bool) -> str:
            return f"{chosen if on else ' '} {words}"

        answers = [Answer(key="a", shown="a", means="sort:", words=marked("as they live", on=now is None))]
        for key, letter in _SORT_KEYS.items():
            words = marked(f"by {_SORT_WORDS.get(key, key)}".replace("by newest", "newest"), on=now == key)
            answers.append(Answer(key=letter, shown=letter, means=f"sort:{key}", words=words))
        for column in HIDEABLE:
            words = marked(f"column {column}", on=column not in standing.hidden)
            digit = _COLUMN_KEYS[column]
            answers.append(Answer(key=digit, shown=digit, means=f"column:{column}", words=words))
        asked = ("In which order, and which columns where there is room?",)
        return Question(title="View", lines=asked, answers=answers)

    def _best(self) -> None:
        """To the best run of the group under the cursor."""
        standing, snapshot = self._screen.standing, self._screen.snapshot
        group = standing.group_of_row(snapshot)
        if group is None:
            self._screen.tell("No group is under the cursor", bad=True)
            return
        best = best_of([one for one in snapshot.runs if one.record.get("group") == group])
        if best is None:
            self._screen.tell("None of its runs has a loss yet", bad=True)
            return
        self.go_to(best.id)

    def why(self) -> None:
        """To the first run that is held, and the table of what holds it."""
        held = next((one for one in self._screen.snapshot.runs if is_held_back(one)), None)
        if held is None:
            self._screen.tell("The governor holds no run")
            return
        self.go_to(held.id)
        self._screen.query_one(SelectedRun).choose(DETAILS)

    def go_to(self, run_id: str) -> None:
        """Puts the cursor on a run, in whatever it is hidden: a fold, a filter, its age."""
        standing = self._screen.standing
        found = self._screen.snapshot.find(run_id)
        if found is None:
            return
        standing.folded.discard(str(found.record.get("group")))
        if standing.filter and not standing.filter.matches(found):
            standing.filter = RunFilter()
            self._screen.query_one("#filter", Input).value = ""
        self._screen.paint()
        table = self._screen.query_one(RunsTable)
        if all(row.run_id != run_id for row in table.view.rows):
            standing.older = True
            self._screen.paint()
        table.select(run_id)

    def commands(self) -> Iterator[Command]:
        """For the palette: title, help, and what it does."""
        snapshot = self._screen.snapshot
        for key in (*SORTS, NEWEST):
            words = _SORT_WORDS.get(key, key)
            yield f"Sort by {words}", "order of the runs", partial(self.sort, RunSort.by(key))
        yield "Sort as they live", "active, waiting, ended; groups together", partial(self.sort, None)
        failed = sum(one.status is Status.FAILED for one in snapshot.runs)
        yield "Show only failed", f"{counted(failed, 'run')} failed", self._only_failed
        yield "Copy status as JSON", "as backprop-tui status --json", lambda: self._work(self._copy_status())
        yield "Doctor", "checks the machine and says how to mend it", lambda: self._work(self._doctor())
        for one in snapshot.runs[:_MOST_NAMED]:
            name = sanitize(str(one.record["name"]))
            yield f"Go to run {name}", f"{one.status.value}  {one.id}", partial(self.go_to, one.id)

    def _only_failed(self) -> None:
        self._screen.query_one("#filter", Input).value = _FAILED

    async def _copy_status(self) -> None:
        said = await self._desk.ask("status", "--json")
        if not said.done:
            self._screen.tell(said.words, bad=True)
            return
        self._screen.app.copy_to_clipboard("\n".join(said.lines))
        self._screen.tell("Copied the status as JSON")

    async def _doctor(self) -> None:
        from backprop_tui.tui.screens.page import Page  # seldom needed

        self._screen.tell("The machine is being checked")
        said = await self._desk.ask("doctor")
        lines: list[Line] = [(Piece(f" {line}"),) for line in said.lines or (said.words,)]
        page = Page("Doctor", [(), *lines], glyphs=self._screen.glyphs, token=Token.FG if said.done else Token.WARN)
        self._screen.app.push_screen(page)
