"""experiments.json: existing records are kept, lost ones are rebuilt from the runs."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from backprop_tui.domain.status import Status
from tests.support import processes
from tests.support.front_ends import PROGRAM, environment
from tests.support.sandbox import Sandbox, Submitted, script

ORIGINAL = {
    "exp-1": {
        "id": "exp-1",
        "name": "mnist",
        "scriptPath": "/home/ada/train.py",
        "status": "completed",
        "lastCheckpoint": "/home/ada/ckpt-200.pt",
        "checkpoints": ["/home/ada/ckpt-100.pt", "/home/ada/ckpt-200.pt"],
        "lastStep": 200,
        "lastLoss": 0.125,
        "startTime": 1_700_000_000_000,
        "endTime": 1_700_000_060_500,
    },
    "exp-2": {"id": "exp-2", "name": "left", "scriptPath": "t.py", "status": "running", "startTime": 1_700_000_100_000},
}
LAYOUTS = {"by id": ORIGINAL, "a list in experiments": {"experiments": list(ORIGINAL.values())}}


def listed(sandbox: Sandbox) -> dict[str, dict[str, object]]:
    """What `list --all --json` shows."""
    done = subprocess.run(
        (*PROGRAM, "list", "--all", "--json"),
        env=environment(sandbox),
        cwd=sandbox.folder,
        check=True,
        capture_output=True,
        timeout=30,
    )
    return {record["id"]: record for record in json.loads(done.stdout)}


def completed(sandbox: Sandbox) -> Submitted:
    """Another run, ended and indexed."""
    run = sandbox.submit(*script("worker.py", 2, 0, 0))
    assert run.wait_for_end().status is Status.COMPLETED
    sandbox.wait_until(lambda: not sandbox.markers(), "indexed", seconds=5)
    return run


@pytest.mark.parametrize("layout", LAYOUTS)
def test_records_of_the_original_tool_are_listed_and_its_file_is_kept_unchanged(sandbox: Sandbox, layout: str) -> None:
    content = json.dumps(LAYOUTS[layout], indent=2).encode()
    with open(sandbox.home.index, "wb") as file:
        file.write(content)
    assert set(listed(sandbox)) == {"exp-1", "exp-2"}
    with open(sandbox.home.index, "rb") as file:
        assert file.read() == content
    run = completed(sandbox)
    records = listed(sandbox)
    assert set(records) == {"exp-1", "exp-2", run.id}
    first = records["exp-1"]
    assert (first["name"], first["status"], first["step"]) == ("mnist", "completed", 200)
    assert (first["started_at"], first["duration_seconds"]) == ("2023-11-14T22:13:20.000Z", 60.5)
    assert first["metrics"] == {"loss": 0.125}
    assert records["exp-2"]["status"] == "lost"
    with open(os.path.join(sandbox.home.root, "experiments.original.json"), "rb") as file:
        assert file.read() == content


@pytest.mark.parametrize("content", [b'{"schema_version": 1, "experiments": {"a"', b""])
def test_a_broken_index_is_set_aside_and_rebuilt(sandbox: Sandbox, content: bytes) -> None:
    first = completed(sandbox)
    with open(sandbox.home.index, "wb") as file:
        file.write(content)
    second = completed(sandbox)
    assert set(sandbox.index()) == {first.id, second.id}
    kept = [name for name in os.listdir(sandbox.home.root) if name.startswith("experiments.broken")]
    assert len(kept) == 1
    with open(os.path.join(sandbox.home.root, kept[0]), "rb") as file:
        assert file.read() == content


def test_invalid_records_in_the_index_do_no_harm(sandbox: Sandbox) -> None:
    first = completed(sandbox)
    strange = {"a": {"status": "completed"}, "b": {"status": [], "id": "b"}, "c": {"status": None, "id": 7}, "d": 7}
    records = sandbox.index() | strange
    with open(sandbox.home.index, "w", encoding="ascii") as file:
        json.dump({"schema_version": 1, "experiments": records}, file)
    second = completed(sandbox)
    assert {first.id, second.id} <= set(sandbox.index())
    assert {first.id, second.id} <= set(listed(sandbox))


def test_a_missing_index_is_rebuilt(sandbox: Sandbox) -> None:
    first = completed(sandbox)
    os.unlink(sandbox.home.index)
    os.unlink(sandbox.home.recent)
    assert set(listed(sandbox)) == {first.id}
    second = completed(sandbox)
    assert set(sandbox.index()) == {first.id, second.id}


def test_runs_whose_records_are_broken_do_not_stop_the_others(sandbox: Sandbox) -> None:
    broken = []
    for content in (b"", b"{", b'{"schema_version": 1}', b'{"schema_version": 99}'):
        broken.append(sandbox.queue(*script("worker.py", 2, 0, 0)))
        with open(broken[-1].directory.file("run.json"), "wb") as file:
            file.write(content)
    good = sandbox.submit(*script("worker.py", 2, 0, 0))
    assert good.wait_for_end().status is Status.COMPLETED
    left = {run.id for run in broken}
    sandbox.wait_until(lambda: set(sandbox.markers()) == left, "the good one indexed")
    assert left & {entry.run for entry in sandbox.ledger.entries()} == set()


def test_records_survive_the_death_of_the_supervisor_during_indexing(sandbox: Sandbox) -> None:
    first = completed(sandbox)
    run = sandbox.submit(*script("worker.py", 2, 0, 0))
    run.wait_for_end()
    assert processes.kill(sandbox.wait_until(sandbox.supervisor, "a supervisor"))
    sandbox.wait_until_all_is_indexed()
    assert set(sandbox.index()) == {first.id, run.id}
