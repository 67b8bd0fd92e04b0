"""Leaving with work left: says that it goes on, and whether it survives a logout."""

from __future__ import annotations

from collections.abc import Sequence

from backprop_tui.domain.formatting import counted
from backprop_tui.domain.status import ACTIVE, Status
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.probes.logout import Logout
from backprop_tui.tui.screens.ask import STAY, Answer, Note, Question
from backprop_tui.tui.screens.front import Front
from backprop_tui.tui.screens.run_actions import RunActions
from backprop_tui.tui.snapshot import Snapshot
from backprop_tui.tui.tokens import Token


async def may_leave(screen: Front, runs: RunActions) -> None:
    """Leaves, at once where nothing is left; a demo ends with its window."""
    now = screen.snapshot
    active = active_here(now)
    if not now.is_demo and (active or _waiting(now)):
        answer = await screen.question(leave_question(now))
        if answer == STAY:
            return
        if answer == "hold" and not now.queue_held:
            await runs.hold(held=False)
        if answer == "stop" and not await _stopped(runs, active, held=now.queue_held):
            return
    screen.app.exit(0)


async def _stopped(runs: RunActions, active: Sequence[KnownRun], *, held: bool) -> bool:
    line = f"Stop {counted(len(active), 'run')}, with time to save, and hold the queue?"
    return await runs.sure("Stop all", line, f"stop all {len(active)}, then leave") and await runs.stop_all(
        active, held=held
    )


def active_here(now: Snapshot) -> list[KnownRun]:
    """What goes on on this machine; other machines' runs are not this one's to stop."""
    return [one for one in now.runs if one.status in ACTIVE and one.record["host"] == now.host]


def _waiting(now: Snapshot) -> int:
    return sum(one.status is Status.QUEUED and one.record["host"] == now.host for one in now.runs)


def leave_question(now: Snapshot) -> Question:
    """What goes on, the ways to leave, and what a logout would do."""
    active, waiting = len(active_here(now)), _waiting(now)
    parts = [f"{counted(active, 'run')} {'goes' if active == 1 else 'go'} on"] if active else []
    parts += [f"{waiting} {'waits' if waiting == 1 else 'wait'}"] if waiting else []
    stays = "the queue stays held" if now.queue_held else "hold the queue"
    answers = [
        Answer(key="enter", shown="enter", means="leave", words="leave, everything goes on"),
        Answer(key="H", shown="H", means="hold", words=f"leave, but start nothing new ({stays})"),
    ]
    if active:
        words = f"stop {'it' if active == 1 else f'all {active}'}, hold the queue, leave; asks once more"
        answers.append(Answer(key="S", shown="S", means="stop", words=words))
    return Question(
        title="Leave",
        lines=(
            " and ".join(parts) + ". They need no window.",
            "A background process keeps the queue until all is done.",
        ),
        answers=answers,
        notes=_notes(now.logout),
    )


def _notes(logout: Logout | None) -> list[Note]:
    if logout is None:
        return []
    if logout.survives:
        return [Note(word="done", text=f"runs survive logout on this machine ({logout.words})", token=Token.OK)]
    words = f"logging out ends them on this machine ({logout.words}); mended by: {logout.mend}"
    return [Note(word="conservative", text=words, token=Token.WARN)]
