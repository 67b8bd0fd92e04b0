"""What commands show of runs on a real cluster, and what they change there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.slurm.cluster import SlurmCluster
from tests.support.commands import Commands
from tests.support.ledger import VARIABLE
from tests.support.sandbox import HOST, Sandbox, script
from tests.support.waiting import wait_until

pytestmark = pytest.mark.e2e

WHOLE_NODE = ("--launcher", "slurm", "--slurm-extra=--nodelist=n1", "--slurm-extra=--exclusive", "-m", "30")


@pytest.fixture
def login(cluster: SlurmCluster, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A store of the test's own on a login node of the cluster; its processes are killed at the end."""
    monkeypatch.setenv("BACKPROP_HOST", HOST)
    monkeypatch.chdir(home)
    cluster.log_in(monkeypatch)
    sandbox = Sandbox(str(home))
    monkeypatch.setenv(VARIABLE, sandbox.ledger.path)
    yield sandbox
    sandbox.close()


@pytest.fixture
def obey(login: Sandbox, capsys: pytest.CaptureFixture[str]) -> Commands:
    return Commands(capsys)


def queue(obey: Commands, name: str) -> str:
    """A run that takes a node for half a minute."""
    result = obey("run", "-d", "-n", name, *WHOLE_NODE, "--", *script("worker.py", 60, 0.5, 0))
    assert result.code == 0, result.err
    return result.out.strip()


def wait_for_reason(obey: Commands, run_id: str, *reasons: str) -> dict[str, Any]:
    """The JSON of a run once Slurm gives one of these reasons for its wait."""
    shown: dict[str, Any] = {}

    def waits() -> bool:
        shown.update(obey.json("status", run_id))
        return (shown["slurm"] or {}).get("reason") in reasons

    wait_until(
        waits, f"{run_id} waits: {reasons}", report=lambda: f"{shown['status']}: {shown['reason']} {shown['cause']}"
    )
    return shown


def test_an_impossible_request_shows_slurms_words_and_leaves_no_record(obey: Commands) -> None:
    for word in ("-d", "--dry-run"):
        result = obey("run", "--launcher", "slurm", "--gpus", "7", word, "--", "true")
        assert result.code == 2
        assert "Requested node configuration is not available" in result.err
    assert obey.json("list", "--all") == []
    possible = obey("run", "--launcher", "slurm", "--gpus", "1", "--dry-run", "--", "true")
    assert "sbatch       --gres=gpu:1" in possible.out
    assert "to start at" in possible.lines[-1]


def test_a_waiting_job_is_shown_with_slurms_reason_and_can_be_changed(obey: Commands, cluster: SlurmCluster) -> None:
    first = queue(obey, "first")
    wait_until(lambda: obey.json("status", first)["status"] == "running", "it runs")
    shown = obey.json("status", first)
    assert (shown["host"], shown["slurm"]["node"]) == ("n1", "n1")
    second = queue(obey, "second")
    record = wait_for_reason(obey, second, "Resources", "Priority", "ReqNodeNotAvail")
    assert record["hold_reasons"][0]["message"].startswith("Slurm: ")
    assert record["slurm"]["node"] is None
    lines = {line.split()[0]: line for line in obey("list").lines}
    assert "on n1" in lines[first]
    assert "Slurm: " in lines[second]
    for run_id in (first, second):
        assert obey("edit", run_id, "-m", "60").code == 0
        job = obey.json("status", run_id)["slurm"]["job_id"]
        assert cluster.job(job)["TimeLimit"] == "01:06:00"
    wait_until(lambda: obey.json("status", first)["max_run_minutes"] == 60, "its guardian knows")
    refused = obey("queue", "move", second, "--to", "1")
    assert (refused.code, "Slurm decides the order" in refused.err) == (2, True)
    cluster.run("scontrol", "hold", job)
    wait_for_reason(obey, second, "JobHeldUser", "JobHeldAdmin")
    assert obey("stop", "--now", first, second).code == 0


def test_the_doctor_asks_the_cluster_and_tries_the_locks(obey: Commands) -> None:
    run_id = queue(obey, "first")
    wait_until(lambda: obey.json("status", run_id)["status"] == "running", "it runs")
    findings = {check["check"]: check for check in obey("doctor", "--json").json["checks"]}
    assert findings["slurm"]["level"] == "ok"
    assert "main (default); short, 00:01:00 at most" in findings["partitions"]["message"]
    assert f"that of run {run_id} on n1 is seen here" in findings["shared store"]["message"]
    assert obey("stop", "--now", run_id).code == 0


def test_a_job_gets_the_secrets_of_its_run(obey: Commands, login: Sandbox) -> None:
    words = ("sh", "-c", 'echo "$2 $MY_PASSPHRASE" | tr s S', "sh", "--password", "sekrit1")
    result = obey("run", "-d", "--launcher", "slurm", "--env", "MY_PASSPHRASE=sekrit2", "-m", "5", "--", *words)
    run_id = result.out.strip()
    assert obey("wait", run_id).code == 0
    assert Path(login.submitted(run_id).directory.log).read_text() == "Sekrit1 Sekrit2\n"
    files = [path for path in Path(login.home.root).rglob("*") if path.is_file()]
    assert [path.name for path in files if b"sekrit" in path.read_bytes()] == ["environment"]
