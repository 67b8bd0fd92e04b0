"""What a supervisor on a login node does for Slurm runs, with doubles of Slurm's commands and of the clock.

The names of rules are those of tests/model/slurm, which shows that each is needed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backprop_tui.client.control import edit_requests, stop_requests
from backprop_tui.client.session import ClientSession
from backprop_tui.domain.requests import PERSON, STOPPED_BY_YOU, EditRequest, StopRequest
from backprop_tui.domain.run import Ended, Queued
from backprop_tui.domain.status import Status
from backprop_tui.engine import slurm_queue
from backprop_tui.processes.identity import identify, is_alive
from backprop_tui.store.home import Home
from backprop_tui.store.hosts import needs_supervisor
from backprop_tui.store.run_directory import RunDirectory
from tests.engine.logins import Clock, Login
from tests.support.runs import Guardian
from tests.support.slurm import FakeSlurm, job, queue_line, shown_job
from tests.support.waiting import wait_until

STOP = StopRequest(by=PERSON, reason=STOPPED_BY_YOU)


def session_on(host: str, login: Login) -> ClientSession:
    """A command on a login node."""
    home = Home(login.home.root, host)
    home.prepare()
    return ClientSession(home=home, config_path="")


def end_of(directory: RunDirectory) -> Ended:
    state = directory.read().state
    assert isinstance(state, Ended)
    return state


def is_waiting(directory: RunDirectory) -> bool:
    run = directory.read()
    return isinstance(run.state, Queued) and run.submitted_job is None


# awaits_job_before_next


def between_attempts(login: Login) -> RunDirectory:
    """A run that failed once and waits for its retry; its guardian has written that, its job's program lives."""
    guardian = login.running(retries=1)
    guardian.ends(Status.FAILED, exit_code=1)
    login.clock.wall = (guardian.run.attempt.ended_at or 0.0) + 1
    return guardian.directory


def test_the_next_attempt_waits_for_the_end_of_the_last_job(login: Login) -> None:
    directory = between_attempts(login)
    for state in ("RUNNING", "COMPLETING"):
        login.answers(squeue=queue_line(12, "a-1", state, "None"))
        login.looks()
        assert login.calls("sbatch") == []
        assert login.reason() == "Slurm: its last job is ending"
    login.answers(squeue="", scontrol=shown_job(12, "a-1"))
    login.looks()
    assert len(login.calls("sbatch")) == 1
    assert directory.read().submitted_job is not None


@pytest.mark.parametrize("scontrol", [None, shown_job(12, "a-1", "NODE_FAIL"), shown_job(12, "other-1")])
def test_a_last_job_that_slurm_has_lost_may_live_for_half_a_minute(login: Login, scontrol: str | None) -> None:
    directory = between_attempts(login)
    login.answers(scontrol=scontrol)
    for _ in range(5):
        login.looks()
    assert login.calls("sbatch") == []
    directory.announce_job(2)  # by the program of that job, which submits it
    for _ in range(6):
        login.looks()
        assert login.calls("sbatch") == []
    login.looks(after=30)
    login.looks()
    assert len(login.calls("sbatch")) == 1


def test_a_run_that_is_resumed_long_after_its_job_is_submitted_at_once(login: Login) -> None:
    directory = between_attempts(login)
    login.answers(scontrol=None)
    login.clock.passes(3600)
    login.looks()
    assert directory.read().submitted_job is not None


# unsubmitted_stop_by_request


def test_a_stop_from_another_login_node_is_a_request(login: Login) -> None:
    directory = login.waiting()
    before = Path(directory.record_path).read_bytes()
    stop = stop_requests(session_on("login2", login), ["a"])[0]
    assert stop.poll() is None
    assert Path(directory.record_path).read_bytes() == before
    Path(login.home.queue_held).touch()
    login.looks()
    assert end_of(directory).reason == STOPPED_BY_YOU
    outcome = stop.poll()
    assert outcome is not None
    assert not outcome.had_ended
    assert login.calls("sbatch") == []


def test_a_stop_between_attempts_is_a_request_here_too(login: Login) -> None:
    directory = between_attempts(login)
    assert stop_requests(session_on("login1", login), ["a"])[0].poll() is None
    assert is_waiting(directory)
    login.answers(squeue=queue_line(12, "a-1", "RUNNING", "None"))
    login.looks()
    assert is_waiting(directory), "the program of its job may be submitting it"
    login.answers(squeue="", scontrol=shown_job(12, "a-1"))
    login.looks()
    assert end_of(directory).status is Status.STOPPED
    assert login.calls("sbatch") == []


def test_a_stop_between_attempts_is_followed_while_slurm_does_not_answer(login: Login) -> None:
    directory = between_attempts(login)
    login.answers(squeue=queue_line(12, "a-1", "RUNNING", "None"))
    login.looks()
    login.answers(squeue=None)
    directory.append_request(STOP)
    for _ in range(5):
        login.looks()
        assert is_waiting(directory)
    login.looks()
    login.looks()
    assert end_of(directory).status is Status.STOPPED


def test_an_edit_from_another_login_node_is_a_request(login: Login) -> None:
    directory = login.waiting()
    Path(login.home.queue_held).touch()
    (edit,) = edit_requests(session_on("login2", login), ["a"], EditRequest(note="later"), None)
    assert edit.poll() is None
    login.looks()
    outcome = edit.poll()
    assert outcome is not None
    assert outcome.run.note == directory.read().note == "later"


def test_requests_are_followed_while_slurm_does_not_answer(login: Login) -> None:
    directory = login.waiting()
    login.answers(squeue=None)
    login.looks()
    assert login.reason() == "Slurm does not answer"
    directory.append_request(STOP)
    login.looks()
    assert end_of(directory).status is Status.STOPPED


def test_a_stop_waits_for_the_command_that_submits_the_run_and_releases_its_job_first(login: Login) -> None:
    directory = login.waiting(job=job(host="login1"))
    lock = directory.try_lock()
    assert lock is not None
    directory.append_request(STOP)
    login.answers(squeue=queue_line(12, "a-1", "PENDING", "JobHeldUser"), scontrol=shown_job(12, "a-1", "PENDING"))
    with lock:
        login.looks()
        assert directory.claimed(1) is None, "an unused claim would keep others from ending the run"
    login.looks(after=slurm_queue.LOOK_SECONDS)
    assert end_of(directory).status is Status.STOPPED
    assert login.calls("scontrol release") == ["scontrol release 12"]


def test_a_job_that_its_user_holds_stays_held(login: Login) -> None:
    directory = login.waiting(job=job(host="login1"))
    login.answers(squeue=queue_line(12, "a-1", "PENDING", "JobHeldUser"))
    for _ in range(3):
        login.looks(after=slurm_queue.LOOK_SECONDS)
    assert login.calls("scontrol release") == ["scontrol release 12"], "by the process that was killed before"
    assert directory.read().status is Status.QUEUED


def test_a_held_queue_submits_nothing_until_it_is_released(login: Login) -> None:
    directory = login.waiting()
    Path(login.home.queue_held).touch()
    login.looks()
    assert (login.calls("sbatch"), login.reason()) == ([], "queue held by you, nothing new is submitted")
    os.unlink(login.home.queue_held)
    login.looks()
    assert directory.read().submitted_job is not None


# cancels_unrecorded_job


def unrecorded(login: Login, reason: str = "JobHeldUser") -> RunDirectory:
    """A run whose supervisor was killed after it submitted job 7 and before it recorded it."""
    directory = login.waiting()
    directory.announce_job(1)
    login.answers(squeue=queue_line(7, "a-1", "PENDING", reason), scontrol=shown_job(7, "a-1", "PENDING"))
    return directory


def test_a_job_that_was_not_recorded_is_cancelled_before_another_is_submitted(login: Login) -> None:
    directory = unrecorded(login)
    login.looks()
    assert login.reason() == "Slurm: its job may have been submitted already"
    for _ in range(2):
        login.looks()
    programs = [call.split()[0] for call in login.slurm.calls if "release" not in call and "squeue" not in call]
    assert programs == ["scontrol", "scancel", "sbatch"]
    assert login.calls("scancel") == ["scancel 7"]
    submitted = directory.read().submitted_job
    assert submitted is not None
    assert submitted.id == "21"


def test_a_job_that_was_not_recorded_is_cancelled_when_its_run_is_stopped(login: Login) -> None:
    directory = unrecorded(login)
    assert stop_requests(session_on("login1", login), ["a"])[0].poll() is None
    for _ in range(3):
        login.looks()
    assert end_of(directory).status is Status.STOPPED
    assert login.calls("scancel") == ["scancel 7"]
    assert login.calls("sbatch") == []


def test_a_job_that_is_not_held_is_on_record_and_stays(login: Login) -> None:
    directory = unrecorded(login, "Priority")
    for _ in range(10):
        login.looks()
    assert (login.calls("scancel"), login.calls("sbatch")) == ([], [])
    assert is_waiting(directory)


def test_the_last_job_submits_the_next_attempt_itself_unless_one_may_exist(login: Login) -> None:
    directory = between_attempts(login)
    directory.announce_job(2)
    login.queue.submit("a")
    assert (login.slurm.calls, is_waiting(directory)) == ([], True)
    os.unlink(f"{directory.claims}/2.announced")
    login.queue.submit("a")
    assert [call.split()[0] for call in login.slurm.calls] == ["sbatch", "scontrol"]
    assert directory.read().submitted_job is not None
    assert directory.is_job_announced(2)


# settles_claims_of_the_dead, awaits_silence_of_holder


def claimed(login: Login, holder: str) -> RunDirectory:
    """A run whose job is submitted and claimed."""
    directory = login.waiting(job=job(host="login1"))
    directory.claim(1, {"by": holder, "job": "12", "node": "n1"})
    return directory


@pytest.mark.parametrize("holder", ["job", "client", "supervisor"])
def test_a_claim_is_settled_after_the_silence_of_its_holder(login: Login, holder: str) -> None:
    directory = claimed(login, holder)
    login.answers(scontrol=None)
    for _ in range(6):
        login.looks()
        assert directory.read().status is Status.QUEUED
    login.looks()
    end = end_of(directory)
    assert end.status is (Status.STOPPED if holder == "client" else Status.FAILED)


def test_a_job_that_begins_after_slurm_forgot_it_is_left_alone(login: Login) -> None:
    directory = claimed(login, "job")
    login.answers(scontrol=None)
    for _ in range(5):
        login.looks()
    guardian = Guardian(directory)  # it begins the run at last
    for _ in range(10):
        guardian.says(step=guardian.live.time)
        guardian.live = replace(guardian.live, time=guardian.live.time + 1)
        login.looks()
    assert directory.read().status is Status.RUNNING
    guardian.ends()


def test_a_claim_of_a_job_that_slurm_saw_end_is_settled_sooner(login: Login) -> None:
    directory = claimed(login, "job")
    login.answers(scontrol=shown_job(12, "a-1", "CANCELLED"))
    for _ in range(3):
        login.looks()
    end = end_of(directory)
    assert (end.status, end.cause and end.cause.kind) == (Status.STOPPED, "slurm_cancelled")


def test_an_end_that_was_meant_for_another_job_is_not_recorded(login: Login) -> None:
    """A person has resumed the run since the supervisor looked."""
    directory = login.waiting(job=job(host="login1"))
    login.answers(squeue=queue_line(12, "a-1"))
    login.looks()
    (before,) = login.queue.runs
    directory.write(replace(directory.read(), job=replace(job(13, host="login1"), number=2)), durable=False)
    login.queue._end_submitted(before, job(host="login1"), "gone", None, is_over=True)
    assert directory.read().status is Status.QUEUED
    assert login.calls("scancel") == []


# awaits_silence


def test_a_run_that_slurm_forgot_is_lost_when_nobody_writes_for_it(login: Login) -> None:
    guardian = login.running()
    guardian.dies()  # together with the program of its job
    login.answers(scontrol=None)
    for _ in range(6):
        login.looks()
        assert guardian.directory.read().status is Status.RUNNING
        assert login.queue.is_needed
    login.looks()
    end = end_of(guardian.directory)
    assert (end.status, end.cause and end.cause.kind) == (Status.LOST, "slurm_job_gone")
    assert login.calls("sbatch") == []


@pytest.mark.parametrize("squeue", [None, queue_line(12, "a-1", "COMPLETING", "None")])
def test_a_run_is_not_lost_while_its_job_may_live(login: Login, squeue: str | None) -> None:
    """The controller does not answer, or Slurm is still ending the job."""
    guardian = login.running()
    guardian.dies()
    login.answers(squeue=squeue, scontrol=None)
    for _ in range(20):
        login.looks()
    assert guardian.directory.read().status is Status.RUNNING
    login.answers(squeue="")
    for _ in range(20):
        login.looks()
    assert guardian.directory.read().status is Status.LOST


def test_a_script_that_its_job_has_left_is_killed_before_its_run_is_lost(login: Login) -> None:
    guardian = login.running()
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as script:
        identity = identify(script.pid)
        assert identity is not None
        Path(guardian.directory.script_lock).write_text(f"1 {identity.pid} {identity.start_time}")
        guardian.dies()
        login.answers(scontrol=None)
        for _ in range(7):
            login.looks()
            assert guardian.directory.read().status is Status.RUNNING
        assert script.wait() == -signal.SIGKILL
    login.looks()
    assert guardian.directory.read().status is Status.LOST


@pytest.mark.parametrize(
    ("tracking", "left_by"), [("linuxproc", "proctrack/linuxproc"), ("cgroup", None), ("", "Slurm")]
)
def test_a_lost_run_says_that_its_script_may_live_on_a_node_without_cgroups(
    login: Login, tracking: str, left_by: str | None
) -> None:
    guardian = login.running(retries=1)
    guardian.edits(guardian.run.with_attempt(replace(guardian.run.attempt, boot_id="of n1")))
    guardian.dies()
    shown = f"ProctrackType           = proctrack/{tracking}" if tracking else ""
    login.slurm.does("scontrol", f'[ "$2" = config ] && echo "{shown}"')
    for _ in range(8):
        login.looks()
    run = guardian.directory.read()
    if left_by is None:
        assert run.status is Status.QUEUED
        return
    assert end_of(guardian.directory).reason == (
        "its Slurm job ended, and its guardian wrote no end; whether its script still runs on n1 is not known "
        f"({left_by} may have left it); not retried: its script may still run"
    )


def test_the_end_of_a_run_whose_node_does_not_answer_says_what_is_not_known(login: Login) -> None:
    guardian = login.running()
    guardian.edits(guardian.run.with_attempt(replace(guardian.run.attempt, boot_id="of n1")))
    guardian.dies()
    login.answers(scontrol=shown_job(12, "a-1", "NODE_FAIL"))
    for _ in range(8):
        login.looks()
    end = end_of(guardian.directory)
    words = "its node failed; whether its script still runs on n1 is not known (Slurm does not reach it)"
    assert (end.status, end.reason) == (Status.LOST, words)
    assert end.cause is not None
    assert end.cause.advice == "look whether its script still runs on n1; if not, resume continues it"


def test_a_question_to_slurm_ends_with_the_supervisor_that_asks(tmp_path: Path) -> None:
    slurm = FakeSlurm(tmp_path / "slurm")
    slurm.does("squeue", "echo $$ > asked\nexec sleep 60")
    path = f"{slurm.directory}:{os.defpath}"
    asks = f"from backprop_tui.launchers.slurm import Slurm; Slurm(environment={{'PATH': {path!r}}}).queue()"
    with subprocess.Popen([sys.executable, "-c", asks]) as supervisor:
        asked = slurm.directory / "asked"
        wait_until(lambda: asked.exists() and asked.read_text().endswith("\n"), "squeue was started")
        squeue = identify(int(asked.read_text()))
        assert squeue is not None
        supervisor.kill()
    wait_until(lambda: not is_alive(squeue), "squeue has ended, too")


# Who looks after what


def test_every_cluster_is_asked_in_one_call_for_all_its_runs(login: Login, clock: Clock, tmp_path: Path) -> None:
    other = FakeSlurm(tmp_path / "other")
    for number in range(3):
        login.knows_the_way(login.waiting(f"a{number}", job=job(number, host="login1")), SLURM_CONF="/etc/one")
    login.knows_the_way(login.waiting("b", job=job(1, host="login1")), SLURM_CONF="/etc/two")
    elsewhere = login.waiting("c", job=job(1, host="login1"))
    elsewhere.write_environment({"PATH": f"{other.directory}:{os.defpath}"})
    other.answers("squeue", queue_line(1, "c-1"))
    login.answers(squeue=queue_line(1, "b-1", "PENDING", "Resources"))
    for _ in range(5):
        login.looks(after=1)
    assert (len(login.calls("squeue")), len(other.calls)) == (2, 1)
    assert (login.reason("b"), login.reason("c")) == ("Slurm: for free nodes", "Slurm: behind jobs of higher priority")
    login.looks()
    assert (len(login.calls("squeue")), len(other.calls)) == (4, 2)


@pytest.mark.parametrize("spec", [{}, {"retries": 1}, {"total_seconds": 9.0}])
def test_a_job_that_runs_needs_a_supervisor_only_if_another_may_follow(login: Login, spec: dict[str, Any]) -> None:
    guardian, is_needed = login.running(**spec), bool(spec)
    login.answers(squeue=queue_line(12, "a-1", "RUNNING", "None"))
    login.looks()
    assert login.queue.is_needed is is_needed
    assert needs_supervisor(login.home, guardian.directory.read()) is is_needed
    for path in (guardian.directory.live_path, guardian.directory.record_path):
        os.utime(path, (0, 0))
    login.looks()
    assert login.queue.is_needed
    assert needs_supervisor(login.home, guardian.directory.read()), "commands start one that stays"
    guardian.ends()
