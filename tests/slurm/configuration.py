"""The configuration files of a small Slurm cluster whose nodes are all this machine, on loopback addresses only."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Mapping
from pathlib import Path

LOOPBACK = "127.0.0.1"
CPUS_OF_NODE = 4
GPUS_OF_NODE = 2
MEGABYTES_OF_NODE = 4000

# Jobs of `main` and `short` push out those of `low` (queued again, at once) and of `spare` (ended, after a grace time
# at whose beginning they get the signal of sbatch --signal).
PARTITIONS = (
    "PartitionName=main Nodes=ALL Default=YES PriorityTier=10 PreemptMode=OFF",
    "PartitionName=short Nodes=ALL MaxTime=1 PriorityTier=10 PreemptMode=OFF",
    "PartitionName=low Nodes=ALL PriorityTier=1 PreemptMode=REQUEUE",
    "PartitionName=spare Nodes=ALL PriorityTier=1 PreemptMode=CANCEL GraceTime=120",
)


def free_ports(count: int) -> list[int]:
    """Ports of the loopback address on which nothing listens now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind((LOOPBACK, 0))
        return [int(each.getsockname()[1]) for each in sockets]
    finally:
        for each in sockets:
            each.close()


def write_configuration(directory: Path, nodes: tuple[str, ...], settings: Mapping[str, str]) -> Path:
    """Writes slurm.conf, gres.conf and cgroup.conf and returns the first; `settings` replaces lines of slurm.conf."""
    controller_port, *node_ports = free_ports(1 + len(nodes))
    host = socket.gethostname().partition(".")[0]
    values = {**_defaults(directory, host), "SlurmctldPort": str(controller_port), **settings}
    lines = [f"{name}={value}" for name, value in values.items()]
    lines += [
        f"NodeName={node} NodeHostname={host} NodeAddr={LOOPBACK} Port={port} CPUs={CPUS_OF_NODE} "
        f"RealMemory={MEGABYTES_OF_NODE} Gres=gpu:{GPUS_OF_NODE} State=UNKNOWN"
        for node, port in zip(nodes, node_ports, strict=True)
    ]
    path = directory / "slurm.conf"
    path.write_text("\n".join([*lines, *PARTITIONS, ""]))
    (directory / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")  # only named: nothing here uses cgroups
    _write_gpus(directory, nodes)
    return path


def _write_gpus(directory: Path, nodes: tuple[str, ...]) -> None:
    """Links to a device: with plain files Slurm would schedule GPUs, but not set CUDA_VISIBLE_DEVICES."""
    lines = []
    for node in nodes:
        for number in range(GPUS_OF_NODE):
            (directory / f"{node}-gpu{number}").symlink_to("/dev/null")
        files = directory / f"{node}-gpu[0-{GPUS_OF_NODE - 1}]"
        lines.append(f"NodeName={node} Name=gpu File={files}\n")
    (directory / "gres.conf").write_text("".join(lines))


def _defaults(directory: Path, host: str) -> dict[str, str]:
    user = getpass.getuser()
    state, spool = directory / "state", directory / "spool-%n"
    return {
        "ClusterName": "test",
        "SlurmctldHost": f"{host}({LOOPBACK})",
        "SlurmUser": user,
        "SlurmdUser": user,
        "AuthType": "auth/munge",
        # A requeued job waits until its old credential is worthless: 2 minutes by default.
        "AuthInfo": f"socket={directory / 'munge'},cred_expire=5",
        "CommunicationParameters": "NoInAddrAny,NoCtldInAddrAny",
        "StateSaveLocation": str(state),
        "SlurmdSpoolDir": str(spool),
        "SlurmctldPidFile": str(directory / "slurmctld.pid"),
        "SlurmdPidFile": str(directory / "%n.pid"),
        "SlurmctldLogFile": str(directory / "slurmctld.log"),
        "SlurmdLogFile": str(directory / "%n.log"),
        "ProctrackType": "proctrack/linuxproc",
        "TaskPlugin": "task/none",
        "JobAcctGatherType": "jobacct_gather/none",
        "AccountingStorageType": "accounting_storage/none",
        "MpiDefault": "none",
        "MailProg": "/bin/true",
        "SelectType": "select/cons_tres",
        "SelectTypeParameters": "CR_Core_Memory",
        "DefMemPerCPU": "100",
        "GresTypes": "gpu",
        "PreemptType": "preempt/partition_prio",
        "PreemptMode": "REQUEUE",
        "SlurmctldParameters": "preempt_send_user_signal",
        "SlurmdParameters": "config_overrides",  # believes the CPUs and the memory that are written below
        # The main scheduler, often: Slurm 22.05 does not save the state after a start by the backfill scheduler.
        "SchedulerParameters": "batch_sched_delay=0,sched_interval=1",
        "SlurmctldTimeout": "10",
        "SlurmdTimeout": "10",
        "ReturnToService": "2",
        "KillWait": "5",
        "MinJobAge": "10",
    }
