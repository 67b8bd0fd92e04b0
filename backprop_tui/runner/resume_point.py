"""Checks the checkpoint that an attempt resumes from once more, before the script is given its path.

Between the end of one slice and the start of the next it may have been deleted, or damaged by a power failure.
"""

from __future__ import annotations

from dataclasses import replace

from backprop_tui.checkpoints.choice import choose
from backprop_tui.domain.errors import StorageFailed
from backprop_tui.domain.run import Run
from backprop_tui.processes.hanging_call import call_within
from backprop_tui.store.run_directory import RunDirectory

CHECK_SECONDS = 2.0  # if the file system does not answer, the checkpoint is used: the script has to wait for it anyway


def verify_resume_checkpoint(directory: RunDirectory, run: Run) -> tuple[Run, str | None]:
    """The run, changed to resume from an older checkpoint if its own is damaged, and a message about that change.

    A path that is not in the record was given by a person, and is used as it is.
    """
    path = run.attempt.resumed_from
    paths = [checkpoint.path for checkpoint in run.checkpoints]
    if path is None or path not in paths:
        return run, None
    candidates = run.checkpoints[: paths.index(path) + 1]
    choice = call_within(CHECK_SECONDS, lambda: choose(candidates))
    if choice is None or not choice.torn:
        return run, None
    resume_from = None if choice.checkpoint is None else choice.checkpoint.path
    run = replace(
        run.with_attempt(replace(run.attempt, resumed_from=resume_from)),
        checkpoints=(*choice.judged, *run.checkpoints[len(candidates) :]),
    )
    message = choice.words().removeprefix(": ")
    try:
        directory.write(run, durable=False)  # before the fork, so that the record matches what the script is given
    except StorageFailed as error:
        message = f"{message} ({error})"
    return run, message
