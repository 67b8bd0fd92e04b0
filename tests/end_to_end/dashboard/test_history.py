"""500 ended runs in the store: the best one of the last week, and a session that remembers its columns."""

from __future__ import annotations

import os
import time
from dataclasses import replace

from backprop_tui.domain.lifecycle import Outcome, begin_attempt, finish_attempt
from backprop_tui.domain.run import Queued, Run, Running, Spec
from backprop_tui.domain.smoothed_curve import Extreme
from backprop_tui.domain.status import Status
from backprop_tui.processes.linux import boot_id
from backprop_tui.store import index
from backprop_tui.store.records import public
from backprop_tui.store.run_directory import RunDirectory
from tests.end_to_end.dashboard.conftest import Open
from tests.support.sandbox import Sandbox

RUNS, WEEK = 500, 7 * 86400.0
BEST_EVER, BEST_OF_WEEK = 400, 33  # how many runs are newer; a run each two hours


def _ended(sandbox: Sandbox, number: int, now: float) -> Run:
    started = now - 3600 - number * 7200.0
    val_loss = {BEST_EVER: 0.01, BEST_OF_WEEK: 0.02}.get(number, 0.1 + number / 1000)
    run = Run(
        id=f"h{number:04d}",
        name="nano",
        host=sandbox.home.host,
        created_at=started,
        position=started,
        spec=Spec(
            command=("python", "train.py", "--lr", f"{1 + number % 3}e-3", "--seed", str(number % 4)),
            script="train.py",
            cwd=sandbox.folder,
        ),
        state=Queued(since=started),
    )
    run = begin_attempt(run, now=started, boot_id=boot_id()).to(Running(since=started))
    run = replace(run, step=528, metrics={"loss": val_loss / 2, "val_loss": val_loss + 0.001})
    run = replace(run, best={"val_loss": Extreme(val_loss, 500)})
    return finish_attempt(run, Outcome(status=Status.COMPLETED, exit_code=0), now=started + 1800, resume_from=None)


def _fill(sandbox: Sandbox) -> None:
    now = time.time()
    records = {}
    for number in range(RUNS):
        run = _ended(sandbox, number, now)
        folder = sandbox.home.run_folder(run.id)
        os.mkdir(folder, 0o700)
        RunDirectory(folder).write(run, durable=False)
        records[run.id] = public(run, folder)
    index.update(sandbox.home, records)


def test_the_best_run_of_the_last_week_by_val_loss_is_found_with_few_keys(
    sandbox: Sandbox, open_dashboard: Open
) -> None:
    _fill(sandbox)
    screen = open_dashboard()
    screen.wait_for("Runs 500")
    screen.wait_for("val_loss")
    keys = "/since:7d\r>g"
    for key in keys:
        screen.type(key)
    screen.wait_for("best val_loss▴")
    screen.wait_for(f"h{BEST_OF_WEEK:04d}")  # in the heading of the selected run
    rows = screen.shown().splitlines()
    heading = next(number for number, row in enumerate(rows) if "best val_loss▴" in row)
    assert "of 500" in rows[heading]
    assert "/since:7d" in rows[heading]
    assert "0.02000" in rows[heading + 1]
    assert rows[heading + 1].startswith("▌")
    assert len(keys) == 12
    screen.type("q")
    assert screen.wait_for_exit() == 0
    again = open_dashboard()
    again.wait_for("best val_loss▴")  # remembered
    again.wait_for("0.01000")
    again.type("q")
    assert again.wait_for_exit() == 0
