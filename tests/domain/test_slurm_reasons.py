"""Why Slurm lets a job wait, in plain words, and when it expects to start it."""

from __future__ import annotations

import time

import pytest

from backprop_tui.domain.slurm import JobReport, SlurmEnd, end_of, parse_job, preemption_grace
from backprop_tui.domain.slurm_reasons import (
    expected_start,
    may_start_with_less_time,
    needs_other_options,
    reason_words,
    waiting_words,
)

# Names that squeue of 22.05 knows, a few of each kind.
NAMES = """
Resources Priority SchedDefer Dependency DependencyNeverSatisfied BeginTime JobHeldUser JobHeldAdmin JobHoldMaxRequeue
JobArrayTaskLimit JobLaunchFailure SystemFailure NonZeroExitCode OutOfMemory TimeLimit InactiveLimit DeadLine Cleaning
Prolog FedJobLock Licenses Reservation ReservationDeleted BurstBufferResources BurstBufferStageIn BurstBufferOperation
FrontEndDown NodeDown ReqNodeNotAvail BadConstraints PartitionDown PartitionInactive PartitionConfig
PartitionNodeLimit PartitionTimeLimit AccountNotAllowed InvalidAccount QOSNotAllowed InvalidQOS QOSJobLimit
QOSResourceLimit QOSTimeLimit QOSUsageThreshold QOSMinCpuNotSatisfied AccountingPolicy AssociationJobLimit
AssociationResourceLimit AssociationTimeLimit AssocGrpBB AssocGrpBillingMinutes AssocGrpCPUMinutesLimit
AssocGrpCPURunMinutesLimit AssocGrpCpuLimit AssocGrpGRES AssocGrpGRESRunMinutes AssocGrpJobsLimit AssocGrpMemLimit
AssocGrpNodeLimit AssocGrpSubmitJobsLimit AssocGrpUnknown AssocGrpWallLimit AssocMaxCpuMinutesPerJobLimit
AssocMaxGRESPerJob AssocMaxGRESPerNode AssocMaxJobsLimit AssocMaxSubmitJobLimit AssocMaxWallDurationPerJobLimit
MaxGRESPerAccount MaxMemPerLimit MaxMemoryPerAccount MaxJobsPerAccount QOSGrpGRES QOSGrpMemoryRunMinutes
QOSMaxCpuPerUserLimit QOSMaxGRESPerUser QOSMaxJobsPerUserLimit QOSMaxMemoryPerNode QOSMaxNodePerJobLimit
QOSMaxSubmitJobPerUserLimit QOSMaxWallDurationPerJobLimit QOSMinGRES QOSMinMemory QOSMinUnknown
"""


@pytest.mark.parametrize("name", NAMES.split())
def test_every_reason_has_words(name: str) -> None:
    assert name not in reason_words(name)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ReqNodeNotAvail, UnavailableNodes:n1", "for a node that is down or reserved"),
        ("QOSMaxGRESPerUser", "the limit of its QOS on GPUs per user is reached"),
        ("AssocGrpCPURunMinutesLimit", "the limit of its account on the time of cores of all its jobs is reached"),
        ("QOSMaxWallDurationPerJobLimit", "it asks for more run time per job than its QOS allows"),
        ("QOSMinGRES", "its QOS demands that it asks for more GPUs"),
        ("BrandNewReason", "it says BrandNewReason"),
    ],
)
def test_limits_are_read_from_their_names(name: str, words: str) -> None:
    assert reason_words(name) == words


def report(**fields: str | None) -> JobReport:
    """A job that waits."""
    known = {"id": "7", "state": "PENDING", "reason": "Resources"}
    return JobReport(**(known | fields))  # type: ignore[arg-type]


def test_a_waiting_job_is_described_in_a_clause() -> None:
    assert waiting_words(report()) == "Slurm: for free nodes"
    assert waiting_words(report(reason=None)) == "Slurm: not looked at yet"
    assert waiting_words(report(reason="JobHeldUser")) == "Slurm: held by its user (scontrol release 7)"
    assert waiting_words(report(state="CONFIGURING", node="n3")) == "Slurm: starting on n3"


def local(at: float) -> str:
    """A time as Slurm prints it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(at))


def test_an_expected_start_is_a_time_that_can_be_true() -> None:
    now = 1_800_000_000.0
    assert expected_start(report(start=local(now + 3600)), now) == now + 3600
    assert expected_start(report(start=local(now - 60)), now) is None, "passed"
    assert expected_start(report(start=local(now + 364 * 86400)), now) is None, "Slurm's never"
    assert expected_start(report(start="soon"), now) is None
    assert expected_start(report(), now) is None
    assert expected_start(report(start=local(now + 60), reason="JobHeldAdmin"), now) is None, "from before it was held"
    assert expected_start(report(start=local(now + 60), state="RUNNING"), now) is None


def test_what_a_user_can_do_depends_on_the_reason() -> None:
    assert may_start_with_less_time("PartitionTimeLimit")
    assert needs_other_options("BadConstraints")
    assert needs_other_options("QOSMaxCpuPerJobLimit")
    for name in ("Resources", "Priority", "QOSMaxGRESPerUser", "JobHeldUser"):
        assert not needs_other_options(name)
        assert not may_start_with_less_time(name)


@pytest.mark.parametrize(
    ("shown", "end"),
    [
        ("JobState=COMPLETING Reason=TimeLimit ExitCode=0:0", SlurmEnd.TIME_LIMIT),
        ("JobState=COMPLETING Reason=None ExitCode=0:0", SlurmEnd.CANCELLED),
        ("JobState=COMPLETING Reason=None ExitCode=0:0 PreemptTime=2026-11-30T12:00:00", SlurmEnd.PREEMPTED),
        ("JobState=COMPLETING Reason=None ExitCode=0:9", None),  # its program was killed
        ("JobState=RUNNING Reason=None ExitCode=0:0", None),
        ("JobState=TIMEOUT Reason=TimeLimit ExitCode=0:0", SlurmEnd.TIME_LIMIT),
    ],
)
def test_why_slurm_ends_a_job_is_known_while_it_does(shown: str, end: SlurmEnd | None) -> None:
    assert end_of(parse_job(f"JobId=12 JobName=run-a-1 {shown}")) is end


@pytest.mark.parametrize(
    ("preempted", "end", "seconds"),
    [(True, 40, 40.0), (True, -3, 0.0), (False, 40, 0.0), (True, None, 0.0)],
)
def test_a_preempted_job_has_what_its_partition_grants(*, preempted: bool, end: int | None, seconds: float) -> None:
    now = 1_800_000_000.0
    shown = "JobId=12 JobName=run-a-1 JobState=RUNNING Reason=None ExitCode=0:0"
    shown += f" EndTime={'Unknown' if end is None else local(now + end)}"
    shown += f" PreemptTime={local(now) if preempted else 'None'}"
    assert preemption_grace(parse_job(shown), now) == seconds
