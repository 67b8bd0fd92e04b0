"""From a script to a run, and from a failure to a run with a smaller batch, with nothing but keys."""

from __future__ import annotations

import json
import os
from pathlib import Path

from backprop_tui.client.request_words import recent_commands
from backprop_tui.domain.status import Status
from tests.end_to_end.dashboard.conftest import Open
from tests.support.sandbox import Sandbox, Submitted
from tests.support.waiting import wait_until

_TRAINS = """\
import json, sys
json.dump(sys.argv[1:], open(f"argv-{len(__import__('os').listdir('.'))}.json", "w"))
size = int(dict(zip(sys.argv, sys.argv[1:])).get("--batch-size", 8))
if size > 128:
    raise RuntimeError("CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of 79.6 GiB of "
                       "which 1.12 GiB is free.")
print("step 1 loss 0.5", flush=True)
"""


def _script(sandbox: Sandbox) -> None:
    Path(sandbox.folder, "train.py").write_text(_TRAINS, encoding="ascii")


def _runs(sandbox: Sandbox) -> list[Submitted]:
    return [sandbox.submitted(run_id) for run_id in os.listdir(sandbox.home.runs)]


def _arguments(sandbox: Sandbox) -> list[list[str]]:
    """What the scripts were started with."""
    return [json.loads(path.read_text()) for path in sorted(Path(sandbox.folder).glob("argv-*.json"))]


def _wait_for_runs(sandbox: Sandbox, statuses: list[Status]) -> None:
    wait_until(
        lambda: sorted(run.status() for run in _runs(sandbox)) == sorted(statuses),
        f"runs that are {statuses}",
        report=lambda: str([run.status() for run in _runs(sandbox)]),
    )


def test_a_pasted_command_and_enter_is_a_run(sandbox: Sandbox, open_dashboard: Open) -> None:
    _script(sandbox)
    screen = open_dashboard()
    screen.wait_for("No runs yet")
    screen.type("\x1b[200~$ python3 train.py \\\r\n  --devices 0,1 --name 'a b'\x1b[201~")
    screen.wait_for("New run")
    screen.type("\r")
    screen.wait_for("enter again")
    screen.type("\r")
    _wait_for_runs(sandbox, [Status.COMPLETED])
    assert _arguments(sandbox) == [["--devices", "0,1", "--name", "a b"]]


def test_a_path_is_typed_with_tab_and_the_command_comes_back_from_the_history(
    sandbox: Sandbox, open_dashboard: Open
) -> None:
    _script(sandbox)
    screen = open_dashboard(size=(80, 24))
    screen.wait_for("No runs yet")
    screen.type("n")
    screen.wait_for("New run")
    screen.type("tr")
    screen.wait_for("completes")
    screen.type("\t")
    screen.wait_for("train.py")
    screen.type(" --seed 7\r")
    _wait_for_runs(sandbox, [Status.COMPLETED])
    wait_until(lambda: bool(recent_commands(sandbox.home)), "the command in the history")
    screen.wait_for("loss 0.5")
    screen.type("n")
    screen.wait_for("New run")
    screen.type("\x12")
    screen.wait_for("train.py --seed 7")
    screen.type("\r")
    _wait_for_runs(sandbox, [Status.COMPLETED, Status.COMPLETED])
    assert _arguments(sandbox) == [["--seed", "7"]] * 2


def test_a_run_out_of_memory_is_rerun_with_half_of_the_batch(sandbox: Sandbox, open_dashboard: Open) -> None:
    _script(sandbox)
    screen = open_dashboard()
    screen.wait_for("No runs yet")
    screen.type("\x1b[200~train.py --batch-size 256 --lr=1e-3\x1b[201~")
    screen.wait_for("New run")
    screen.type("\r")
    _wait_for_runs(sandbox, [Status.FAILED])
    sandbox.wait_until_all_is_indexed()
    screen.wait_for("halve --batch-size")
    screen.type("!N")
    screen.wait_for("256 → 128")
    screen.wait_for("advice: out of memory")
    screen.type("\r")
    _wait_for_runs(sandbox, [Status.FAILED, Status.COMPLETED])
    assert _arguments(sandbox) == [["--batch-size", "256", "--lr=1e-3"], ["--batch-size", "128", "--lr=1e-3"]]
