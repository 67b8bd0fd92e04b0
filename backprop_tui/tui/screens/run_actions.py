"""What a key that changes runs does: asks where needed, has the change carried out, and reports the result."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from backprop_tui.domain.formatting import counted
from backprop_tui.domain.status import Status
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.tui.action import Action
from backprop_tui.tui.actions import BY_ID
from backprop_tui.tui.background_calls import CommandResult
from backprop_tui.tui.commands import CommandRunner
from backprop_tui.tui.screens.questions import (
    CANCEL,
    RESUME_ALL,
    RESUME_ONLY,
    RUN_AGAIN,
    confirm_question,
    has_local_work,
    leave_question,
    local_active_runs,
    lost_with,
    names_of,
    new_limit,
    removable,
    run_again_question,
    stop_question,
    time_question,
)
from backprop_tui.tui.screens.ui_state import Targets
from backprop_tui.tui.snapshot import Snapshot

if TYPE_CHECKING:
    from backprop_tui.tui.screens.panes_screen import PanesScreen

_UNDO_LIMIT = "U brings it back for 10 minutes, but not after you leave."


class RunActions:
    """Each action takes the targets and ignores those that it does not apply to."""

    def __init__(self, commands: CommandRunner, screen: PanesScreen) -> None:
        self._commands = commands
        self._screen = screen
        self._places: Counter[tuple[str, ...]] = Counter()  # that runs are still to be moved by

    async def stop(self, targets: Targets) -> None:
        runs = self._applicable("stop", targets)
        if not runs:
            return

        def current() -> list[KnownRun]:
            return [self._screen.snapshot.find(run.id) or run for run in runs]

        question = stop_question(runs, targets.named(runs), self._screen.snapshot, current)
        answer = await self._screen.ask(question)
        if answer != CANCEL:
            self._report(
                await self._commands.stop(_ids(runs), now=answer == "kill", after_checkpoint=answer == "checkpoint")
            )

    async def kill(self, targets: Targets) -> None:
        """Kills runs; those that only wait leave the queue."""
        runs = self._applicable("kill", targets)
        if runs and all(run.status is Status.QUEUED for run in runs):
            await self.stop(targets)
        elif runs:
            lines = (f"Kill {targets.named(runs)} now, without time to save?", *lost_with(runs, self._screen.snapshot))
            if await self._confirm("Kill", "kill", *lines):
                self._report(await self._commands.stop(_ids(runs), now=True))

    async def pin(self, run: KnownRun, *, pinned: bool, name: str) -> None:
        """Pins a run as the baseline of its group, or unpins it; `name` is what the message calls it."""
        self._report(await self._commands.pin_baseline(run.id, str(run.record["group"]), pinned=pinned, name=name))

    async def pause(self, targets: Targets) -> None:
        """Pauses the running ones; when all of them are paused, continues them."""
        runs = self._applicable("pause", targets)
        running = [run for run in runs if run.status is not Status.PAUSED]
        if running:
            self._report(await self._commands.pause(_ids(running)))
        elif runs:
            self._report(await self._commands.continue_(_ids(runs)))

    async def resume(self, targets: Targets) -> None:
        """Resumes what ended early; asks before it starts completed runs again, whose results could change."""
        runs = self._applicable("resume", targets)
        completed = [run for run in runs if run.status is Status.COMPLETED]
        others = [run for run in runs if run.status is not Status.COMPLETED]
        answer = RESUME_ONLY
        if completed:
            answer = await self._screen.ask(run_again_question(completed, others, targets.named(runs)))
        if answer == CANCEL:
            return
        await self._resume_each(runs if answer == RESUME_ALL else others)
        if answer == RUN_AGAIN:
            result = await self._commands.run_again(_ids(completed))
            self._report(result)
            self._screen.await_run(next(iter(result.run_ids), None))

    async def retry_failed(self, members: Targets) -> None:
        await self._resume_each(self._applicable("retry_group", members))

    async def _resume_each(self, runs: Sequence[KnownRun]) -> None:
        """Queues runs again, each by itself: a refusal of one does not keep back the others."""
        results = [await self._commands.resume([run.id]) for run in runs]
        refused = [result for result in results if not result.done]
        for result in results if len(results) == 1 else refused:
            self._report(result)
        if len(results) > 1:
            self._screen.tell(f"{len(results) - len(refused)} of {counted(len(results), 'run')}: queued again")

    async def more_time(self, targets: Targets) -> None:
        """Asks for another timebox, counted from the start of the attempt."""
        runs = self._applicable("time", targets)
        answer = await self._screen.ask(time_question(runs, targets.named(runs))) if runs else CANCEL
        for run in () if answer == CANCEL else runs:
            limit = run.run.spec.max_run_seconds if run.run is not None else None
            try:
                seconds = new_limit(answer, limit)
            except ValueError as error:
                self._screen.tell(f"{names_of([run])}: {error}", bad=True)
            else:
                self._report(await self._commands.edit([run.id], max_run_seconds=seconds))

    async def move(self, targets: Targets, by: int) -> None:
        """Moves queued runs by this many places, those of each queue together."""
        queues: dict[object, list[str]] = defaultdict(list)
        for run in self._applicable("later", targets):
            queues[None if run.run is None else run.run.queue].append(run.id)
        for run_ids in queues.values():
            await self._move(tuple(run_ids), by)

    async def _move(self, run_ids: tuple[str, ...], by: int) -> None:
        """Moves runs; what is asked for meanwhile is one more move, of as many places as all of that."""
        is_moving = run_ids in self._places
        self._places[run_ids] += by
        try:
            while not is_moving and self._places[run_ids]:
                by, self._places[run_ids] = self._places[run_ids], 0
                self._report(await self._commands.move(run_ids, by), quiet=True)
        finally:
            if not is_moving:
                del self._places[run_ids]

    async def remove(self, targets: Targets) -> None:
        """Leaves those that another run waits for, and names the runs that do."""
        applicable = self._applicable("remove", targets)
        runs, kept = removable(applicable, self._screen.snapshot)
        if kept and not runs:
            self._screen.tell(f"{targets.named(applicable)}: not removed, because {kept}. s stops what waits", bad=True)
            return
        stays = f"{counted(len(applicable) - len(runs), 'run')} left: {kept}."
        lines = (f"Remove {targets.named(runs)} with log and metrics?", *([stays] if kept else []), _UNDO_LIMIT)
        if runs and await self._confirm("Remove", "remove, keep checkpoints", *lines):
            self._report(await self._commands.remove(_ids(runs)))

    async def undo(self) -> None:
        self._report(await self._commands.undo())

    async def switch_queue(self, *, held: bool) -> None:
        """Holds the queue, or releases it when it is held."""
        self._report(await self._commands.set_queue(held=not held))

    async def may_leave(self, snapshot: Snapshot) -> bool:
        """Asks how to leave when work remains, and carries it out; returns whether to leave."""
        if snapshot.is_demo or snapshot.is_read_only or not has_local_work(snapshot):
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
        lost = lost_with(runs, self._screen.snapshot)
        if not await self._confirm("Stop all", f"stop all {len(runs)}, then leave", line, *lost):
            return False
        if not held and not self._report(await self._commands.set_queue(held=True), quiet=True):
            return False
        self._screen.tell(f"Stopping {counted(len(runs), 'run')}, leaving when they have ended")
        return self._report(await self._commands.stop(_ids(runs)), quiet=True)

    async def _confirm(self, title: str, answer: str, *lines: str) -> bool:
        return await self._screen.ask(confirm_question(title, lines, answer)) != CANCEL

    def _applicable(self, action_id: str, targets: Targets) -> list[KnownRun]:
        """Returns the runs that the action applies to; says why there are none."""
        action = BY_ID[action_id]
        runs = [run for run in targets.runs if run.status not in action.refusals]
        if not runs:
            self._screen.tell(_why_none(targets, action), bad=True)
        return runs

    def _report(self, result: CommandResult, *, quiet: bool = False) -> bool:
        """Shows the message of a result, unless it is quiet and was done; returns whether it was done."""
        if result.message and not (result.done and quiet):
            self._screen.tell(result.message, bad=not result.done)
        return result.done


def _ids(runs: Sequence[KnownRun]) -> list[str]:
    return [run.id for run in runs]


def _why_none(targets: Targets, action: Action) -> str:
    """`train has ended. r resumes it`, or `Pause applies to none of 3 marked runs: 2 failed, 1 waiting`."""
    names = targets.named(targets.runs)
    if len(targets.runs) == 1:
        return f"{names} {action.refusals[targets.runs[0].status]}"
    counts = Counter("waiting" if run.status is Status.QUEUED else run.status.value for run in targets.runs)
    states = ", ".join(f"{count} {state}" for state, count in counts.items())
    return f"{action.short.capitalize()} applies to none of {names}: {states}"
