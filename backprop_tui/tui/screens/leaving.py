"""Leaving with work left: says that it goes on."""

from __future__ import annotations

from backprop_tui.domain.governor.figures import counted
from backprop_tui.domain.status import ACTIVE, Status
from backprop_tui.tui.screens.ask import STAY, Answer, Question
from backprop_tui.tui.screens.front import Front
from backprop_tui.tui.screens.run_actions import RunActions


async def may_leave(screen: Front, runs: RunActions) -> None:
    """Leaves, at once where nothing is left."""
    statuses = [one.status for one in screen.snapshot.runs]
    active = sum(status in ACTIVE for status in statuses)
    waiting = statuses.count(Status.QUEUED)
    if active or waiting:
        answer = await screen.question(leave_question(active, waiting))
        if answer == STAY:
            return
        if answer == "hold" and not screen.snapshot.queue_held:
            await runs.hold(held=False)
    screen.app.exit(0)


def leave_question(active: int, waiting: int) -> Question:
    """What goes on, and the ways to leave."""
    parts = [f"{counted(active, 'run')} {'goes' if active == 1 else 'go'} on"] if active else []
    parts += [f"{waiting} {'waits' if waiting == 1 else 'wait'}"] if waiting else []
    return Question(
        title="Leave",
        lines=(
            " and ".join(parts) + ". They need no window.",
            "A background process keeps the queue and ends when it is done.",
        ),
        answers=(
            Answer(key="enter", shown="enter", means="leave", words="leave, everything goes on"),
            Answer(key="H", shown="H", means="hold", words="leave, but start nothing new (hold the queue)"),
        ),
    )
