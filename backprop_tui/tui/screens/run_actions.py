"""What a key that changes runs does: asks where needed, has the change carried out, and reports the result."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import TYPE_CHECKING

from backprop_tui.domain.formatting import counted
from backprop_tui.domain.status import Status
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.tui.actions import BY_ID
from backprop_tui.tui.commands import CommandResult, CommandRunner
from backprop_tui.tui.screens.questions import (
    CANCEL,
    NO_LIMIT,
    SET_NUMBER,
    confirm_question,
    has_local_work,
    leave_question,
    local_active_runs,
    names_of,
    stop_question,
    time_question,
)
from backprop_tui.tui.snapshot import Snapshot

if TYPE_CHECKING:
    from backprop_tui.tui.screens.panes_screen import PanesScreen


class RunActions:
    """Each action takes the chosen runs and ignores those that it does not apply to."""

    def __init__(self, commands: CommandRunner, screen: PanesScreen) -> None:
        self._commands = commands
        self._screen = screen

    async def stop(self, runs: Sequence[KnownRun]) -> None:
        targets = self._applicable("stop", runs)
        answer = await self._screen.ask(stop_question(targets)) if targets else CANCEL
        if answer != CANCEL:
            self._report(
                await self._commands.stop(_ids(targets), now=answer == "kill", after_checkpoint=answer == "checkpoint")
            )

    async def kill(self, runs: Sequence[KnownRun]) -> None:
        targets = self._applicable("kill", runs)
        if targets and await self._confirm("Kill", f"Kill {names_of(targets)} now, without time to save?", "kill"):
            self._report(await self._commands.stop(_ids(targets), now=True))

    async def pin(self, run: KnownRun, *, pinned: bool) -> None:
        self._report(await self._commands.pin_baseline(run.id, str(run.record["group"]), pinned=pinned))

    async def pause(self, runs: Sequence[KnownRun]) -> None:
        """Pause the running ones; when all of them are paused, continue them."""
        targets = self._applicable("pause", runs)
        running = [run for run in targets if run.status is not Status.PAUSED]
        if running:
            self._report(await self._commands.pause(_ids(running)))
        elif targets:
            self._report(await self._commands.continue_(_ids(targets)))

    async def resume(self, runs: Sequence[KnownRun]) -> None:
        for run in self._applicable("resume", runs):
            self._report(await self._commands.resume([run.id]))

    async def retry_failed(self, members: Sequence[KnownRun]) -> None:
        if not members:
            self._screen.tell("Select a group first", bad=True)
            return
        for run in self._applicable("retry_group", members):
            self._report(await self._commands.resume([run.id]))

    async def more_time(self, runs: Sequence[KnownRun]) -> bool:
        """Asks for another timebox, counted from the start of the attempt; returns whether to open the edit dialog."""
        targets = self._applicable("time", runs)
        answer = await self._screen.ask(time_question(targets)) if targets else CANCEL
        for run in () if answer in (CANCEL, SET_NUMBER) else targets:
            limit = run.run.spec.max_run_seconds if run.run is not None else None
            if answer != NO_LIMIT and limit is None:
                self._screen.tell(f"{names_of([run])} has no limit")
                continue
            seconds = inf if answer == NO_LIMIT else (limit or 0) + 60 * int(answer)
            self._report(await self._commands.edit([run.id], max_run_seconds=seconds))
        return answer == SET_NUMBER

    async def move(self, runs: Sequence[KnownRun], by: int) -> None:
        """Moves a single queued run by this many places."""
        waiting = [run for run in runs if run.queue_position is not None]
        if len(waiting) != 1:
            self._screen.tell(BY_ID["later"].refusal, bad=True)
            return
        position = max(1, (waiting[0].queue_position or 1) + by)
        self._report(await self._commands.move(waiting[0].id, position), quiet=True)

    async def remove(self, runs: Sequence[KnownRun]) -> None:
        targets = self._applicable("remove", runs)
        if targets and await self._confirm(
            "Remove", f"Delete {names_of(targets)} with log and metrics?", "delete, keep checkpoints"
        ):
            self._report(await self._commands.remove(_ids(targets)))

    async def switch_queue(self, *, held: bool) -> None:
        """Holds the queue, or releases it when it is held."""
        self._report(await self._commands.set_queue(held=not held))

    async def may_leave(self, snapshot: Snapshot) -> bool:
        """Asks how to leave when work remains, and carries it out; returns whether to leave."""
        if snapshot.is_demo or not has_local_work(snapshot):
            return True
        answer = await self._screen.ask(leave_question(snapshot))
        if answer == "hold" and not snapshot.queue_held:
            await self.switch_queue(held=False)
        if answer == "stop":
            return await self._stop_all(local_active_runs(snapshot), held=snapshot.queue_held)
        return answer != CANCEL

    async def _stop_all(self, runs: Sequence[KnownRun], *, held: bool) -> bool:
        """Holds the queue and stops all of these with time to save; returns whether that was done."""
        line = f"Stop {counted(len(runs), 'run')}, with time to save, and hold the queue?"
        if not await self._confirm("Stop all", line, f"stop all {len(runs)}, then leave"):
            return False
        if not held and not self._report(await self._commands.set_queue(held=True), quiet=True):
            return False
        self._screen.tell(f"Stopping {counted(len(runs), 'run')}, leaving when they have ended")
        return self._report(await self._commands.stop(_ids(runs)), quiet=True)

    async def _confirm(self, title: str, line: str, text: str) -> bool:
        return await self._screen.ask(confirm_question(title, line, text)) != CANCEL

    def _applicable(self, action_id: str, runs: Sequence[KnownRun]) -> list[KnownRun]:
        """Returns the runs that the action applies to; says why there are none."""
        action = BY_ID[action_id]
        targets = [run for run in runs if action.statuses is None or run.status in action.statuses]
        if not targets:
            self._screen.tell(action.refusal, bad=True)
        return targets

    def _report(self, result: CommandResult, *, quiet: bool = False) -> bool:
        """Shows the message of a result, unless it is quiet and was done; returns whether it was done."""
        if result.message and not (result.done and quiet):
            self._screen.tell(result.message, bad=not result.done)
        return result.done


def _ids(runs: Sequence[KnownRun]) -> list[str]:
    return [run.id for run in runs]
