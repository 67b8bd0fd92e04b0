"""What commands say about Slurm runs, with doubles of Slurm's commands."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from backprop_tui.cli.doctor import Level
from backprop_tui.cli.doctor.cluster import check_cluster
from backprop_tui.cli.session import Session
from backprop_tui.domain.formatting import iso
from backprop_tui.domain.run import SLURM, Gpu
from backprop_tui.launchers.supervisor_process import SupervisorProcess
from backprop_tui.probes.readings import write_sample
from backprop_tui.store.files import dump, write_atomically
from backprop_tui.store.home import Home
from backprop_tui.store.run_directory import RunDirectory
from tests.support.commands import Commands
from tests.support.runs import Runs
from tests.support.slurm import FakeSlurm, hold, job
from tests.tui.snapshots import gpu, sample

ANSWER = "sbatch: Job 3 to start at 2027-01-15T09:00:00 using 1 processors on nodes n1 in partition main\n"
ROOT = "36 25 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw"
NFS = "40 36 0:50 / {root} rw,relatime shared:9 - {kind} server:/home rw{options}"


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    slurm = FakeSlurm(tmp_path / "slurm")
    monkeypatch.setenv("PATH", f"{slurm.directory}:/usr/bin:/bin")
    return slurm


def test_a_dry_run_says_what_sbatch_is_asked_and_what_slurm_answers(obey: Commands, slurm: FakeSlurm) -> None:
    slurm.answers("sbatch", "", err=ANSWER)
    line = ("--launcher", "slurm", "--slurm-partition", "main", "--gpus", "2", "-m", "30", "--dry-run", "--", "true")
    result = obey("run", *line)
    assert result.code == 0
    assert "sbatch       --partition=main --gres=gpu:2 --time=36" in result.lines
    words = ANSWER.strip().removeprefix("sbatch: ")
    assert f"verdict      submitted to Slurm, which says: {words}" in result.lines
    shown = obey("run", "--json", *line).json
    assert shown["sbatch"] == {"options": ["--partition=main", "--gres=gpu:2", "--time=36"], "answer": words}


def test_an_impossible_request_is_refused_in_slurms_words_without_a_record(
    obey: Commands, slurm: FakeSlurm, session: Session
) -> None:
    slurm.answers("sbatch", "", code=1, err="allocation failure: Requested node configuration is not available\n")
    for words in (("-d",), ("--dry-run",)):
        result = obey("run", "--launcher", "slurm", *words, "--", "true")
        assert result.code == 2
        assert "Requested node configuration is not available" in result.err
    assert obey.json("list", "--all") == []


def test_slurm_decides_when_a_run_starts(obey: Commands, slurm: FakeSlurm) -> None:
    result = obey("run", "--launcher", "slurm", "--no-wait", "--", "true")
    assert result.code == 2
    assert "--no-wait: Slurm decides when a run starts" in result.err


def on_node(session: Session, runs: Runs) -> None:
    """A run on GPU 1 of the node n1."""
    directory = runs.guarded("a", spec={"launcher": SLURM}, name="lm", job=job(host=session.home.host)).directory
    run = directory.read()
    attempt = replace(run.attempt, gpus=(Gpu(index=1, uuid="GPU-1"),))
    directory.write(replace(run.with_attempt(attempt), host="n1.cluster"), durable=False)


def test_a_list_says_on_which_node_and_gpu_a_run_is(obey: Commands, session: Session, runs: Runs) -> None:
    on_node(session, runs)
    assert obey("list").lines[1].endswith("on n1, GPU 1")
    details = obey("status", "a").out
    assert "job         12 on n1.cluster" in details
    assert "host        n1.cluster" in details


def test_the_status_shows_the_nodes_of_active_runs(obey: Commands, session: Session, runs: Runs) -> None:
    on_node(session, runs)
    node = Home(session.home.root, "n1.cluster")
    node.prepare()
    of_node = sample(gpu(0), gpu(1), time=time.time() - 300)
    write_sample(node.readings, of_node)
    out = obey("status").out
    assert "node          n1.cluster, measured 5m ago" in out
    rows = [line for line in out.splitlines() if line.startswith(("0  ", "1  "))]
    assert [line.split()[0] for line in rows] == ["1"], "the others are not of our runs"
    (shown,) = obey.json("status")["nodes"]
    assert (shown["name"], len(shown["gpus"])) == ("n1.cluster", 2)
    assert shown["measured_at"] == iso(of_node.readings.time)


def test_a_job_that_runs_gets_a_supervisor_when_its_guardian_is_silent(
    obey: Commands, session: Session, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[bool] = []
    monkeypatch.setattr(SupervisorProcess, "ensure", lambda _: started.append(True))
    guardian = runs.guarded("a", spec={"launcher": SLURM}, job=job(host=session.home.host), created_at=0.0)
    commands = (("wait", "a", "--timeout", "0.05"), ("list",), ("status",), ("queue",))
    for words in commands:
        obey(*words)
    assert started == [], "it would end at once, and be started again"
    for path in (guardian.directory.record_path, guardian.directory.live_path):
        os.utime(path, (0, 0))
    for words in commands:
        obey(*words)
    assert len(started) == len(commands)
    guardian.ends()


def test_a_run_of_another_host_is_shown_with_its_host(obey: Commands, session: Session, runs: Runs) -> None:
    guardian = runs.guarded("b")
    directory = RunDirectory(session.home.run_folder("b"))
    directory.write(replace(directory.read(), host="gpu2"), durable=False)
    assert "on gpu2" in obey("list").lines[1]
    guardian.ends()


def test_a_run_that_waits_on_another_host_says_where_and_one_for_slurm_does_not(
    obey: Commands, session: Session, runs: Runs
) -> None:
    there = Home(session.home.root, "gpu2")
    there.prepare()
    runs.queued("a", host="gpu2")
    runs.queued("b", spec={"launcher": SLURM}, host="gpu2")
    held = {"a": [{"check": "load", "message": "load 9 per core"}], "b": [hold()]}
    write_atomically(there.governor, dump({"held": held, "pid": os.getpid()}), durable=False)
    on_host, in_slurm = sorted(obey("list").lines[1:], key=lambda line: line.split()[0])
    assert "on gpu2; #1 load 9 per core" in on_host
    assert "Slurm: for free nodes" in in_slurm
    assert "on gpu2" not in in_slurm


def test_the_json_of_a_run_of_another_host_says_how_old_it_is(obey: Commands, session: Session, runs: Runs) -> None:
    elsewhere = runs.guarded("a", created_at=0.0)
    elsewhere.edits(replace(elsewhere.run, host="gpu2"))
    for path in (elsewhere.directory.record_path, elsewhere.directory.live_path):
        os.utime(path, (time.time() - 60,) * 2)
    here = runs.guarded("b")
    ages = {run["id"]: run["age_seconds"] for run in obey.json("list")}
    assert ages == {"a": pytest.approx(60, abs=20), "b": None}
    assert obey.json("status", "a")["age_seconds"] == pytest.approx(60, abs=20)
    for guardian in (elsewhere, here):
        guardian.ends()


def findings(session: Session, tmp_path: Path, mount: str = "", launcher: str = SLURM) -> list[str]:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"{ROOT}\n{mount}\n")
    return [
        f"{finding.level} {finding.check}: {finding.message}"
        for finding in check_cluster(session.home, launcher, session.environment, str(mounts))
    ]


def test_the_doctor_asks_slurm(session: Session, slurm: FakeSlurm, tmp_path: Path) -> None:
    shown = "PartitionName={} AllowGroups=ALL Default={} MaxTime={} State={} TotalCPUs=8\n"
    partitions = (("main", "YES", "UNLIMITED", "UP"), ("short", "NO", "01:00:00", "UP"), ("old", "NO", "NONE", "DOWN"))
    slurm.answers("scontrol", "".join(shown.format(*fields) for fields in partitions))
    assert findings(session, tmp_path)[:2] == [
        "ok slurm: answers; jobs of yours in its queue: 0",
        "ok partitions: main (default); short, 01:00:00 at most; old, down",
    ]
    slurm.answers("squeue", "", code=1, err="slurm_load_jobs error: Unable to contact slurm controller\n")
    assert findings(session, tmp_path)[0].startswith("bad slurm: squeue:")


def test_the_doctor_is_silent_where_there_is_no_slurm(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert findings(session, tmp_path, launcher="local") == []
    assert findings(session, tmp_path) == ["bad slurm: run.launcher is slurm, and sbatch is not on PATH"]


@pytest.mark.parametrize(
    ("kind", "options", "level", "words"),
    [
        ("nfs4", "", Level.OK, "nfs4: locks reach other machines"),
        ("nfs", ",vers=4.2", Level.OK, "nfs: locks reach other machines"),
        ("nfs", ",vers=3", Level.OK, "nfs: unknown whether locks reach other machines"),
        ("nfs", ",nolock", Level.WARN, "nfs with nolock: locks do not reach other machines"),
        ("nfs", ",local_lock=flock", Level.WARN, "nfs with local_lock=flock"),
        ("nfs", ",local_lock=none", Level.OK, "nfs: locks reach other machines"),
        ("lustre", ",flock", Level.OK, "lustre: locks reach other machines"),
        ("lustre", ",localflock", Level.WARN, "lustre with localflock"),
        ("beegfs", "", Level.OK, "beegfs: unknown whether locks reach other machines"),
        ("xfs", "", Level.WARN, "xfs: a local disk"),
    ],
)
def test_the_doctor_says_whether_locks_reach_other_machines(
    session: Session, slurm: FakeSlurm, tmp_path: Path, kind: str, options: str, level: Level, words: str
) -> None:
    slurm.answers("scontrol", "PartitionName=main Default=YES MaxTime=UNLIMITED State=UP\n")
    mount = NFS.format(root=session.home.root, kind=kind, options=options)
    assert findings(session, tmp_path, mount)[2].startswith(f"{level} shared store: {words}")


@pytest.mark.parametrize(
    ("held", "level", "words"),
    [
        (True, Level.OK, "locks reach other machines: that of run a on n1 is seen here"),
        (False, Level.WARN, "locks seem not to reach other machines: run a on n1 runs, and its lock is free here"),
    ],
)
def test_the_doctor_looks_at_the_lock_that_a_guardian_on_another_machine_holds(
    session: Session, slurm: FakeSlurm, runs: Runs, tmp_path: Path, level: Level, words: str, *, held: bool
) -> None:
    slurm.answers("scontrol", "PartitionName=main Default=YES MaxTime=UNLIMITED State=UP\n")
    guardian = runs.guarded("a", spec={"launcher": SLURM}, job=job(host=session.home.host), created_at=0.0)
    guardian.edits(replace(guardian.run, host="n1"))
    if not held:
        guardian.dies()  # its lock is free, as if it did not reach this machine
    assert findings(session, tmp_path)[2].startswith(f"{level} shared store: {words}")
    for path in (guardian.directory.record_path, guardian.directory.live_path):
        os.utime(path, (0, 0))
    assert "a local disk" in findings(session, tmp_path)[2], "nobody works"
    if held:
        guardian.ends()
