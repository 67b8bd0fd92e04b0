"""Whatever ends a job from outside, the run ends with the true status and cause, and continues where that was asked."""

from __future__ import annotations

import os
import signal
from datetime import datetime, timedelta
from pathlib import Path
from shutil import copytree, ignore_patterns, rmtree, which
from typing import Any

import pytest

from backprop_tui.domain.run import StopPlan
from backprop_tui.domain.slurm import SlurmOptions
from backprop_tui.domain.status import Status
from backprop_tui.processes.identity import Identity
from backprop_tui.processes.tree import children
from backprop_tui.store.records import public
from tests.slurm.cluster import SlurmCluster
from tests.slurm.configuration import CPUS_OF_NODE
from tests.support import processes
from tests.support.commands import Commands
from tests.support.sandbox import Sandbox, Submitted, python, script

QUICK = StopPlan(grace_seconds=0.3)
SECONDS = 60.0


def slurm(*extra: str, **options: Any) -> SlurmOptions:
    return SlurmOptions(extra=extra, **options)


def running(sandbox: Sandbox, *command: str, **spec: Any) -> Submitted:
    """A run whose script has begun, by default one that ends with 1 at its first signal."""
    run = sandbox.submit(*(command or script("exits_on_signal.py")), **spec)
    run.wait(lambda: any(line.startswith("begin") for line in run.reports()), "begun")
    run.wait_for(Status.RUNNING)
    return run


def job_of(run: Submitted) -> str:
    """The id of its newest job, once it is recorded."""

    def recorded() -> str | None:
        job = run.run().job
        return None if job is None else job.id

    return run.wait(recorded, "its job is recorded")


def program_of(sandbox: Sandbox) -> Identity:
    """The program of the only job."""
    names = {processes.comm(each.pid): each for each in processes.with_environment(sandbox.folder)}
    return names["backprop-job"]


def cause_of(run: Submitted, *, seconds: float = SECONDS) -> tuple[Status, str | None]:
    """Status and cause of its end, waited for."""
    end = run.end(seconds=seconds)
    return end.status, None if end.cause is None else end.cause.kind


@pytest.mark.timeout(240)
def test_ends_by_slurm(sandbox: Sandbox, cluster: SlurmCluster) -> None:
    """The time limit of a job, at which Slurm looks twice a minute, and a dead node; meanwhile all other ends."""
    limited = running(sandbox, slurm=slurm("--nodelist=n2"))
    final = running(sandbox, slurm=slurm("--nodelist=n1"))
    again = running(sandbox, *script("saves.py", 4000, 0.05, 5), slurm=slurm("--nodelist=n1"), retries=1)
    again.wait_until_it_reports("saved 5")
    cluster.kill_node("n1", with_jobs=True)
    cluster.declare_down("n1")
    check_a_preemption(sandbox, cluster)  # which needs the CPUs of the limited run to be in use
    soon = (datetime.now() + timedelta(seconds=2)).isoformat(timespec="seconds")  # noqa: DTZ005 - as Slurm takes it
    cluster.run("scontrol", "update", f"JobId={job_of(limited)}", f"EndTime={soon}")
    assert cause_of(final) == (Status.LOST, "slurm_node_failed")
    again.wait(lambda: again.run().status is Status.QUEUED, "queued again", seconds=SECONDS)
    cluster.restart_node("n1")
    check_cancellations(sandbox, cluster)
    await_second_attempt(again)
    assert again.run().attempts[0].status is Status.LOST
    cluster.run("scancel", job_of(again))
    assert cause_of(limited) == (Status.STOPPED, "slurm_time_limit")


def await_second_attempt(run: Submitted) -> None:
    run.wait(lambda: len([line for line in run.reports() if line.startswith("begin")]) == 2, "resumed", seconds=SECONDS)


def check_cancellations(sandbox: Sandbox, cluster: SlurmCluster) -> None:
    gentle = running(sandbox, slurm=slurm("--nodelist=n2"))
    stubborn = running(sandbox, *script("ignores_signals.py"), slurm=slurm("--nodelist=n2"))
    pending = sandbox.submit(*script("worker.py", 1, 0, 0), slurm=slurm("--begin=now+1hour"))
    pending.wait(lambda: "submitted" in pending.events(), "submitted")
    cluster.run("scancel", *map(job_of, (gentle, stubborn, pending)))
    assert cause_of(gentle) == (Status.STOPPED, "slurm_cancelled")
    assert gentle.reports()[:2] in (["begin", "SIGINT"], ["begin", "SIGTERM"])
    assert cause_of(pending) == (Status.STOPPED, "slurm_cancelled")
    assert pending.reports() == []
    assert cause_of(stubborn) == (Status.STOPPED, "slurm_cancelled")
    assert stubborn.end().signal == "SIGKILL", "by its guardian, which writes the end before Slurm kills that, too"
    assert stubborn.living_reporters() == []


def check_a_preemption(sandbox: Sandbox, cluster: SlurmCluster) -> None:
    """It stops a run, and one with retries continues."""
    low = slurm("--nodelist=n2", partition="low")
    final = running(sandbox, slurm=low)
    again = running(sandbox, *script("saves.py", 400, 0.05, 5), slurm=low, retries=1)
    again.wait_until_it_reports("saved 5")
    free_beside_them = CPUS_OF_NODE - 3  # one more run is there
    job = cluster.submit("echo first; sleep 2", "--nodelist=n2", f"--cpus-per-task={free_beside_them + 2}")
    cluster.wait_for_output(job, "first")
    assert cause_of(final) == (Status.STOPPED, "slurm_preempted")
    await_second_attempt(again)
    record = again.run()
    assert (record.attempts[0].status, record.attempts[1].resumed_from is not None) == (Status.STOPPED, True)
    cluster.run("scancel", job_of(again))


SAVES_SLOWLY = """
import signal, sys, time
def save(*_):
    time.sleep(6)
    print("saved", flush=True)
    sys.exit(0)
signal.signal(signal.SIGINT, save)
print("ready", flush=True)
while True: time.sleep(60)
"""


def test_a_preempted_run_gets_the_signal_it_asked_for_and_the_grace_time_to_save(
    sandbox: Sandbox, cluster: SlurmCluster
) -> None:
    """Six seconds, which is more than the five (KillWait) that Slurm leaves a job that it ends otherwise."""
    options = slurm("--nodelist=n1", "--signal=B:USR1@60", partition="spare")
    run = sandbox.submit(*python(SAVES_SLOWLY), slurm=options)
    run.wait(lambda: run.status() is Status.RUNNING and b"ready" in run.log(), "ready")
    job = cluster.submit("echo first", "--nodelist=n1", "--exclusive")
    assert cause_of(run) == (Status.STOPPED, "slurm_preempted")
    assert b"saved" in run.log()
    cluster.wait_for_output(job, "first")


def test_a_signal_to_a_job_that_goes_on_asks_its_run_to_end(sandbox: Sandbox, cluster: SlurmCluster) -> None:
    """Whoever sends it, and whichever it is: it is no stop by a person, and what has retries continues."""
    final = running(sandbox)
    again = running(sandbox, *script("saves.py", 4000, 0.05, 5), retries=1)
    cluster.run("scancel", "--batch", "--signal=USR1", job_of(final))
    cluster.run("scancel", "--batch", "--signal=TERM", job_of(again))
    assert cause_of(final) == (Status.STOPPED, "slurm_signaled")
    await_second_attempt(again)
    cluster.run("scancel", job_of(again))


def test_a_run_survives_the_daemon_of_its_node(sandbox: Sandbox, cluster: SlurmCluster) -> None:
    run = running(sandbox, *script("waits_for_go.py", 0), slurm=slurm("--nodelist=n2"))
    cluster.kill_node("n2")
    cluster.declare_down("n2")
    Path(run.run().spec.cwd, "go").touch()
    assert run.outcome() == (Status.COMPLETED, 0, None)
    assert run.reports() == ["begin", "end 0"]


def test_a_controller_that_restarts_changes_nothing(sandbox: Sandbox, cluster: SlurmCluster) -> None:
    run = running(sandbox, *script("waits_for_go.py", 3))
    waiting = sandbox.submit(*script("worker.py", 1, 0, 0), slurm=slurm("--begin=now+2"))
    waiting.wait(lambda: "submitted" in waiting.events(), "submitted")
    cluster.wait_until_saved(job_of(waiting))
    cluster.kill_controller()
    Path(run.run().spec.cwd, "go").touch()
    assert run.outcome() == (Status.FAILED, 3, None)
    cluster.restart_controller()
    assert waiting.outcome(seconds=SECONDS) == (Status.COMPLETED, 0, None)
    assert [sandbox.ledger.beginnings(each.id) for each in (run, waiting)] == [1, 1]


def test_a_job_that_the_controller_has_forgotten_ends_its_run(sandbox: Sandbox, cluster: SlurmCluster) -> None:
    cluster.wait_until_saved(cluster.submit("sleep 60"))
    run = running(sandbox)
    cluster.kill_controller()
    cluster.restart_controller()
    assert cause_of(run) == (Status.LOST, "slurm_job_gone")
    assert run.reports().count("begin") == 1
    assert len(run.run().attempts) == 1


def test_a_job_that_slurm_starts_twice_runs_its_script_once(
    sandbox: Sandbox, cluster: SlurmCluster, tmp_path: Path
) -> None:
    """Slurm kills the first start when the controller, which thinks that the job waits, hears of it."""
    run = sandbox.submit(*script("exits_on_signal.py"), slurm=slurm("--begin=now+8"))
    run.wait(lambda: "submitted" in run.events(), "submitted")
    job = job_of(run)
    cluster.wait_until_saved(job)  # as one that waits
    state, saved = cluster.directory / "state", tmp_path / "state"
    copytree(state, saved, ignore=ignore_patterns("*.new"))  # files that it is writing
    run.wait(lambda: "begin" in run.reports(), "begun", seconds=SECONDS)
    cluster.kill_controller()
    rmtree(state)  # it saves up to five seconds after the start, or sooner
    copytree(saved, state)
    cluster.restart_controller()
    cluster.wait_until(lambda: cluster.starts_of(job) == 2, "it is started again")
    end = run.end(seconds=SECONDS)
    assert (end.status, end.signal) in ((Status.FAILED, "SIGKILL"), (Status.LOST, None))  # as the guardian died or not
    assert run.reports().count("begin") == 1
    assert len(run.run().attempts) == 1


def test_a_killed_program_on_the_node_ends_its_run(sandbox: Sandbox, cluster: SlurmCluster) -> None:
    run = running(sandbox)
    assert processes.kill(program_of(sandbox))
    assert cause_of(run)[1] == "slurm_job_gone"
    run.wait(lambda: not run.living_reporters(), "the script has ended")


def test_a_killed_program_and_its_guardian_leave_no_script(sandbox: Sandbox, cluster: SlurmCluster) -> None:
    """Without a supervisor, which would kill the script of a job that is gone if it finds it on its own machine."""
    run = running(sandbox)
    leave_login_node(sandbox)
    program, guardian = program_of(sandbox), run.wait(run.guardian, "its guardian")
    assert processes.kill(program, signal.SIGSTOP)
    assert processes.kill(guardian)
    assert processes.kill(program)
    assert cause_of(run)[1] == "slurm_job_gone"
    run.wait(lambda: not run.living_reporters(), "the script has ended")


def leave_login_node(sandbox: Sandbox) -> None:
    """Waits until nothing of ours is there: the job runs, and nothing waits."""
    sandbox.wait_until(lambda: sandbox.supervisor() is None and sandbox.fork_server() is None, "no supervisor")


def test_the_script_of_a_killed_guardian_stays_below_the_program_of_the_job(
    sandbox: Sandbox, cluster: SlurmCluster
) -> None:
    """Slurm without cgroups finds only what descends from that."""
    run, program = running(sandbox), program_of(sandbox)
    assert processes.kill(run.wait(run.guardian, "its guardian"))
    run.wait(lambda: "adopted" in run.events(), "adopted")
    script_process = run.script()
    assert script_process is not None
    assert script_process.pid in children(program.pid)
    cluster.run("scancel", job_of(run))
    assert cause_of(run) == (Status.STOPPED, "slurm_cancelled")


def test_nothing_stays_on_the_login_node_while_a_job_runs_and_its_end_is_seen(
    sandbox: Sandbox, commands: Commands
) -> None:
    run = running(sandbox, *script("waits_for_go.py", 0))
    leave_login_node(sandbox)
    assert run.status() is Status.RUNNING
    Path(run.run().spec.cwd, "go").touch()
    assert run.outcome() == (Status.COMPLETED, 0, None)
    assert commands("list").code == 0
    sandbox.wait_until_all_is_indexed()


def test_slices_and_retries_go_on_without_a_supervisor(sandbox: Sandbox, cluster: SlurmCluster) -> None:
    """The job of an attempt submits the next one."""
    retried = running(sandbox, *script("saves.py", 4000, 0.05, 5), retries=1)
    sliced = running(sandbox, *script("saves.py", 1000, 0.05, 5), max_run_seconds=2.0, total_seconds=4.0, stop=QUICK)
    for each in (sandbox.fork_server(), sandbox.supervisor()):
        assert each is not None
        assert processes.kill(each)
    cluster.run("scancel", "--batch", "--signal=TERM", job_of(retried))
    await_second_attempt(retried)
    assert sliced.end(seconds=SECONDS).status is Status.TIMEBOXED
    assert len(sliced.run().attempts) > 1
    assert sandbox.supervisor() is None
    cluster.run("scancel", job_of(retried))
    assert cause_of(retried) == (Status.STOPPED, "slurm_cancelled")


def test_an_impossible_request_is_refused_in_slurms_words(sandbox: Sandbox, commands: Commands) -> None:
    answer = commands("run", "-d", "--launcher", "slurm", "--gpus", "3", "--", "true")
    assert answer.code == 2
    assert "Requested node configuration is not available" in answer.err
    assert os.listdir(sandbox.home.runs) == []


def test_a_script_has_the_gpus_and_the_variables_of_its_job_and_they_are_on_record(sandbox: Sandbox) -> None:
    show = 'echo "$SLURM_JOB_ID $SLURMD_NODENAME $CUDA_VISIBLE_DEVICES"'
    run = sandbox.submit("bash", "-c", show, gpus=2, slurm=slurm("--nodelist=n2"))
    assert run.outcome() == (Status.COMPLETED, 0, None)
    assert run.log() == f"{job_of(run)} n2 0,1\n".encode()
    record = public(run.run(), run.directory.path)
    assert (record["host"], [gpu["index"] for gpu in record["gpus"]]) == ("n2", [0, 1])


def test_runs_go_on_while_squeue_fails(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    away, squeue = Path(sandbox.folder, "away"), Path(sandbox.folder, "bin", "squeue")
    squeue.parent.mkdir()
    squeue.write_text(f'#!/bin/sh\n[ -e {away} ] && exit 1\nexec {which("squeue")} "$@"\n')
    squeue.chmod(0o755)
    monkeypatch.setenv("PATH", f"{squeue.parent}:{os.environ['PATH']}")
    run = running(sandbox, *script("waits_for_go.py", 0))
    away.touch()
    waiting = sandbox.submit(*script("worker.py", 1, 0, 0))
    Path(run.run().spec.cwd, "go").touch()
    assert run.outcome() == (Status.COMPLETED, 0, None)
    away.unlink()
    assert waiting.outcome(seconds=SECONDS) == (Status.COMPLETED, 0, None)
