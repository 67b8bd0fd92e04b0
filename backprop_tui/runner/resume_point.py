"""The checkpoint an attempt goes on from, looked at once more before the script is told of it.

Between the end of one slice and the start of the next a checkpoint may have been deleted, or torn by a power cut.
"""

from __future__ import annotations

from dataclasses import replace

from backprop_tui.domain.errors import StorageFailed
from backprop_tui.domain.run import Run
from backprop_tui.runner.aside import Aside
from backprop_tui.store.checkpoint_choice import Choice, choose
from backprop_tui.store.run_directory import RunDirectory

JUDGE_SECONDS = 2.0  # a file system that does not answer is believed: the script has to wait for it anyway


def verify_resume_checkpoint(directory: RunDirectory, run: Run) -> tuple[Run, str | None]:
    """The run as it is to be started, and what is to be told where it goes on from another checkpoint than was meant.

    What a person named, and no record knows, is left to them.
    """
    meant = run.attempt.resumed_from
    paths = [checkpoint.path for checkpoint in run.checkpoints]
    if meant is None or meant not in paths:
        return run, None
    known = run.checkpoints[: paths.index(meant) + 1]
    answers: list[Choice] = Aside(lambda _now: choose(known)).last(JUDGE_SECONDS)
    if not answers or not answers[0].torn:
        return run, None
    choice = answers[0]
    start = None if choice.checkpoint is None else choice.checkpoint.path
    run = replace(
        run.with_attempt(replace(run.attempt, resumed_from=start)),
        checkpoints=(*choice.judged, *run.checkpoints[len(known) :]),
    )
    words = choice.words().removeprefix(": ")
    try:
        directory.write(run, durable=False)  # before the fork, so that the record says what the script was told
    except StorageFailed as error:
        words = f"{words} ({error})"
    return run, words
