"""The screens and dialogs that the main screen opens, and what becomes of their answers."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from textual import events, on
from textual.app import SuspendNotSupported
from textual.message import Message

from backprop_tui.domain.errors import BackpropError
from backprop_tui.domain.formatting import counted
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.status import ENDED
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.presentation.objective import rank_records, shown_text
from backprop_tui.tui.absence import AbsenceDigest
from backprop_tui.tui.bridge import Bridge
from backprop_tui.tui.charts.source import ChartSource
from backprop_tui.tui.commands import CommandRunner
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.screens.panes_screen import PanesScreen
from backprop_tui.tui.screens.ui_state import Targets
from backprop_tui.tui.snapshot import Snapshot

if TYPE_CHECKING:
    from backprop_tui.tui.screens.run_actions import RunActions

# Dialogs are imported when they are opened, so that they do not delay the first paint.


class DialogsScreen(PanesScreen):
    """Opens dialogs and other screens for actions of the registry."""

    class DemoRequested(Message):
        """Shows the demo in place of the dashboard."""

    def __init__(
        self,
        snapshot: Snapshot,
        bridge: Bridge,
        commands: CommandRunner,
        charts: ChartSource,
        *,
        glyphs: Glyphs,
        selected_run: str | None = None,
    ) -> None:
        self._charts = charts
        super().__init__(snapshot, bridge, charts, glyphs=glyphs, selected_run=selected_run)
        self.commands = commands
        self._draft: Mapping[str, str] = {}  # of the New run dialog, kept from one opening to the next

    @cached_property
    def _run_actions(self) -> RunActions:
        from backprop_tui.tui.screens.run_actions import RunActions

        return RunActions(self.commands, self)

    def _targets(self) -> Targets | None:
        """What an action applies to, nothing but visible runs; without any it says why and returns None."""
        self._follow_cursor()
        targets = self.state.target_runs(self._visible_runs())
        if not targets.runs:
            self.tell(self._why_no_run(), bad=True)
        return targets if targets.runs else None

    def _pane_run(self) -> KnownRun | None:
        """The run of the pane; without any it says why and returns None."""
        self._follow_cursor()
        run = self.state.selected_run(self.snapshot)
        if run is None:
            self.tell(self._why_no_run(), bad=True)
        return run

    def _why_no_run(self) -> str:
        state = self.state
        if self.snapshot.is_beginning:
            return "There is no run yet. n starts one"
        if not self.runs_table.view.rows:
            return "Nothing is shown: esc clears the filter" if state.filter else "There is no run"
        if state.marked and not state.target_runs(self._visible_runs()).runs:
            shown_by = "esc clears the filter" if state.filter else "a shows older runs"
            return f"{counted(len(state.marked), 'marked run')} not shown: {shown_by}"
        return "These runs are not listed yet: a shows them"

    def action_new(self) -> None:
        """Opens the New run dialog with the draft that was left."""
        self._open_new_run(self._draft, keep=True)

    @on(events.Paste)
    def _pasted(self, message: events.Paste) -> None:
        """Opens the New run dialog with a command line that was pasted, or a file that was dropped on the window."""
        from backprop_tui.tui.screens.draft import COMMAND, join_lines

        line = sanitize(join_lines(message.text)).strip()
        if line:
            self._open_new_run({COMMAND: line}, keep=True)

    def action_copy_as_new(self) -> None:
        run = self._pane_run()
        if run is not None:
            self.work(self._copy_as_new(run.id))

    async def _copy_as_new(self, run_id: str) -> None:
        from backprop_tui.tui.screens.draft import draft_like

        try:
            run = await self.commands.load_run(run_id)
        except BackpropError as error:
            self.tell(sanitize(str(error)), bad=True)
        else:
            self._open_new_run(draft_like(run), keep=False)

    def action_example(self) -> None:
        from backprop_tui.tui.screens.draft import COMMAND

        if self.example is None:
            self.tell("The example is not installed", bad=True)
        else:
            self._open_new_run({COMMAND: shlex.quote(self.example)}, keep=False)

    def action_demo(self) -> None:
        self.post_message(self.DemoRequested())

    def _open_new_run(self, draft: Mapping[str, str], *, keep: bool) -> None:
        """Opens the New run dialog; `keep` keeps what was typed when it is closed."""
        from backprop_tui.tui.screens.draft import recent_drafts
        from backprop_tui.tui.screens.new_run import NewRun

        recent = recent_drafts(run.run for run in self.snapshot.runs if run.run is not None)
        dialog = NewRun(draft, self.commands, recent, glyphs=self.glyphs)

        def closed(run_ids: tuple[str, ...] | None) -> None:
            if keep:
                self._draft = {} if run_ids else dialog.draft
            if run_ids:
                self.await_run(run_ids[0], queued=len(run_ids))
            self._bridge.look()

        self.app.push_screen(dialog, closed)

    def action_edit(self) -> None:
        from backprop_tui.tui.screens.edit_run import EditRun

        targets = self._targets()
        if targets is None:
            return

        def closed(messages: tuple[str, ...] | None) -> None:
            for message in messages or ():
                self.tell(message)
                self._bridge.look()

        self.app.push_screen(EditRun(targets.runs, self.commands, glyphs=self.glyphs), closed)

    def action_settings(self) -> None:
        from backprop_tui.tui.screens.settings import SettingsScreen

        self.app.push_screen(SettingsScreen(self.commands, glyphs=self.glyphs))

    def action_help(self) -> None:
        from backprop_tui.tui.screens.help import Help

        self.app.push_screen(Help(glyphs=self.glyphs))

    def action_digest(self) -> None:
        self._bridge.request_digest()  # the digest opens when the events are read

    def show_digest(self, digest: AbsenceDigest, *, opens: bool) -> None:
        """Opens the digest if `opens` and no other screen is open; otherwise says that there is one."""
        if not opens or self.app.screen is not self:
            ended = sum(recalled.run.status in ENDED for recalled in digest.runs)
            self.tell(f"{counted(ended, 'run')} ended while you were away. D shows them")
            return
        from backprop_tui.tui.panes.digest import RETRY, SHOW, Digest, digest_view

        view = digest_view(digest, self.snapshot)

        def closed(answer: str | None) -> None:
            if answer == SHOW and view.first_failure is not None:
                self.go_to(view.first_failure)
            elif answer == RETRY:
                runs = [run for run in map(self.snapshot.find, view.retry) if run is not None]
                self.work(self._run_actions.resume(Targets(runs)))

        self.app.push_screen(Digest(view, glyphs=self.glyphs), closed)

    def action_compare(self) -> None:
        from backprop_tui.tui.charts.compare import MAX_RUNS
        from backprop_tui.tui.screens.compare import CompareScreen

        targets = self._targets()
        if targets is None:
            return
        runs = targets.runs
        if len(runs) < 2:
            self.tell("Mark two runs or more with space, then compare them", bad=True)
            return
        ids = [run.id for run in runs]
        if len(runs) > MAX_RUNS:
            ranking = rank_records(run.record for run in runs)
            self.tell(f"Showing {shown_text(ranking, MAX_RUNS, len(runs))}")
            ids = ranking.order[:MAX_RUNS]
        self.app.push_screen(CompareScreen(ids, lambda: self.snapshot, self._charts, glyphs=self.glyphs))

    def action_copy(self) -> None:
        """Copies the value under the cursor of the details, something of the selected run, or the ids of several."""
        value = self.selected.details.value_at_cursor
        if self.selected.details.has_focus and value is not None:
            self._copy(*value)
            return
        targets = self._targets()
        if targets is None:
            return
        if len(targets.runs) == 1:
            self.work(self._choose_and_copy(targets.runs[0]))
        else:
            self._copy(f"{len(targets.runs)} ids", " ".join(run.id for run in targets.runs))

    async def _choose_and_copy(self, run: KnownRun) -> None:
        from backprop_tui.tui.screens.questions import CANCEL, copy_question, copyable

        answer = await self.ask(copy_question(run))
        if answer != CANCEL:
            self._copy(*copyable(run)[answer])

    def _copy(self, name: str, value: str) -> None:
        """Copies by OSC 52, which also works through SSH if the terminal allows it."""
        self.app.copy_to_clipboard(value)
        self.tell(f"Copied {name}")

    def action_pager(self) -> None:
        run = self._pane_run()
        if run is None:
            return
        path = run.record.get("log_path")
        if path is None or not os.path.exists(path):
            self.tell("This run has no log", bad=True)
            return
        pager = shlex.split(os.environ.get("PAGER") or "less +G")
        try:
            with self.app.suspend():
                subprocess.run([*pager, path], check=False)
        except SuspendNotSupported:
            self.tell("Cannot open a pager in this terminal", bad=True)
        except FileNotFoundError:
            self.tell(f"$PAGER: {pager[0]} was not found", bad=True)
