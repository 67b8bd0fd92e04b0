"""The commands of the dashboard by their words, as its screens still give them; `CommandRunner` does the work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.tui.commands import CommandResult, CommandRunner


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """The result of a command in one line; `lines` is its whole output."""

    done: bool
    words: str
    lines: tuple[str, ...] = ()


class Desk(Protocol):
    """Takes commands."""

    async def ask(self, *words: str) -> Said:
        """Carries out a command."""


class CommandDesk:
    """Carries out commands that change runs in this process, and others as `backprop-tui WORDS`."""

    def __init__(self, runner: CommandRunner) -> None:
        self._runner = runner

    async def ask(self, *words: str) -> Said:
        result = await self._carry_out(words)
        return Said(done=result.done, words=result.message, lines=result.lines or result.run_ids)

    async def _carry_out(self, words: Sequence[str]) -> CommandResult:  # noqa: C901 - until the screens call it themselves
        verb, *rest = words
        run_ids = [word for word in rest if not word.startswith("-")]
        runner = self._runner
        match verb, *rest:
            case "stop", *_:
                return await runner.stop(run_ids, now="--now" in rest, after_checkpoint="--after-checkpoint" in rest)
            case "pause", *_:
                return await runner.pause(run_ids)
            case "continue", *_:
                return await runner.continue_(run_ids)
            case "resume", *_:
                return await runner.resume(run_ids)
            case "remove", *_:
                return await runner.remove(run_ids)
            case "queue", "hold":
                return await runner.hold()
            case "queue", "release":
                return await runner.release()
            case "queue", "move", run_id, "--to", place:
                return await runner.move(run_id, int(place))
            case "config", "set", "--", key, value:
                return await runner.set_config(key, value)
            case "run", "-d", *_:
                return await runner.submit(rest[1:])
            case _:
                return await runner.output_of(*words)
