"""The cluster of these tests is a real one: it starts, refuses, signals and survives as Slurm does."""

from __future__ import annotations

import os
import sys

import pytest

from tests.slurm.cluster import NODES, SlurmCluster

pytestmark = pytest.mark.e2e

LISTENING = "0A"
# Says when it is ready, and which signals it gets; ends at the first SIGTERM.
LISTENER = (
    f"exec {sys.executable} -u -c 'import signal\n"
    'for name in ("USR1", "USR2", "CONT"):\n'
    '    signal.signal(getattr(signal, "SIG" + name), lambda number, _: print(signal.Signals(number).name))\n'
    'print("ready")\n'
    "while True: signal.pause()'"
)


def test_a_job_knows_its_node_and_its_gpus(cluster: SlurmCluster) -> None:
    job = cluster.submit('echo "$SLURMD_NODENAME sees $CUDA_VISIBLE_DEVICES"', "--gres=gpu:2", "--nodelist=n2")
    assert cluster.wait_for_state(job, "COMPLETED", "FAILED") == "COMPLETED"
    assert cluster.output(job) == "n2 sees 0,1\n"


def test_jobs_on_a_node_get_different_gpus(cluster: SlurmCluster) -> None:
    script = "echo gpu $CUDA_VISIBLE_DEVICES; sleep 60"
    jobs = [cluster.submit(script, "--gres=gpu:1", "--nodelist=n1") for _ in range(2)]
    assert {cluster.wait_for_output(job, "gpu") for job in jobs} == {"gpu 0\n", "gpu 1\n"}


def test_an_impossible_request_is_refused_in_slurms_words(cluster: SlurmCluster) -> None:
    output = cluster.run("sbatch", "--test-only", "--gres=gpu:3", "--nodes=1", "--wrap=true", check=False)
    assert output == "allocation failure: Requested node configuration is not available"


def test_a_signal_reaches_the_program_that_replaced_the_script(cluster: SlurmCluster) -> None:
    job = cluster.submit(LISTENER)
    cluster.wait_for_output(job, "ready")
    cluster.run("scancel", "--batch", "--signal=USR1", job)
    assert cluster.wait_for_output(job, "SIGUSR1") == "ready\nSIGUSR1\n"


def test_a_restarted_controller_knows_its_jobs(cluster: SlurmCluster) -> None:
    running = cluster.submit("echo started; sleep 60", "--exclusive", "--nodes=2")
    cluster.wait_for_output(running, "started")
    waiting = cluster.submit("true")
    cluster.wait_until_saved(waiting)
    cluster.kill_controller()
    cluster.restart_controller()
    assert (cluster.state(running), cluster.state(waiting)) == ("RUNNING", "PENDING")


def test_a_job_is_queued_again_when_its_node_fails(cluster: SlurmCluster) -> None:
    job = cluster.submit("echo start ${SLURM_RESTART_COUNT:-0} on $SLURMD_NODENAME; sleep 60", "--nodelist=n1")
    cluster.wait_for_output(job, "start 0")
    cluster.kill_node("n1", with_jobs=True)
    cluster.declare_down("n1")
    cluster.restart_node("n1")
    assert cluster.wait_for_output(job, "start 1") == "start 0 on n1\nstart 1 on n1\n"


def test_a_job_of_a_low_partition_makes_room(cluster: SlurmCluster) -> None:
    low = cluster.submit("echo started; sleep 60", "--partition=low", "--exclusive", "--nodes=2")
    cluster.wait_for_output(low, "started")
    job = cluster.submit("echo first", "--exclusive", "--nodes=2")
    cluster.wait_for_output(job, "first")
    assert cluster.job(low)["Restarts"] == "1"


def test_a_node_is_idle_once_its_job_is_gone(cluster: SlurmCluster) -> None:
    job = cluster.submit("echo started; sleep 60", "--nodelist=n1")
    cluster.wait_for_output(job, "started")
    assert cluster.node_state("n1") == "mixed"
    cluster.cancel_all()
    assert cluster.node_state("n1") == "idle"


def test_a_reset_repairs_everything(cluster: SlurmCluster) -> None:
    job = cluster.submit("echo started; sleep 60", "--nodelist=n1")
    cluster.wait_for_output(job, "started")
    cluster.kill_node("n1", with_jobs=True)
    cluster.declare_down("n2")
    cluster.kill_controller()
    cluster.reset()
    assert set(cluster.process_ids) == {"munged", "slurmctld", *NODES}
    assert cluster.run("squeue", "-h") == ""


def test_the_partitions_have_their_limits(cluster: SlurmCluster) -> None:
    lines = cluster.run("sinfo", "-h", "-o", "%P %l").splitlines()
    assert {"main* infinite", "short 1:00"} <= set(lines)


def test_nothing_listens_beyond_loopback(cluster: SlurmCluster) -> None:
    inodes = {inode for pid in cluster.process_ids.values() for inode in _sockets(pid)}
    addresses = [address for address, inode in _listeners() if inode in inodes]
    assert len(addresses) == 1 + len(NODES)
    assert {address.partition(":")[0] for address in addresses} == {"0100007F"}, "127.0.0.1, as the kernel writes it"


def test_stopping_leaves_no_process(tmp_path_factory: pytest.TempPathFactory, cluster: SlurmCluster) -> None:
    second = SlurmCluster(tmp_path_factory.mktemp("second"))
    try:
        second.start()
        job = second.submit("setsid sleep 60 & echo started; sleep 60")
        second.wait_for_output(job, "started")
        second.kill_node("n1")
    finally:
        second.stop()
    assert second.left_processes() == []
    assert cluster.node_state("n1") == "idle", "the other cluster goes on"


def _sockets(pid: int) -> set[str]:
    """The inodes of the open sockets of a process."""
    links = (os.readlink(f"/proc/{pid}/fd/{name}") for name in os.listdir(f"/proc/{pid}/fd"))
    return {link.removeprefix("socket:[").removesuffix("]") for link in links if link.startswith("socket:")}


def _listeners() -> list[tuple[str, str]]:
    """Address and inode of what listens for TCP on this machine."""
    listeners = []
    for table in ("tcp", "tcp6"):
        with open(f"/proc/net/{table}") as file:
            fields = [line.split() for line in file][1:]
        listeners += [(field[1], field[9]) for field in fields if field[3] == LISTENING]
    return listeners
