"""Slurm's command line, which is the whole interface to it: sbatch, squeue, scontrol and scancel."""

from __future__ import annotations

import errno
import math
import os
import re
import shlex
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from backprop_tui.domain.errors import BackpropError, SlurmRefused, SlurmUnavailable, UsageError
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.lifecycle import timebox_seconds
from backprop_tui.domain.run import Queued, Run
from backprop_tui.domain.slurm import (
    KILL_SECONDS,
    MARGIN_SECONDS,
    QUEUE_FORMAT,
    JobReport,
    SlurmJob,
    job_fields,
    job_name,
    job_options,
    parse_job,
    parse_queue,
)
from backprop_tui.processes.detached_log import note
from backprop_tui.processes.programs import on_path
from backprop_tui.processes.spawned import Spawned
from backprop_tui.processes.users import ALLOW_SHARED
from backprop_tui.store.home import Home
from backprop_tui.store.run_directory import RunDirectory

ANSWER_SECONDS = 30.0
KILL_WAIT_SECONDS = 30.0  # Slurm's default
_PROGRAM = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "slurm_job.py")


def is_installed(environment: Mapping[str, str] | None = None) -> bool:
    """Whether sbatch is on PATH."""
    return next(on_path("sbatch", os.environ if environment is None else environment), None) is not None


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Slurm:
    """The commands, with the environment they run in: PATH, SLURM_CONF and the user's SBATCH_ variables."""

    environment: Mapping[str, str]
    late: Callable[[], None] = lambda: None  # called when an answer takes long

    @property
    def cluster(self) -> tuple[str, ...]:
        """What decides which cluster these commands reach."""
        return tuple(self.environment.get(name, "") for name in _CLUSTER)

    def check(self, run: Run) -> str:
        """When and where the run would start, in Slurm's words, which a site's plugin may leave out.

        Raises: SlurmRefused, if it could never start; SlurmUnavailable.
        """
        return self.ask(run)()

    def ask(self, run: Run) -> Callable[[], str]:
        """Asks what `check` answers; the result waits for the answer. Raises: UsageError, SlurmUnavailable."""
        clusters = self.environment.get("SBATCH_CLUSTERS")
        if clusters and clusters != self.environment.get("SLURM_CLUSTERS"):
            raise UsageError(
                f"SBATCH_CLUSTERS={clusters}: only sbatch reads it", "set SLURM_CLUSTERS, which squeue reads, too"
            )
        if run.spec.slurm.extra:
            from backprop_tui.domain.slurm_extra import check_extra  # rarely needed

            check_extra(run.spec.slurm.extra)
        answer = self._start("sbatch", ["--test-only", *options_of(run)], script="#!/bin/sh\n", errors=True)
        return lambda: answer().strip().removeprefix("sbatch: ")

    def submit(self, run: Run, run_folder: str, home: Home, config_path: str, *, after: Sequence[str] = ()) -> str:
        """Submits the job for the run's next attempt, held: it starts after `release`. Returns the job's id.

        `after` are dependencies as sbatch takes them. Raises: SlurmRefused, SlurmUnavailable.
        """
        number = run.next_job_number
        words = [sys.executable, "-I", "-S", "-X", "utf8", _PROGRAM, home.root, run.id, str(number), config_path]
        options = [
            *("--parsable", "--hold", f"--job-name={job_name(run.id, run.name, number)}", "--chdir=/"),
            *(f"--output={run_folder}/slurm-{number}.log", "--open-mode=append"),
            "--no-requeue",  # another attempt is another job, whose record is written before it can start
            *([f"--dependency={','.join(after)}"] if after else []),
            *_begin(run),
            *options_of(run),
        ]
        answer = self._call("sbatch", options, script=f"#!/bin/sh\nexec {shlex.join(words)}\n")
        job_id = re.search(r"^(\d+)(?:;.*)?\s*\Z", answer, re.MULTILINE)  # a site's sbatch may print more before it
        if job_id is None:
            raise SlurmUnavailable(f"sbatch printed no job id: {answer.strip() or 'nothing at all'}")
        return job_id[1]

    def release(self, job_id: str) -> None:
        """Lets a job start that was submitted held; does nothing to one that was released."""
        self._call("scontrol", ["release", job_id])

    def queue(self) -> Mapping[str, JobReport]:
        """All jobs of this user that have not left the queue, by id. Raises: SlurmUnavailable, SlurmRefused."""
        return parse_queue(self._ask("squeue", ["-h", "-u", str(os.getuid()), "-o", QUEUE_FORMAT]))

    def job(self, job_id: str) -> JobReport | None:
        """One job, for some minutes after its end too; None if Slurm has forgotten it. Raises: SlurmUnavailable."""
        return parse_job(self._shown_job(job_id))

    def job_fields(self, job_id: str) -> dict[str, str]:
        """What a job has, as scontrol shows it; empty if Slurm has forgotten it. Raises: SlurmUnavailable."""
        return job_fields(self._shown_job(job_id))

    def _shown_job(self, job_id: str) -> str:
        try:
            return self._ask("scontrol", ["show", "job", "-o", job_id])
        except SlurmRefused:
            return ""

    def job_of(self, run_id: str, job: SlurmJob) -> JobReport | None:
        """The job of an attempt; None if Slurm has forgotten it: it may have given the id to another job."""
        report = None if job.id is None else self.job(job.id)
        return report if report is not None and report.carries(run_id, job.number) else None

    def cancel(self, run_id: str, job: SlurmJob) -> None:
        """Ends the job of an attempt, if it is still there. Raises: SlurmRefused, SlurmUnavailable."""
        report = self.job_of(run_id, job)
        if report is not None:
            self._call("scancel", [report.id])

    def kill_seconds(self) -> float:
        """How long after SIGTERM Slurm kills a job that it ends. Raises: SlurmUnavailable, SlurmRefused."""
        digits = re.match(r"\d+", self.setting("KillWait"))
        return float(digits[0]) if digits is not None else KILL_WAIT_SECONDS

    def setting(self, name: str) -> str:
        """A setting of the cluster; empty if scontrol shows none. Raises: SlurmUnavailable, SlurmRefused."""
        shown = self._ask("scontrol", ["show", "config"])
        match = re.search(rf"^{name}\s*=[^\S\n]*(.*?)\s*$", shown, re.MULTILINE)
        return "" if match is None else match[1]

    def set_time_limit(self, job_id: str, minutes: int | None) -> None:
        """Sets the time limit of a job that waits or runs; None is the longest that Slurm has."""
        self.change(job_id, [f"TimeLimit={'UNLIMITED' if minutes is None else minutes}"])

    def change(self, job_id: str, words: Sequence[str]) -> None:
        """Gives a job that waits other options, such as Partition=short.

        Raises: SlurmRefused, and then the job may have some of them; SlurmUnavailable.
        """
        self._call("scontrol", ["update", f"JobId={job_id}", *words])

    def partitions(self) -> list[str]:
        """The partitions that this user may use: `main (default)`, `short, 01:00:00 at most`, `old, down`."""
        lines = self._ask("scontrol", ["show", "partition", "-o"]).splitlines()
        return [partition_words(line) for line in lines if line.startswith("PartitionName=")]

    def _call(self, program: str, arguments: Sequence[str], *, script: str = "") -> str:
        """Its output. Raises: SlurmRefused, SlurmUnavailable."""
        return self._start(program, arguments, script=script)()

    def _ask(self, program: str, arguments: Sequence[str]) -> str:
        """The same for a command that changes nothing: it does not outlive this process, which may be killed."""
        return self._start(program, arguments, bound=True)()

    def _start(
        self, program: str, arguments: Sequence[str], *, script: str = "", errors: bool = False, bound: bool = False
    ) -> Callable[[], str]:
        """Starts a command; the result waits for its output, with `errors` for that to stderr too.

        A `bound` one is killed with this thread.
        """
        variables = {name: value for name, value in self.environment.items() if _is_passed(name)} | {"LC_ALL": "C"}
        try:
            path = next(on_path(program, self.environment), None)
            if path is None:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
            process = Spawned(path, arguments, variables, script.encode("utf-8", "surrogateescape"), bound=bound)
        except OSError as error:
            hint = "log in to a machine of the cluster, or use --launcher local"
            raise SlurmUnavailable(f"{program}: {error.strerror}: Slurm is not installed here", hint) from error
        return partial(_answer, process, program, errors=errors, late=self.late)


def _answer(process: Spawned, program: str, *, errors: bool, late: Callable[[], None]) -> str:
    finished = process.finish(ANSWER_SECONDS, late=late)
    if finished is None:
        raise SlurmUnavailable(f"{program} did not answer within {ANSWER_SECONDS:g} seconds")
    output, complaints = (text.decode(errors="replace") for text in (finished.output, finished.errors))
    if finished.code == 0:
        return output + (complaints if errors else "")
    raise _failure(program, complaints or output)


def submit_next_job(
    directory: RunDirectory, run: Run, home: Home, config_path: str, *, after: Sequence[str] = ()
) -> Run:
    """Submits the job of a run's next attempt, records its id, then lets it start; returns the run with that job.

    Killed in between, the next pass of a supervisor continues there. The caller holds the run's lock.
    Raises: SlurmRefused; SlurmUnavailable, then the job may exist nevertheless.
    """
    slurm, number = Slurm(environment=directory.read_environment()), run.next_job_number
    directory.announce_job(number)
    job_id = slurm.submit(run, directory.path, home, config_path, after=after)
    job = next_job(run, home.host, job_id)
    run = replace(run, job=job)
    directory.write(run, durable=True)
    release_recorded(slurm, directory, job)
    return run


def next_job(run: Run, host: str, job_id: str) -> SlurmJob:
    """The job of the run's next attempt, which was submitted from this host."""
    attempt, number = len(run.attempts) + 1, run.next_job_number
    return SlurmJob(host=host, attempt=attempt, number=number, submitted_at=time.time(), id=job_id)


def release_recorded(slurm: Slurm, directory: RunDirectory, job: SlurmJob) -> None:
    """Lets a job start whose id is in the record. Of one that was cancelled meanwhile the next pass finds the end."""
    try:
        slurm.release(job.id or "")
    except SlurmRefused as error:
        note(str(error))
        return
    directory.append_event("submitted", f"Slurm job {job.id}", time=job.submitted_at, job=job.id)


def slurm_of(directory: RunDirectory) -> Slurm:
    """The commands with a run's environment, which has the way to its cluster; this process's if that is gone."""
    try:
        return Slurm(environment=directory.read_environment())
    except BackpropError:
        return Slurm(environment=os.environ)


def _begin(run: Run) -> list[str]:
    """The option for a run that waits after a failure: Slurm waits, so that nobody else has to."""
    not_before = run.state.not_before if isinstance(run.state, Queued) else None
    seconds = 0.0 if not_before is None else not_before - time.time()
    return [f"--begin=now+{math.ceil(seconds)}"] if seconds > 0 else []


def partition_words(line: str) -> str:
    """A line of `scontrol show partition -o` in words."""
    fields = job_fields(line)
    limit, state = fields.get("MaxTime", ""), fields.get("State", "UP")
    default = " (default)" if fields.get("Default") == "YES" else ""
    longest = "" if limit in ("", "UNLIMITED", "NONE") else f", {limit} at most"
    return fields.get("PartitionName", "") + default + longest + ("" if state == "UP" else f", {state.lower()}")


def options_of(run: Run) -> list[str]:
    """The options of sbatch for a run's resources and its time limit."""
    minutes = limit_minutes(run)
    return job_options(run.spec.slurm, gpus=run.spec.gpus, limit_minutes=minutes)


def limit_minutes(run: Run) -> int | None:
    """The time limit of a run's job, some minutes behind its timebox; None if it has none."""
    limit = timebox_seconds(run)
    seconds = None if limit is None else limit + run.spec.stop.grace_seconds + KILL_SECONDS + MARGIN_SECONDS
    return None if seconds is None else math.ceil(seconds / 60)


# What Slurm's commands need, and what a job then starts with. A script gets the run's environment instead. `--export`
# would keep more out, but with it slurmd reads the login environment first, which takes half a second and more.
_NOT_PASSED = frozenset({"SBATCH_ARRAY_INX", "SBATCH_WAIT"})  # a run is one job, and no command waits for its end
_CLUSTER = ("PATH", "SLURM_CONF", "SLURM_CLUSTERS")
_PASSED = frozenset({*_CLUSTER, "HOME", "USER", "LOGNAME", "LD_LIBRARY_PATH", "TZ", ALLOW_SHARED})


def _is_passed(name: str) -> bool:
    return name in _PASSED or (name.startswith("SBATCH_") and name not in _NOT_PASSED)


_UNREACHABLE = ("Unable to contact slurm controller", "Connection refused", "Zero Bytes were transmitted", "timed out")


def _failure(program: str, output: str) -> SlurmRefused | SlurmUnavailable:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    words = "; ".join(re.sub(rf"^(\S*/)?{program}: (error: )?", "", line).removeprefix("error: ") for line in lines)
    if any(sign in words for sign in _UNREACHABLE):
        return SlurmUnavailable(f"{program}: {words}", "the controller of the cluster does not answer; try again later")
    return SlurmRefused(f"{program}: {words or 'failed without a message'}")
