"""Why Slurm lets a job wait, in plain words: slurm.schedmd.com/job_reason_codes.html and the names of 22.05."""

from __future__ import annotations

import re
from datetime import datetime

from backprop_tui.domain.slurm import JobReport

_WORDS = {
    "Resources": "for free nodes",
    "Priority": "behind jobs of higher priority",
    "SchedDefer": "for its turn: the site starts nothing at once",
    "Dependency": "for another job",
    "DependencyNeverSatisfied": "for a job that ended in another way than asked for",
    "BeginTime": "until its begin time",
    "JobHeldUser": "held by its user",
    "JobHeldAdmin": "held by the administrator",
    "JobHoldMaxRequeue": "held, since it was queued again too often",
    "JobArrayTaskLimit": "for other tasks of its array",
    "JobLaunchFailure": "its start failed, Slurm tries again",
    "SystemFailure": "a failure of Slurm, a file system or the network",
    "NonZeroExitCode": "it ended with an exit code other than 0",
    "OutOfMemory": "it used more memory than it has",
    "TimeLimit": "it used up its time limit",
    "InactiveLimit": "it was inactive too long",
    "DeadLine": "it cannot end before its deadline",
    "Cleaning": "until an earlier start of it is cleaned up",
    "Prolog": "for the prolog of its node",
    "FedJobLock": "for the other clusters of the federation",
    "Licenses": "for a license",
    "Reservation": "for its reservation",
    "ReservationDeleted": "its reservation was deleted",
    "BurstBufferResources": "for space in the burst buffer",
    "BurstBufferStageIn": "until the burst buffer is filled",
    "BurstBufferOperation": "an operation of the burst buffer failed",
    "FrontEndDown": "for a front-end node, all are down",
    "NodeDown": "for a node that is down",
    "ReqNodeNotAvail": "for a node that is down or reserved",
    "BadConstraints": "no node has what it asks for",
    "PartitionDown": "for its partition, which is down",
    "PartitionInactive": "for its partition, which is inactive",
    "PartitionConfig": "its partition does not allow what it asks for",
    "PartitionNodeLimit": "it asks for another number of nodes than its partition allows",
    "PartitionTimeLimit": "its time limit is longer than its partition allows",
    "AccountNotAllowed": "its account may not use the partition",
    "InvalidAccount": "its account is unknown",
    "QOSNotAllowed": "its partition does not allow its QOS",
    "InvalidQOS": "its QOS is unknown",
    "QOSJobLimit": "the limit of its QOS on jobs is reached",
    "QOSResourceLimit": "a limit of its QOS is reached",
    "QOSTimeLimit": "the limit of its QOS on time is reached",
    "QOSUsageThreshold": "its QOS has used more than its share",
    "QOSMinCpuNotSatisfied": "it asks for fewer cores than its QOS demands",
    "AccountingPolicy": "a limit of its account is reached",
    "AssociationJobLimit": "the limit of its account on jobs is reached",
    "AssociationResourceLimit": "a limit of its account is reached",
    "AssociationTimeLimit": "the limit of its account on time is reached",
}

# Limits have hundreds of names, all built alike: QOSMaxCpuPerUserLimit, AssocGrpGRESRunMinutes, MaxMemoryPerAccount.
_LIMIT = re.compile(
    r"(?P<owner>QOS|Assoc|)(?P<bound>Grp|Max|Min)(?P<of>[A-Za-z]+?)(?P<time>Minutes|RunMinutes|)"
    r"(?:Per(?P<per>Job|Node|User|Account|Limit))?(?:Limit)?"
)
_OWNERS = {"QOS": "its QOS", "Assoc": "its account", "": "its account"}
_RESOURCES = {
    "cpu": "cores",
    "gres": "GPUs",
    "mem": "memory",
    "memory": "memory",
    "node": "nodes",
    "jobs": "running jobs",
    "submitjobs": "waiting and running jobs",
    "submitjob": "waiting and running jobs",
    "wall": "run time",
    "wallduration": "run time",
    "bb": "burst buffer",
    "license": "licenses",
    "energy": "energy",
    "billing": "billing units",
}


def reason_words(code: str) -> str:
    """`for free nodes`; Slurm's own words for a reason that is not known here."""
    code = code.partition(",")[0]  # ReqNodeNotAvail, UnavailableNodes:n1
    return _WORDS.get(code) or _limit_words(code) or f"it says {code}"


def _limit_words(code: str) -> str | None:
    match = _LIMIT.fullmatch(code)
    if match is None:
        return None
    owner, per = _OWNERS[match["owner"]], (match["per"] or "").lower()
    resource = _RESOURCES.get(match["of"].lower(), "what its jobs use")
    resource = f"the time of {resource}" if match["time"] else resource
    if match["bound"] == "Min":
        return f"{owner} demands that it asks for more {resource}"
    scope = f" per {per}" if per in ("job", "node", "user") else " of all its jobs" if match["bound"] == "Grp" else ""
    if per in ("job", "node") or resource == "run time":
        return f"it asks for more {resource}{scope} than {owner} allows"
    return f"the limit of {owner} on {resource}{scope} is reached"


_TIME_TOO_LONG = re.compile(r"PartitionTimeLimit|(QOS|Assoc)MaxWallDurationPerJobLimit|DeadLine|ReqNodeNotAvail.*")
_NEVER = re.compile(
    r"DependencyNeverSatisfied|BadConstraints|Partition(Config|NodeLimit)|AccountNotAllowed|Invalid(Account|QOS)"
    r"|QOS(NotAllowed|Min\w+)|ReservationDeleted|JobHoldMaxRequeue|\w*Max\w+Per(Job|Node)(Limit)?|MaxMemPerLimit"
)


def is_held_by_user(code: str) -> bool:
    return code == "JobHeldUser"


def may_start_with_less_time(code: str) -> bool:
    """Whether a shorter time limit may let the job start."""
    return _TIME_TOO_LONG.fullmatch(code) is not None


def needs_other_options(code: str) -> bool:
    """Whether the job has to ask for something else: no waiting helps."""
    return _NEVER.fullmatch(code) is not None and not may_start_with_less_time(code)


_NEVER_SECONDS = 360 * 86400.0  # Slurm names a start in a year for a job that it cannot place


def expected_start(report: JobReport, now: float) -> float | None:
    """When Slurm expects a waiting job to start; None if it does not know, or the time it named has passed."""
    is_held = (report.reason or "").startswith("JobHeld")
    if report.state != "PENDING" or report.start is None or is_held:
        return None
    try:
        start = datetime.fromisoformat(report.start).timestamp()  # in local time, as Slurm prints it
    except ValueError:
        return None
    return start if now <= start < now + _NEVER_SECONDS else None


def waiting_words(report: JobReport) -> str:
    """Why a submitted job does not run yet: `Slurm: for free nodes`."""
    if report.state != "PENDING":
        return f"Slurm: starting on {report.node or 'a node'}"
    if report.reason is None:
        return "Slurm: not looked at yet"
    way = f" (scontrol release {report.id})" if is_held_by_user(report.reason) else ""
    return f"Slurm: {reason_words(report.reason)}{way}"
