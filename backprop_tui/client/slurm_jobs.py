"""What front ends ask of Slurm: whether a run could ever start, and another time limit or other options for its job."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace

from backprop_tui.client.session import ClientSession
from backprop_tui.domain.errors import BackpropError, SlurmRefused, UsageError
from backprop_tui.domain.formatting import minutes
from backprop_tui.domain.requests import EditRequest
from backprop_tui.domain.run import SLURM, Ended, Queued, Run
from backprop_tui.domain.run_changes import apply_edit
from backprop_tui.domain.slurm import SlurmOptions, as_options, given_options, taken_options, update_words
from backprop_tui.store.hosts import may_write_here
from backprop_tui.store.run_directory import RunDirectory


def check_with_slurm(session: ClientSession, run: Run, environment: Mapping[str, str]) -> None:
    """Refuses a Slurm run that its cluster could never start. Raises: SlurmRefused, SlurmUnavailable."""
    ask_slurm(session, run, environment)()


def ask_slurm(session: ClientSession, run: Run, environment: Mapping[str, str]) -> Callable[[], object]:
    """Asks what `check_with_slurm` does; the result waits for the answer."""
    if run.spec.launcher != SLURM:
        return lambda: None
    from backprop_tui.launchers.slurm import ANSWER_SECONDS, Slurm  # only Slurm runs need it

    words = f"Slurm has not answered yet; waiting for {ANSWER_SECONDS:g} seconds at most"
    return Slurm(environment=environment, late=lambda: session.warn_once(words)).ask(run)


def submit_now(session: ClientSession, run_id: str) -> None:
    """Submits a run that was just queued, as the holder of its lock: a supervisor would have to be woken for it.

    Whatever keeps the run from being submitted is left to the supervisor that is called next.
    """
    if os.path.exists(session.home.queue_held):
        return
    from backprop_tui.launchers.slurm import submit_next_job  # only Slurm runs need it

    directory = RunDirectory(session.home.run_folder(run_id))
    with suppress(BackpropError):
        lock = directory.try_lock()
        if lock is None:
            return
        with lock:
            run = directory.read()
            is_simple = not (run.spec.after or directory.requests_after(run.requests_offset)[0])
            if not is_simple or not may_write_here(session.home, run):
                return
            try:
                submit_next_job(directory, run, session.home, session.config_path)
            except SlurmRefused as error:
                from backprop_tui.engine.slurm_queue import record_refusal

                record_refusal(directory, run, error)


def follow_timebox(run: Run, max_run_seconds: float | None, directory: RunDirectory) -> None:
    """Gives the job of a run, waiting or running, the time limit that belongs to another timebox.

    Raises: UsageError with Slurm's words, if that does not allow a longer one; SlurmUnavailable.
    """
    job = None if isinstance(run.state, Ended) else run.job
    is_current = job is not None and job.attempt == len(run.attempts) + isinstance(run.state, Queued)
    if job is None or job.id is None or not is_current:
        return
    from backprop_tui.launchers.slurm import limit_minutes, slurm_of

    changed = replace(run, spec=replace(run.spec, max_run_seconds=max_run_seconds))
    before, after = limit_minutes(run), limit_minutes(changed)
    if after == before:
        return
    try:
        slurm_of(directory).set_time_limit(job.id, after)
    except SlurmRefused as error:
        if before is not None and after is not None and after < before:
            return  # the timebox ends the run before its job
        raise UsageError(
            f"-m: the time limit of Slurm job {job.id} cannot be raised: {error.message}",
            _instead(run, max_run_seconds),
        ) from error


def _instead(run: Run, max_run_seconds: float | None) -> str:
    limit = "none" if max_run_seconds is None else minutes(max_run_seconds)
    again = f"backprop-tui stop {run.id}, then backprop-tui resume {run.id} -m {limit}"
    return f"a new job may have it: {again}" + (
        "" if isinstance(run.state, Queued) else ", which goes on from its newest checkpoint"
    )


def refusal_of_options(options: SlurmOptions | None, run: Run) -> UsageError | None:
    """Why a run cannot be given other options for its job; None if it can."""
    if options is None or (run.spec.launcher == SLURM and isinstance(run.state, Queued)):
        return None
    given = as_options(options)
    if run.spec.launcher != SLURM:
        return UsageError(f"{given}: run {run.id} is not for Slurm", "only jobs of a cluster have these options")
    stop = "" if isinstance(run.state, Ended) else f"backprop-tui stop {run.id}, then "
    again = f"for a new job: {stop}backprop-tui resume {run.id} {given}"
    return UsageError(f"{given}: run {run.id} is {run.status}, and does not wait for its job", again)


class OptionsRefused(UsageError):
    """Slurm refused options for a job; it has given it `taken` of them all the same."""

    def __init__(self, message: str, hint: str | None, taken: SlurmOptions) -> None:
        super().__init__(message, hint)
        self.taken = taken


def change_options(run: Run, options: SlurmOptions, directory: RunDirectory) -> None:
    """Gives a run that waits other options: asks Slurm whether they are possible, and changes a submitted job.

    Raises: OptionsRefused with Slurm's words; SlurmUnavailable.
    """
    from backprop_tui.launchers.slurm import slurm_of

    given, job = as_options(options), run.submitted_job
    again = f"a new job may have them: backprop-tui stop {run.id}, then backprop-tui resume {run.id} {given}"
    if job is not None and options.extra:
        raise UsageError(f"--slurm-extra: run {run.id} is submitted as Slurm job {job.id}", again)
    slurm, job_id = slurm_of(directory), None if job is None else job.id
    before: dict[str, str] = {}
    try:
        slurm.check(apply_edit(run, EditRequest(slurm=options)))
        if job_id is not None:
            before = slurm.job_fields(job_id)
            slurm.change(job_id, update_words(options, gpus=run.spec.gpus))
    except SlurmRefused as error:
        taken = taken_options(options, before, slurm.job_fields(job_id) if job_id is not None and before else {})
        has_now = f". Slurm job {job_id} has {as_options(taken)} all the same" if given_options(taken) else ""
        message = f"{given}: {error.message}{has_now}"
        raise OptionsRefused(message, again if job is not None else None, taken) from error


def release_job(run: Run, directory: RunDirectory) -> str:
    """Lets the job of a run start that somebody holds; returns its id. Raises: SlurmRefused, SlurmUnavailable."""
    job = run.submitted_job
    if job is None or job.id is None:
        raise UsageError(f"run {run.id} has no job that waits", "backprop-tui status shows what it waits for")
    from backprop_tui.launchers.slurm import slurm_of

    slurm_of(directory).release(job.id)
    return job.id


def suspension(run: Run, directory: RunDirectory) -> str | None:
    """That Slurm has suspended the job of a run, so that nothing there can follow a request; None if it has not."""
    if run.job is None:
        return None
    from backprop_tui.launchers.slurm import slurm_of

    try:
        report = slurm_of(directory).job_of(run.id, run.job)
    except BackpropError:
        return None
    is_suspended = report is not None and report.state == "SUSPENDED"
    return f"Slurm has suspended job {run.job.id}; scontrol resume {run.job.id} ends that" if is_suspended else None
