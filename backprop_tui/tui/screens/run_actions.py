"""What keys do to runs: asks where that is due, hands the request on, and tells what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from backprop_tui.domain.formatting import counted
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.status import ACTIVE, ENDED, UNFINISHED, Status
from backprop_tui.presentation import durations
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.tui.requests import Desk, Said
from backprop_tui.tui.screens.ask import STAY, Answer, Question

SET = "set"
_STOP_OPTIONS = {"stop": (), "checkpoint": ("--after-checkpoint",), "kill": ("--now",)}
_MORE_MINUTES = (("1", 10), ("3", 30), ("6", 60))


class Front(Protocol):
    """The screen, as far as these need it."""

    async def question(self, question: Question) -> str:
        """What the answer means."""

    def tell(self, words: str, *, bad: bool = False) -> None:
        """A notice."""


class RunActions:
    """Each takes the runs that were chosen and leaves out those it makes no sense for."""

    def __init__(self, desk: Desk, front: Front) -> None:
        self._desk = desk
        self._front = front

    async def stop(self, runs: Sequence[KnownRun]) -> None:
        """Asks once, naming what is lost."""
        wanted = _in(runs, UNFINISHED)
        if not wanted:
            return self._front.tell("Nothing here goes on or waits", bad=True)
        answer = await self._front.question(_stop_question(wanted))
        if answer != STAY:
            await self._each("stop", wanted, *_STOP_OPTIONS[answer])
        return None

    async def kill(self, runs: Sequence[KnownRun]) -> None:
        """At once, after a question."""
        wanted = _in(runs, UNFINISHED)
        if wanted and await self.sure("Kill", f"{_named(wanted)}: kill now, without time to save?", "kill"):
            await self._each("stop", wanted, "--now")

    async def pause(self, runs: Sequence[KnownRun]) -> None:
        """Pauses what runs; where all that is chosen is paused, continues it."""
        running = _in(runs, ACTIVE - {Status.PAUSED, Status.STOPPING})
        paused = _in(runs, {Status.PAUSED})
        if running:
            await self._each("pause", running)
        elif paused:
            await self._each("continue", paused)
        else:
            self._front.tell("Only what runs can be paused", bad=True)

    async def resume(self, runs: Sequence[KnownRun]) -> None:
        """Ended runs go back to the queue."""
        wanted = _in(runs, ENDED)
        if not wanted:
            return self._front.tell("Only what has ended can be resumed", bad=True)
        return await self._each("resume", wanted, "--detach", one_by_one=True)

    async def retry_failed(self, group: Sequence[KnownRun]) -> None:
        """Of a group what failed goes back to the queue, and nothing else of it."""
        wanted = _in(group, {Status.FAILED, Status.LOST})
        if not group:
            return self._front.tell("No group is under the cursor", bad=True)
        if not wanted:
            return self._front.tell("None of its runs failed", bad=True)
        return await self._each("resume", wanted, "--detach", one_by_one=True)

    async def more_time(self, runs: Sequence[KnownRun]) -> str:
        """Another timebox, counted from the start of the attempt; the answer: `SET` wants another number."""
        wanted = _in(runs, UNFINISHED)
        if not wanted:
            self._front.tell("What has ended needs no time; r resumes it", bad=True)
            return STAY
        answers = [Answer(key=key, shown=key, means=str(more), words=f"+{more} min") for key, more in _MORE_MINUTES]
        answers.append(Answer(key="e", shown="e", means=SET, words="set another number"))
        answers.append(Answer(key="n", shown="n", means="none", words="no limit"))
        answer = await self._front.question(
            Question(title="Time", lines=(f"{_named(wanted)}: how much more?",), answers=answers)
        )
        for one in () if answer in (STAY, SET) else wanted:
            limit = one.run.spec.max_run_seconds if one.run is not None else None
            minutes = "none" if answer == "none" else f"{(limit or 0) / 60 + int(answer):g}"
            if answer == "none" or limit is not None:
                await self._each("edit", [one], "--max-minutes", minutes)
            else:
                self._front.tell(f"{_named([one])} has no limit")
        return answer

    async def move(self, runs: Sequence[KnownRun], by: int) -> None:
        """One queued run sooner or later."""
        waiting = [one for one in runs if one.place is not None]
        if len(waiting) != 1:
            return self._front.tell("Only a run that waits can be moved", bad=True)
        place = max(1, (waiting[0].place or 1) + by)
        self._report(await self._desk.ask("queue", "move", waiting[0].id, "--to", str(place)), quiet=True)
        return None

    async def remove(self, runs: Sequence[KnownRun]) -> None:
        """With log and figures, after a question."""
        wanted = _in(runs, ENDED)
        if not wanted:
            return self._front.tell("Only what has ended can be removed", bad=True)
        if await self.sure("Remove", f"{_named(wanted)}: remove, with log and figures?", "remove; checkpoints stay"):
            await self._each("remove", wanted, "--yes")
        return None

    async def hold(self, *, held: bool) -> None:
        """Holds the queue, or releases it."""
        self._report(await self._desk.ask("queue", "release" if held else "hold"))

    async def stop_all(self, runs: Sequence[KnownRun], *, held: bool) -> bool:
        """Ends all of these, with time to save, the queue being held; whether that was done."""
        if not held and not self._report(await self._desk.ask("queue", "hold"), quiet=True):
            return False
        self._front.tell(f"Stopping {counted(len(runs), 'run')}; leaves when they have ended")
        return self._report(await self._desk.ask("stop", *(one.id for one in runs)), quiet=True)

    async def sure(self, title: str, line: str, words: str) -> bool:
        """Whether a person means it; to press enter without reading is harmless."""
        answer = Answer(key="y", shown="y", means="yes", words=words)
        return await self._front.question(Question(title=title, lines=(line,), answers=(answer,))) != STAY

    async def _each(self, verb: str, runs: Sequence[KnownRun], *options: str, one_by_one: bool = False) -> None:
        ids = [one.id for one in runs]
        for chunk in [[one] for one in ids] if one_by_one else [ids]:
            self._report(await self._desk.ask(verb, *chunk, *options))

    def _report(self, said: Said, *, quiet: bool = False) -> bool:
        if said.words and not (said.done and quiet):
            self._front.tell(said.words, bad=not said.done)
        return said.done


def _in(runs: Iterable[KnownRun], statuses: Iterable[Status]) -> list[KnownRun]:
    wanted = frozenset(statuses)
    return [one for one in runs if one.status in wanted]


def _named(runs: Sequence[KnownRun]) -> str:
    return sanitize(str(runs[0].record["name"])) if len(runs) == 1 else counted(len(runs), "run")


def _stop_question(wanted: Sequence[KnownRun]) -> Question:
    """What waits is taken out of the queue; what runs is given time to save, or none."""
    if all(one.status is Status.QUEUED for one in wanted):
        verb = "waits" if len(wanted) == 1 else "wait"
        out = Answer(key="enter", shown="enter", means="stop", words="take out; r queues again")
        return Question(title="Stop", lines=(f"{_named(wanted)} {verb}: out of the queue?",), answers=(out,))
    return Question(
        title="Stop",
        lines=(f"{_named(wanted)}: stop?", *_stakes(wanted)),
        answers=(
            Answer(key="enter", shown="enter", means="stop", words="stop, with time to save"),
            Answer(key="c", shown="c", means="checkpoint", words="after the next checkpoint, whenever that comes"),
            Answer(key="S", shown="S", means="kill", words="kill now"),
        ),
    )


def _stakes(runs: Sequence[KnownRun]) -> list[str]:
    """Of a single run: where it is, and what is saved."""
    if len(runs) != 1 or runs[0].live is None:
        return []
    live = runs[0].live
    lines = [] if live.step is None else [f"It is at step {live.step:,}."]
    if live.checkpoints:
        newest = live.checkpoints[-1]
        at_step = "" if newest.step is None else f", step {newest.step:,}"
        ago = durations.ago(live.time - newest.saved_at)
        lines.append(f"Saved: {sanitize(newest.path.rpartition('/')[2])}{at_step}, {ago} ago.")
        if newest.step is not None and live.step is not None and live.step > newest.step:
            lines.append(f"The {live.step - newest.step:,} steps since are lost unless it saves when it is stopped.")
    else:
        lines.append("No checkpoint of it is known: all of its work may be lost.")
    return lines
