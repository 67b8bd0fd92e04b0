"""What front ends ask of Slurm: whether a run could ever start, and another time limit for its job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from backprop_tui.domain.errors import SlurmRefused, UsageError
from backprop_tui.domain.formatting import minutes
from backprop_tui.domain.run import SLURM, Ended, Queued, Run
from backprop_tui.store.run_directory import RunDirectory


def check_with_slurm(run: Run, environment: Mapping[str, str]) -> None:
    """Refuses a Slurm run that its cluster could never start. Raises: SlurmRefused, SlurmUnavailable."""
    if run.spec.launcher == SLURM:
        from backprop_tui.launchers.slurm import Slurm  # only Slurm runs need it

        Slurm(environment=environment).check(run)


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


def release_job(run: Run, directory: RunDirectory) -> str:
    """Lets the job of a run start that somebody holds; returns its id. Raises: SlurmRefused, SlurmUnavailable."""
    job = run.submitted_job
    if job is None or job.id is None:
        raise UsageError(f"run {run.id} has no job that waits", "backprop-tui status shows what it waits for")
    from backprop_tui.launchers.slurm import slurm_of

    slurm_of(directory).release(job.id)
    return job.id
