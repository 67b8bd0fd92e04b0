"""A run on a Slurm cluster: what its job asks for, which job carries an attempt, and what Slurm says about a job.

Source: squeue(1), sbatch(1) and scontrol(1) of Slurm 22.05.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Mapping
from dataclasses import fields
from enum import StrEnum
from functools import lru_cache
from typing import Any

from backprop_tui.domain.lazy_dataclass import lazy_dataclass

MARGIN_SECONDS = 300.0  # Slurm looks at time limits every 30 s and ends a job later still: ours come first
KILL_SECONDS = 5.0
_NAME_LENGTH = 40


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class SlurmOptions:
    """What the job of a run asks for, as sbatch takes it; None: what the site gives by default.

    `gres` is the kind of GPU, such as "gpu:a100", or a whole request such as "gpu:a100:2,nvme". `extra` are more
    options of sbatch, which come last and override the others.
    """

    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    gres: str | None = None
    cpus: int | None = None
    memory_gb: float | None = None
    extra: tuple[str, ...] = ()


def given_options(options: SlurmOptions) -> dict[str, Any]:
    """Those that are set, by name."""
    values = {field.name: getattr(options, field.name) for field in fields(SlurmOptions)}
    return {name: value for name, value in values.items() if value not in (None, ())}


def as_options(options: SlurmOptions) -> str:
    """`--slurm-partition short --slurm-cpus 2`: what to type to give them to a run."""
    words = []
    for name, value in given_options(options).items():
        option = f"--slurm-{name.replace('_', '-')}"
        words += [f"{option}={shlex.quote(word)}" for word in value] if name == "extra" else [f"{option} {value}"]
    return " ".join(words)


def update_words(options: SlurmOptions, *, gpus: int | None) -> list[str]:
    """What scontrol takes to give a job that waits these options; it takes no `extra`."""
    values = {
        "Partition": options.partition,
        "Account": options.account,
        "QOS": options.qos,
        "Features": options.constraint,
        **dict.fromkeys(("NumCPUs", "CPUsPerTask", "MinCPUsNode"), options.cpus),
        "MinMemoryNode": None if options.memory_gb is None else math.ceil(options.memory_gb * 1024),
        "Gres": None if options.gres is None else _gres(options.gres, gpus),
    }
    return [f"{name}={value}" for name, value in values.items() if value is not None]


_SHOWN_AS = {
    "partition": ("Partition",),
    "account": ("Account",),
    "qos": ("QOS",),
    "constraint": ("Features",),
    "cpus": ("NumCPUs", "MinCPUsNode"),
    "memory_gb": ("MinMemoryNode",),
    "gres": ("TresPerNode",),
}


def taken_options(options: SlurmOptions, before: Mapping[str, str], after: Mapping[str, str]) -> SlurmOptions:
    """Those that Slurm gave to a job, by the fields that scontrol showed before and after: it may refuse the others."""
    return SlurmOptions(
        **{
            name: value
            for name, value in given_options(options).items()
            if any(before.get(field) != after.get(field) for field in _SHOWN_AS.get(name, ()))
        }
    )


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class SlurmJob:
    """The job that carries attempt `attempt`, submitted from the machine `host`; `id` is None until sbatch answers.

    `number` counts the jobs of the run. An attempt may have several, if a job ends before it starts the script.
    """

    host: str
    attempt: int
    number: int
    submitted_at: float
    id: str | None = None


def job_name(run_id: str, run_name: str, number: int) -> str:
    """The name of a job, as squeue shows it; it ends with the run and the number of its job, which no other has."""
    readable = re.sub(r"[^A-Za-z0-9_.=+-]+", "_", run_name)[:_NAME_LENGTH]
    return readable + _name_ending(run_id, number)


def _name_ending(run_id: str, number: int) -> str:
    return f"-{run_id}-{number}"


def job_options(options: SlurmOptions, *, gpus: int | None, limit_minutes: int | None) -> list[str]:
    """The options of sbatch for the resources and the time limit of a job; `limit_minutes` None is the partition's."""
    words = [
        f"--{name}={value}"
        for name, value in (
            ("partition", options.partition),
            ("account", options.account),
            ("qos", options.qos),
            ("constraint", options.constraint),
            ("cpus-per-task", options.cpus),
            ("mem", None if options.memory_gb is None else f"{math.ceil(options.memory_gb * 1024)}M"),
            ("gres", _gres(options.gres, gpus)),
            ("time", limit_minutes),
        )
        if value is not None
    ]
    return [*words, *options.extra]


def _gres(kind: str | None, gpus: int | None) -> str | None:
    """`gpu:2`; with a kind `gpu:a100:2`. A request is kept but for the number of GPUs that a run asks for."""
    if gpus is None:
        return kind
    parts = [] if kind is None else kind.split(",")
    of_gpus = [part for part in parts if part.removeprefix("gres/").partition(":")[0] == "gpu"]
    others = [part for part in parts if part not in of_gpus]
    if gpus > 0:
        base = re.sub(r":\d+$", "", of_gpus[0]) if of_gpus else "gpu"
        others.insert(0, f"{base}:{gpus}")
    return ",".join(others) or None


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class JobReport:
    """A job as squeue or scontrol shows it; times are as Slurm prints them, None if it names none."""

    id: str
    state: str
    reason: str | None = None
    node: str | None = None
    start: str | None = None
    name: str = ""
    preempted: bool = False  # its end was announced to it
    killed: bool = False  # its program was killed by a signal
    restarts: int = 0  # how often it was queued again
    end: str | None = None  # when Slurm ends it at the latest

    def carries(self, run_id: str, number: int) -> bool:
        """Whether it is the job of this number of the run, by its name."""
        return self.name.endswith(_name_ending(run_id, number))

    @property
    def is_held(self) -> bool:
        """Whether it was submitted held, or its user holds it."""
        return self.reason == "JobHeldUser"

    @property
    def is_over(self) -> bool:
        """Whether Slurm has ended the job, or is about to remove what is left of it."""
        return self.state not in _LIVING


_LIVING = frozenset({"PENDING", "CONFIGURING", "RUNNING", "SUSPENDED", "REQUEUED", "RESIZING", "SIGNALING", "STOPPED"})

QUEUE_FORMAT = "%i|%T|%r|%N|%S|%j"


@lru_cache(maxsize=2)  # mostly the same for minutes
def parse_queue(text: str) -> Mapping[str, JobReport]:
    """The jobs in the output of `squeue -h -o QUEUE_FORMAT`, by id; lines of another form are left out."""
    return {job.id: job for job in map(_parse_line, text.splitlines()) if job is not None}


@lru_cache(maxsize=16384)  # most lines are as they were some seconds ago
def _parse_line(line: str) -> JobReport | None:
    fields = line.split("|", QUEUE_FORMAT.count("|"))
    if len(fields) <= QUEUE_FORMAT.count("|"):
        return None
    id_, state, reason, node, start, name = (field.strip() for field in fields)
    return JobReport(id=id_, state=state, reason=_known(reason), node=_known(node), start=_known(start), name=name)


def job_fields(text: str) -> dict[str, str]:
    """The fields in the output of `scontrol show job -o ID`."""
    return dict(re.findall(r"(\w+)=(\S*)", text))


def parse_job(text: str) -> JobReport | None:
    """The job in the output of `scontrol show job -o ID`; None if it has none."""
    fields = job_fields(text)
    if "JobId" not in fields or "JobState" not in fields:
        return None
    return JobReport(
        id=fields["JobId"],
        state=fields["JobState"],
        reason=_known(fields.get("Reason", "")),
        node=_known(fields.get("NodeList", "")),
        start=_known(fields.get("StartTime", "")),
        restarts=int(fields["Restarts"]) if fields.get("Restarts", "").isdecimal() else 0,
        end=_known(fields.get("EndTime", "")),
        name=fields.get("JobName", ""),
        preempted=_known(fields.get("PreemptTime", "")) is not None,
        killed=not fields.get("ExitCode", "0:0").endswith(":0"),
    )


def _known(value: str) -> str | None:
    return None if value in ("", "None", "(null)", "N/A", "Unknown", "None assigned") else value


class SlurmEnd(StrEnum):
    """How Slurm ended a job from outside: kinds of causes."""

    CANCELLED = "slurm_cancelled"
    TIME_LIMIT = "slurm_time_limit"
    PREEMPTED = "slurm_preempted"
    NODE_FAILED = "slurm_node_failed"
    OUT_OF_MEMORY = "host_oom"
    REQUEUED = "slurm_requeued"
    SIGNALED = "slurm_signaled"  # by sbatch --signal or scancel --signal: the job goes on
    GONE = "slurm_job_gone"  # without a reason that Slurm names


_ENDS = {
    "CANCELLED": SlurmEnd.CANCELLED,
    "TIMEOUT": SlurmEnd.TIME_LIMIT,
    "DEADLINE": SlurmEnd.TIME_LIMIT,
    "PREEMPTED": SlurmEnd.PREEMPTED,
    "NODE_FAIL": SlurmEnd.NODE_FAILED,
    "BOOT_FAIL": SlurmEnd.NODE_FAILED,
    "OUT_OF_MEMORY": SlurmEnd.OUT_OF_MEMORY,
}
_END_WORDS = {
    SlurmEnd.CANCELLED: "cancelled in Slurm (scancel)",
    SlurmEnd.TIME_LIMIT: "reached the time limit of its Slurm job",
    SlurmEnd.PREEMPTED: "preempted by another Slurm job",
    SlurmEnd.NODE_FAILED: "its node failed",
    SlurmEnd.OUT_OF_MEMORY: "killed by Slurm for using more memory than its job has",
    SlurmEnd.REQUEUED: "its Slurm job was queued again (scontrol requeue)",
    SlurmEnd.SIGNALED: "asked to end by a signal to its Slurm job",
    SlurmEnd.GONE: "its Slurm job ended",
}


def end_of(report: JobReport | None) -> SlurmEnd | None:
    """How Slurm ended the job, or is ending it; None if it did not, or does not say."""
    if report is None or report.state not in ("COMPLETING", "RUNNING"):
        return None if report is None else _ENDS.get(report.state)
    # Until a job is gone Slurm does not show in which state it will end, but it may show why.
    if report.preempted:
        return SlurmEnd.PREEMPTED
    if report.reason in ("TimeLimit", "DeadLine"):
        return SlurmEnd.TIME_LIMIT
    return SlurmEnd.CANCELLED if report.state == "COMPLETING" and not report.killed else None


def end_words(end: SlurmEnd) -> str:
    return _END_WORDS[end]


def preemption_grace(report: JobReport | None, now: float) -> float:
    """The seconds until Slurm ends a job that it has told of its preemption; 0 for any other job."""
    if report is None or not report.preempted or report.end is None:
        return 0.0
    from datetime import datetime  # rarely needed

    try:
        end = datetime.fromisoformat(report.end).timestamp()  # in local time, as Slurm prints it
    except ValueError:
        return 0.0
    return max(0.0, end - now)
