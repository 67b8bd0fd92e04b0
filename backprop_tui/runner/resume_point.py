"""The checkpoint an attempt goes on from, looked at once more before the script is told of it.

Between the end of one slice and the start of the next a checkpoint may have been deleted, or torn by a power cut.
"""

from __future__ import annotations

from dataclasses import replace

from backprop_tui.checkpoints.choice import choose
from backprop_tui.domain.errors import StorageFailed
from backprop_tui.domain.run import Run
from backprop_tui.processes.hanging_call import call_within
from backprop_tui.store.run_directory import RunDirectory

JUDGE_SECONDS = 2.0  # a file system that does not answer is believed: the script has to wait for it anyway


def with_sound_start(directory: RunDirectory, run: Run) -> tuple[Run, str | None]:
    """The run as it is to be started, and what is to be told where it goes on from another checkpoint than was meant.

    What a person named, and no record knows, is left to them.
    """
    meant = run.attempt.resumed_from
    paths = [checkpoint.path for checkpoint in run.checkpoints]
    if meant is None or meant not in paths:
        return run, None
    known = run.checkpoints[: paths.index(meant) + 1]
    choice = call_within(JUDGE_SECONDS, lambda: choose(known))
    if choice is None or not choice.torn:
        return run, None
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
