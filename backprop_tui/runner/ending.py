"""The end of an attempt: sweep what is left, read the log to its end, write the outcome until it is written."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from backprop_tui.domain.causes.losses import cause_of_loss
from backprop_tui.domain.causes.making import made
from backprop_tui.domain.causes.ours import cause_of_our_stop
from backprop_tui.domain.causes.registry import cause_of_failure
from backprop_tui.domain.errors import StorageFailed
from backprop_tui.domain.lifecycle import Outcome, conclude, fold, retry_after
from backprop_tui.domain.live import Live, Stopping
from backprop_tui.domain.retries import NotAgain
from backprop_tui.domain.run import Cause, Checkpoint, Ended, Run
from backprop_tui.domain.status import Status
from backprop_tui.runner.aside import Aside
from backprop_tui.runner.evidence import FailureContext
from backprop_tui.runner.recorder import Recorder
from backprop_tui.runner.script import CannotStart
from backprop_tui.runner.watched import Exit
from backprop_tui.store.checkpoint_choice import Choice, choose, choose_unseen
from backprop_tui.store.run_directory import RunDirectory

WRITE_AGAIN_SECONDS = 1.0
JUDGE_SECONDS = 5.0
CAUSE_SECONDS = 10.0


def outcome_of(exit_: Exit, stopping: Stopping | None, scene: FailureContext) -> Outcome:
    """What the end means. After a signal of ours it is never a failure, whatever the script made of it."""
    signal_name = None if exit_.signal is None else signal_name_of(exit_.signal)
    if stopping is not None:
        return Outcome(
            status=stopping.status,
            exit_code=exit_.code,
            signal=signal_name,
            reason=stopping.reason,
            cause=cause_of_our_stop(stopping),
            is_final=scene.live.is_final,
        )
    if not exit_.is_known:
        reason = "ended without an exit status that anyone saw"
        cause = _found_out(lambda: cause_of_loss(reason, scene.clues(exit_code=None, signal=None)), reason)
        return Outcome(status=Status.LOST, reason=reason, cause=cause)
    if exit_.code == 0:
        return Outcome(status=Status.COMPLETED, exit_code=0)
    ended = f"exit code {exit_.code}" if signal_name is None else f"killed by {signal_name}"
    cause = _found_out(lambda: cause_of_failure(scene.clues(exit_code=exit_.code, signal=signal_name)), ended)
    return Outcome(
        status=Status.FAILED,
        exit_code=exit_.code,
        signal=signal_name,
        reason=cause.summary,
        cause=cause,
        is_final=scene.live.is_final,
    )


def _found_out(find: Callable[[], Cause], ended: str) -> Cause:
    """Looks for the cause in a thread: neither a file system that hangs nor a fault in the search may lose the end."""
    found = Aside(lambda _now: find()).last(CAUSE_SECONDS)
    if found:
        return found[0]
    return made("unknown", evidence=ended, summary=ended, advice="read the end of the log", retryable=True)


def outcome_of_failed_start(failure: CannotStart) -> Outcome:
    """The program could not be executed at all."""
    reason = f"cannot start {failure.what}: {failure.problem}"
    cause = made(
        "file_not_found" if failure.not_found else "unknown",
        evidence=reason,
        summary=reason,
        advice="check that it exists and is executable; --cwd and --python choose others",
        retryable=not failure.not_found,
    )
    return Outcome(status=Status.FAILED, reason=reason, cause=cause)


def signal_name_of(number: int) -> str:
    """SIGKILL for 9; real-time signals by number."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIG{number}"


def write_end(directory: RunDirectory, run: Run, live: Live, outcome: Outcome, recorder: Recorder) -> Run:
    """Writes the end durably; while the disk is full it stays and tries again, for no end may be lost.

    Raises:
        StorageFailed: the run's directory was removed.
    """
    run = fold(run, live)
    choice = _choose(run.checkpoints)
    run = replace(run, checkpoints=choice.judged)
    checkpoint = choice.checkpoint
    while True:
        now = time.time()
        concluded = conclude(run, outcome, now=now, resume_from=None if checkpoint is None else checkpoint.path)
        try:
            directory.write(concluded, durable=True)
        except StorageFailed as error:
            if not os.path.isdir(directory.path):
                raise  # somebody removed the run: there is nothing left to write into
            recorder.change(problem=f"the end cannot be written: {error}")
            time.sleep(WRITE_AGAIN_SECONDS)
            continue
        _tell_end(recorder, concluded, outcome, choice)
        return concluded


def _choose(checkpoints: Sequence[Checkpoint]) -> Choice:
    """Judges them in a thread: a file system that hangs must not hold up the end."""
    answers = Aside(lambda _now: choose(checkpoints)).last(JUDGE_SECONDS)
    return answers[0] if answers else choose_unseen(checkpoints)


def _tell_end(recorder: Recorder, run: Run, outcome: Outcome, choice: Choice) -> None:
    recorder.tell(
        "ended" if isinstance(run.state, Ended) else "attempt_ended",
        outcome.reason or outcome.status,
        status=outcome.status,
        exit_code=outcome.exit_code,
        signal=outcome.signal,
    )
    again = retry_after(run, outcome)
    if isinstance(again, NotAgain):
        recorder.tell("not_retried", again.reason)
    if not isinstance(run.state, Ended):
        recorder.tell("queued", f"{run.state.reason or 'queued again'}{choice.words()}")  # type: ignore[union-attr]
