"""A sweep of twelve runs is queued in the dashboard, and its table shows the best setting."""

from __future__ import annotations

import os

from backprop_tui.domain.status import Status
from tests.end_to_end.dashboard.conftest import Open
from tests.support.sandbox import Sandbox
from tests.support.waiting import wait_until

# The lowest training loss belongs to the learning rate with the worst validation loss.
_TRAINS = """\
import json, sys
lr, seed = float(sys.argv[sys.argv.index("--lr") + 1]), int(sys.argv[sys.argv.index("--seed") + 1])
for step in range(1, 31):
    values = {"loss": 1 / step - lr, "val_loss": 1 / step + abs(lr - 3e-3) * 30 + seed / 100}
    print(json.dumps({"step": step, **values}), flush=True)
"""
_SETTINGS = "[governor]\nmax_load_per_core = 0\nstarts_per_minute = 0\nmin_free_disk_gb = 0\n"
_SWEEP = "backprop-tui run --min-free-ram 0 --sweep lr=1e-3,3e-3,1e-2 --sweep seed=1..4 --group grid train.py"


def test_a_sweep_is_queued_and_its_best_setting_is_seen_and_opened(sandbox: Sandbox, open_dashboard: Open) -> None:
    with open(os.path.join(sandbox.folder, "train.py"), "w", encoding="ascii") as file:
        file.write(_TRAINS)
    settings = os.path.join(sandbox.folder, "config.toml")
    with open(settings, "w", encoding="ascii") as file:
        file.write(_SETTINGS)
    screen = open_dashboard("--config", settings)
    screen.wait_for("No runs yet")
    screen.type(f"\x1b[200~{_SWEEP}\x1b[201~")
    screen.wait_for("--sweep lr=1e-3")
    screen.type("\r")
    wait_until(lambda: len(_completed(sandbox)) == 12, "twelve completed runs", report=sandbox.describe_store)
    keys = ["g"]  # to the row of the group
    screen.type(keys[-1])
    screen.wait_for("1 Table")
    screen.wait_for("best first by val_loss, lower is better")
    wait_until(lambda: "★  3e-3  4/4" in screen.shown(), "the best setting", report=screen.shown)
    keys += ["\t", "P"]
    screen.type("".join(keys[1:]))
    screen.wait_for("is now the baseline")
    wait_until(lambda: "exceeds" in _line_with(screen.shown(), "1e-2"), "the difference", report=screen.shown)
    keys += ["\r"]
    screen.type(keys[-1])
    screen.wait_for("1 Log")
    assert len(keys) == 4
    screen.type("q")
    assert screen.wait_for_exit() == 0
    sandbox.wait_until_all_is_indexed()


def _completed(sandbox: Sandbox) -> list[str]:
    run_ids = os.listdir(sandbox.home.runs) if os.path.isdir(sandbox.home.runs) else []
    runs = [run_id for run_id in run_ids if not run_id.startswith(".")]
    return [run_id for run_id in runs if sandbox.submitted(run_id).status() is Status.COMPLETED]


def _line_with(shown: str, text: str) -> str:
    """The row of the table of the group, which is below the list of the runs."""
    lines = shown.partition("1 Table")[2].splitlines()
    return next((line for line in lines if text in line), "")
