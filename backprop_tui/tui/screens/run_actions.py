"""What the dashboard does to runs: ask where needed, pass the request on, and report the result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import inf, isinf
from typing import TYPE_CHECKING, Protocol

from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.formatting import counted
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.status import Status
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.tui.actions import BY_ID
from backprop_tui.tui.new_run.verdict import Verdict, verdict_of
from backprop_tui.tui.requests import Desk
from backprop_tui.tui.screens.ask import CANCEL, Question
from backprop_tui.tui.screens.questions import (
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
    from backprop_tui.tui.panes.settings import SettingRow


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class CommandResult:
    """Whether a request was carried out, one line about it, the ids of queued runs, and the whole output."""

    done: bool
    message: str
    run_ids: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()


class Commands:
    """The requests of the dashboard, each carried out by a command of its own.

    This is the only place of the screens that knows the command line. A request returns when it has been carried out.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def stop(self, run_ids: Sequence[str], *, now: bool = False, after_checkpoint: bool = False) -> CommandResult:
        return await self.output_of(
            "stop", *run_ids, *(["--now"] if now else []), *(["--after-checkpoint"] if after_checkpoint else [])
        )

    async def pause(self, run_ids: Sequence[str]) -> CommandResult:
        return await self.output_of("pause", *run_ids)

    async def continue_(self, run_ids: Sequence[str]) -> CommandResult:
        return await self.output_of("continue", *run_ids)

    async def resume(self, run_ids: Sequence[str]) -> CommandResult:
        return await self.output_of("resume", *run_ids, "--detach")

    async def remove(self, run_ids: Sequence[str]) -> CommandResult:
        return await self.output_of("remove", *run_ids, "--yes")

    async def move(self, run_id: str, place: int) -> CommandResult:
        return await self.output_of("queue", "move", run_id, "--to", str(place))

    async def hold(self) -> CommandResult:
        return await self.output_of("queue", "hold")

    async def release(self) -> CommandResult:
        return await self.output_of("queue", "release")

    async def edit(
        self,
        run_ids: Sequence[str],
        *,
        name: str | None = None,
        tags: Sequence[str] | None = None,
        note: str | None = None,
        priority: int | None = None,
        max_run_seconds: float | None = None,
    ) -> CommandResult:
        """Change the fields that are given; `max_run_seconds` may be infinite, which means no limit."""
        options = [] if name is None else [f"--name={name}"]
        options += [] if note is None else [f"--note={note}"]
        options += [] if tags is None else [f"--tag={tag}" for tag in tags or ("",)]
        if max_run_seconds is not None:
            options.append("--max-minutes=" + ("none" if isinf(max_run_seconds) else f"{max_run_seconds / 60:g}"))
        options += [] if priority is None else [f"--priority={priority}"]
        return await self.output_of("edit", *run_ids, *options)

    async def submit(self, words: Sequence[str]) -> CommandResult:
        """Queue runs from the words of a `run` command."""
        result = await self.output_of("run", "-d", *words)
        return replace(result, run_ids=result.lines)

    async def dry_run(self, words: Sequence[str]) -> Verdict:
        """Return what the governor would decide.

        Raises:
            BackpropError: the request is refused; the message says why.
        """
        result = await self.output_of("run", "--dry-run", *words)
        verdict = verdict_of(result.lines)
        if verdict is None:
            raise UsageError(result.message)
        return verdict

    async def config_path(self) -> str:
        return (await self.output_of("config", "path")).message

    async def settings(self) -> list[SettingRow]:
        """Return all settings.

        Raises:
            BackpropError: they cannot be read.
        """
        from backprop_tui.tui.panes.settings import settings_rows

        result = await self.output_of("config", "show", "--json")
        try:
            return settings_rows(result.lines)
        except (ValueError, TypeError) as error:
            raise UsageError(str(error) if result.done else result.message) from error

    async def set_config(self, key: str, value: str) -> CommandResult:
        return await self.output_of("config", "set", "--", key, value)

    async def output_of(self, *words: str) -> CommandResult:
        """Run a command and return its output."""
        result = await self._desk.ask(*words)
        return CommandResult(done=result.done, message=result.words, lines=result.lines)


class Prompt(Protocol):
    """How the actions talk to the user: the main screen."""

    async def ask(self, question: Question) -> str:
        """Return the value of the answer, or `CANCEL`."""

    def tell(self, text: str, *, bad: bool = False) -> None:
        """Show a notification."""


class RunActions:
    """Each action takes the chosen runs and ignores those that it does not apply to."""

    def __init__(self, commands: Commands, prompt: Prompt) -> None:
        self._commands = commands
        self._prompt = prompt

    async def stop(self, runs: Sequence[KnownRun]) -> None:
        targets = self._applicable("stop", runs)
        answer = await self._prompt.ask(stop_question(targets)) if targets else CANCEL
        if answer != CANCEL:
            self._report(
                await self._commands.stop(_ids(targets), now=answer == "kill", after_checkpoint=answer == "checkpoint")
            )

    async def kill(self, runs: Sequence[KnownRun]) -> None:
        targets = self._applicable("kill", runs)
        if targets and await self._confirm("Kill", f"Kill {names_of(targets)} now, without time to save?", "kill"):
            self._report(await self._commands.stop(_ids(targets), now=True))

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
        """Resume the failed runs of a group."""
        if not members:
            self._prompt.tell("Select a group first", bad=True)
            return
        for run in self._applicable("retry_group", members):
            self._report(await self._commands.resume([run.id]))

    async def more_time(self, runs: Sequence[KnownRun]) -> bool:
        """Ask for another timebox, counted from the start of the attempt; return whether to open the edit dialog."""
        targets = self._applicable("time", runs)
        answer = await self._prompt.ask(time_question(targets)) if targets else CANCEL
        for run in () if answer in (CANCEL, SET_NUMBER) else targets:
            limit = run.run.spec.max_run_seconds if run.run is not None else None
            if answer != NO_LIMIT and limit is None:
                self._prompt.tell(f"{names_of([run])} has no limit")
                continue
            seconds = inf if answer == NO_LIMIT else (limit or 0) + 60 * int(answer)
            self._report(await self._commands.edit([run.id], max_run_seconds=seconds))
        return answer == SET_NUMBER

    async def move(self, runs: Sequence[KnownRun], by: int) -> None:
        """Move a single queued run by so many places."""
        waiting = [run for run in runs if run.place is not None]
        if len(waiting) != 1:
            self._prompt.tell(BY_ID["later"].refusal, bad=True)
            return
        place = max(1, (waiting[0].place or 1) + by)
        self._report(await self._commands.move(waiting[0].id, place), quiet=True)

    async def remove(self, runs: Sequence[KnownRun]) -> None:
        targets = self._applicable("remove", runs)
        if targets and await self._confirm(
            "Remove", f"Delete {names_of(targets)} with log and metrics?", "delete, keep checkpoints"
        ):
            self._report(await self._commands.remove(_ids(targets)))

    async def hold(self, *, held: bool) -> None:
        """Hold the queue, or release it when it is held."""
        self._report(await (self._commands.release() if held else self._commands.hold()))

    async def may_leave(self, snapshot: Snapshot) -> bool:
        """Ask how to leave when work remains, and carry it out; return whether to leave."""
        if snapshot.is_demo or not has_local_work(snapshot):
            return True
        answer = await self._prompt.ask(leave_question(snapshot))
        if answer == "hold" and not snapshot.queue_held:
            await self.hold(held=False)
        if answer == "stop":
            return await self._stop_all(local_active_runs(snapshot), held=snapshot.queue_held)
        return answer != CANCEL

    async def _stop_all(self, runs: Sequence[KnownRun], *, held: bool) -> bool:
        """Hold the queue and stop all of these with time to save; return whether that was done."""
        line = f"Stop {counted(len(runs), 'run')}, with time to save, and hold the queue?"
        if not await self._confirm("Stop all", line, f"stop all {len(runs)}, then leave"):
            return False
        if not held and not self._report(await self._commands.hold(), quiet=True):
            return False
        self._prompt.tell(f"Stopping {counted(len(runs), 'run')}, leaving when they have ended")
        return self._report(await self._commands.stop(_ids(runs)), quiet=True)

    async def _confirm(self, title: str, line: str, text: str) -> bool:
        return await self._prompt.ask(confirm_question(title, line, text)) != CANCEL

    def _applicable(self, action_id: str, runs: Sequence[KnownRun]) -> list[KnownRun]:
        """Return the runs that the action applies to; say why there are none."""
        action = BY_ID[action_id]
        targets = [run for run in runs if action.statuses is None or run.status in action.statuses]
        if not targets:
            self._prompt.tell(action.refusal, bad=True)
        return targets

    def _report(self, result: CommandResult, *, quiet: bool = False) -> bool:
        """Show the message of a result, unless it is quiet and was done; return whether it was done."""
        if result.message and not (result.done and quiet):
            self._prompt.tell(result.message, bad=not result.done)
        return result.done


def _ids(runs: Sequence[KnownRun]) -> list[str]:
    return [run.id for run in runs]
