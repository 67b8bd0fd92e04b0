"""What front ends ask of Slurm: whether a run could ever start, and another time limit for its job."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from backprop_tui.client.session import ClientSession
from backprop_tui.domain.errors import BackpropError, SlurmRefused, UsageError
from backprop_tui.domain.formatting import minutes
from backprop_tui.domain.run import SLURM, Ended, Queued, Run

if TYPE_CHECKING:
    from backprop_tui.launchers.slurm import Slurm


def slurm(environment: Mapping[str, str]) -> Slurm:
    from backprop_tui.launchers.slurm import Slurm  # only Slurm runs need it

    return Slurm(environment=environment)


def check_with_slurm(run: Run, environment: Mapping[str, str]) -> None:
    """Refuses a Slurm run that its cluster could never start. Raises: SlurmRefused, SlurmUnavailable."""
    if run.spec.launcher == SLURM:
        slurm(environment).check(run)


def submit_now(session: ClientSession, run_id: str) -> None:
    """Submits a new run where no supervisor lives, which would take longer to start than Slurm to answer.

    Whatever keeps the run from being submitted is left to the supervisor that is called next.
    """
    if session.supervisor.is_alive() or os.path.exists(session.home.queue_held):
        return
    from backprop_tui.engine.slurm_queue import SlurmQueue  # only Slurm runs need it

    with suppress(BackpropError):
        SlurmQueue(home=session.home, config_path=session.config_path).submit(run_id)


def follow_timebox(run: Run, max_run_seconds: float | None, environment: Mapping[str, str]) -> None:
    """Gives the job of a run, waiting or running, the time limit that belongs to another timebox.

    Raises: UsageError with Slurm's words, if that does not allow a longer one; SlurmUnavailable.
    """
    job = None if isinstance(run.state, Ended) else run.job
    is_current = job is not None and job.attempt == len(run.attempts) + isinstance(run.state, Queued)
    if job is None or job.id is None or not is_current:
        return
    from backprop_tui.launchers.slurm import limit_minutes

    changed = replace(run, spec=replace(run.spec, max_run_seconds=max_run_seconds))
    before, after = limit_minutes(run), limit_minutes(changed)
    if after == before:
        return
    try:
        slurm(environment).set_time_limit(job.id, after)
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


def release_job(run: Run, environment: Mapping[str, str]) -> str:
    """Lets the job of a run start that somebody holds; returns its id. Raises: SlurmRefused, SlurmUnavailable."""
    job = run.submitted_job
    if job is None or job.id is None:
        raise UsageError(f"run {run.id} has no job that waits", "backprop-tui status shows what it waits for")
    slurm(environment).release(job.id)
    return job.id
