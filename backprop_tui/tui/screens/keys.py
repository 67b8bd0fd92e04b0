"""What each key of the main screen does."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from textual.app import SuspendNotSupported
from textual.widgets import Input

from backprop_tui.domain.status import Status
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.tui.actions import BY_ID, Action
from backprop_tui.tui.layout import Zoom
from backprop_tui.tui.panes.governor import unseen_problems
from backprop_tui.tui.panes.run_list import OLDER
from backprop_tui.tui.panes.run_rows import GROUP
from backprop_tui.tui.screens.front import Front
from backprop_tui.tui.screens.run_actions import SET, RunActions
from backprop_tui.tui.theme import DARK, LIGHT, TERMINAL
from backprop_tui.tui.widgets.log import LogView
from backprop_tui.tui.widgets.runs import RunsTable
from backprop_tui.tui.widgets.selected import DETAILS, LOG, SelectedRun
from backprop_tui.tui.widgets.sheet import Sheet

_HALF, _PAGE = 0.5, 0.9
_FAR = 1 << 30
_THEMES = (DARK, LIGHT, TERMINAL)


class Keys:
    """Finds what an action of the registry means here; `doing` is what others of the screen do, by the ids of it."""

    def __init__(self, screen: Front, runs: RunActions, doing: Mapping[str, Callable[[], object]]) -> None:
        self._screen = screen
        self._held: str | None = None  # the run whose details were opened because it was held
        self._runs = runs
        self._doing: dict[str, Callable[[], object]] = {
            "help": self._help,
            "palette": screen.app.action_command_palette,
            "next_pane": self._other_pane,
            "previous_pane": self._other_pane,
            "next_tab": lambda: self._tab(self._selected.tab + 1),
            "previous_tab": lambda: self._tab(self._selected.tab - 1),
            "zoom": self._zoom,
            "unzoom": lambda: self._set_zoom(Zoom.NONE),
            "filter": self._open_filter,
            "back": self._back,
            "problem": self._next_problem,
            "hold": lambda: self._work(runs.hold(held=screen.snapshot.queue_held)),
            "digest": screen.ask_for_digest,
            "theme": self._next_theme,
            "redraw": lambda: screen.refresh(repaint=True, layout=True),
            "suspend": screen.app.action_suspend_process,
            "leave": self._leave,
            "fold": lambda: self._fold(folded=True),
            "unfold": lambda: self._fold(folded=False),
            "open": self._open,
            "mark": self._mark,
            "pager": self._pager,
            "older": self._older,
            "follow": lambda: screen.query_one(LogView).action_follow(),
            "wrap": lambda: screen.query_one(LogView).action_wrap(),
        }
        self._doing |= {f"tab_{place + 1}": self._tab_of(place) for place in range(5)}
        self._doing |= {**self._movements(), **self._of_runs(), **doing}

    def _help(self) -> None:
        from backprop_tui.tui.screens.help import Help  # when it is opened, as all that is not seen at the start

        self._screen.app.push_screen(Help(glyphs=self._screen.glyphs))

    def _leave(self) -> None:
        from backprop_tui.tui.screens.leaving import may_leave

        self._work(may_leave(self._screen, self._runs))

    @property
    def _table(self) -> RunsTable:
        return self._screen.query_one(RunsTable)

    @property
    def _selected(self) -> SelectedRun:
        return self._screen.query_one(SelectedRun)

    @property
    def _pane(self) -> RunsTable | Sheet:
        return self._selected.tab_widget if self._selected.has_focus_within else self._table

    def press(self, action: Action) -> None:
        """Does it, or says that it is not there yet."""
        do = self._doing.get(action.id)
        if do is None:
            self._screen.tell(f"{action.shown}  {action.help}: not in the dashboard yet", bad=True)
            return
        do()

    def _movements(self) -> dict[str, Callable[[], object]]:
        return {
            "down": lambda: self._pane.move(1),
            "up": lambda: self._pane.move(-1),
            "top": lambda: self._pane.move_to(0),
            "end": lambda: self._pane.move_to(_FAR),
            "half_down": lambda: self._pane.page(_HALF),
            "half_up": lambda: self._pane.page(-_HALF),
            "page_down": lambda: self._pane.page(_PAGE),
            "page_up": lambda: self._pane.page(-_PAGE),
        }

    def _of_runs(self) -> dict[str, Callable[[], object]]:
        runs = self._runs

        def chosen() -> Any:  # noqa: ANN401 - a list of runs, for the calls below
            return self._screen.standing.chosen(self._screen.snapshot)

        return {
            "stop": lambda: self._work(runs.stop(chosen())),
            "kill": lambda: self._work(runs.kill(chosen())),
            "pause": lambda: self._work(runs.pause(chosen())),
            "resume": lambda: self._work(runs.resume(chosen())),
            "retry_group": lambda: self._work(runs.retry_failed(self._group())),
            "time": lambda: self._work(self._more_time(chosen())),
            "later": lambda: self._work(runs.move(chosen(), 1)),
            "sooner": lambda: self._work(runs.move(chosen(), -1)),
            "remove": lambda: self._remove(chosen()),
        }

    async def _more_time(self, chosen: list[KnownRun]) -> None:
        if await self._runs.more_time(chosen) == SET:
            self.press(BY_ID["edit"])

    def _group(self) -> list[KnownRun]:
        """The members of the group under the cursor."""
        snapshot = self._screen.snapshot
        group = self._screen.standing.group_of_row(snapshot)
        return [] if group is None else [one for one in snapshot.runs if one.record.get("group") == group]

    def _remove(self, chosen: Sequence[KnownRun]) -> None:
        if self._screen.snapshot.is_beginning:
            self._screen.ask_for_demo()
        else:
            self._work(self._runs.remove(chosen))

    def _work(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """In the background: the screen goes on while a run takes its time to end."""

        async def then_look() -> None:
            await coroutine
            self._screen.bridge_looks()

        self._screen.work(then_look())

    def row_changed(self) -> None:
        """A run that failed opens its log, one that is held its details, the first time it is selected."""
        standing, snapshot = self._screen.standing, self._screen.snapshot
        run = standing.run_of_row(snapshot)
        self._screen.select_in_bridge(None if run is None else run.id)
        if run is None or run.id in standing.visited or _may_be_held_soon(run):
            return
        standing.visited.add(run.id)
        if run.status in (Status.FAILED, Status.LOST, Status.STARTING):
            self._tab(LOG)
        elif run.status is Status.QUEUED and run.record["hold_reasons"]:
            self._tab(DETAILS)
            self._held = run.id

    def time_passes(self) -> None:
        """A run that is held no longer gives its details back, unless another tab was chosen meanwhile."""
        run = self._screen.standing.run_of_row(self._screen.snapshot)
        if self._held is None:
            if run is not None and run.status is Status.QUEUED and self._selected.tab == LOG:
                self.row_changed()  # it was queued a moment ago, and is held now
            return
        if run is None or run.id != self._held or self._selected.tab != DETAILS:
            self._held = None
        elif run.status is not Status.QUEUED:
            self._held = None
            self._tab(LOG)

    def _tab_of(self, place: int) -> Callable[[], object]:
        return lambda: self._tab(place)

    def _tab(self, place: int) -> None:
        self._selected.choose(place)

    def _other_pane(self) -> None:
        if self._selected.has_focus_within or not self._selected.display:
            self._screen.set_focus(self._table)
        else:
            self._screen.set_focus(self._selected.tab_widget)

    def _zoom(self) -> None:
        self._set_zoom(Zoom.SELECTED if self._selected.has_focus_within else Zoom.RUNS)

    def _set_zoom(self, zoom: Zoom) -> None:
        self._screen.standing.zoom = zoom
        self._screen.paint()

    def _open(self) -> None:
        standing = self._screen.standing
        if (standing.row or "").startswith(GROUP) and self._table.has_focus:
            self._fold(folded=standing.row_group not in standing.folded)
        elif standing.row == OLDER:
            self._older()
        elif self._table.has_focus:
            standing.opened = True
            self._screen.paint()
            self._screen.set_focus(self._selected.tab_widget)
        else:
            self._back()

    def _back(self) -> None:
        """The nearest thing there is to leave: the filter's line, zoom, the selected pane, filter, marks, problem."""
        standing, screen = self._screen.standing, self._screen
        if screen.query_one("#filter", Input).has_class("-open"):
            self.close_filter()
        elif standing.zoom is not Zoom.NONE:
            self._set_zoom(Zoom.NONE)
        elif self._selected.has_focus_within or standing.opened:
            standing.opened = False
            screen.paint()
            self._screen.set_focus(self._table)
        elif standing.filter:
            screen.query_one("#filter", Input).value = ""
        elif standing.marked:
            standing.marked.clear()
        else:
            standing.seen |= {one.id for one in unseen_problems(screen.snapshot, standing.seen)}
        screen.paint()

    def _open_filter(self) -> None:
        line = self._screen.query_one("#filter", Input)
        line.add_class("-open")
        line.focus()

    def close_filter(self) -> None:
        """The filter stays in force."""
        self._screen.query_one("#filter", Input).remove_class("-open")
        self._screen.set_focus(self._table)

    def _next_problem(self) -> None:
        standing, snapshot = self._screen.standing, self._screen.snapshot
        unseen = unseen_problems(snapshot, standing.seen)
        if not unseen:
            self._screen.tell("Nothing that failed is unseen")
            return
        at = [one.id for one in unseen]
        self._screen.go_to(at[(at.index(standing.row) + 1) % len(at)] if standing.row in at else at[0])

    def _fold(self, *, folded: bool) -> None:
        standing = self._screen.standing
        group = standing.group_of_row(self._screen.snapshot)
        if group is None or not self._table.has_focus:
            return
        (standing.folded.add if folded else standing.folded.discard)(group)
        self._screen.paint()
        if folded:
            self._table.select(GROUP + group)

    def _mark(self) -> None:
        standing = self._screen.standing
        found = standing.run_of_row(self._screen.snapshot)
        if found is not None and found.id == standing.row:
            (standing.marked.discard if found.id in standing.marked else standing.marked.add)(found.id)
            self._screen.paint()
            self._table.move(1)

    def _older(self) -> None:
        self._screen.standing.older = not self._screen.standing.older
        self._screen.paint()

    def _next_theme(self) -> None:
        app = self._screen.app
        place = _THEMES.index(app.theme) if app.theme in _THEMES else -1
        app.theme = _THEMES[(place + 1) % len(_THEMES)]

    def _pager(self) -> None:
        run = self._screen.standing.run_of_row(self._screen.snapshot)
        path = None if run is None else run.record.get("log_path")
        if path is None or not os.path.exists(path):
            self._screen.tell("It has no log", bad=True)
            return
        pager = shlex.split(os.environ.get("PAGER") or "less +G")
        try:
            with self._screen.app.suspend():
                subprocess.run([*pager, path], check=False)
        except SuspendNotSupported:
            self._screen.tell("This terminal cannot be handed over", bad=True)
        except FileNotFoundError:
            self._screen.tell(f"$PAGER: there is no {pager[0]}", bad=True)


def _may_be_held_soon(run: KnownRun) -> bool:
    """Whether the governor has not said yet whether it is."""
    return run.status is Status.QUEUED and not run.record["hold_reasons"]
