"""Fills a store with thousands of ended runs: real run directories, indexed as the supervisor indexes them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace

from backprop_tui.domain.lifecycle import Outcome, begin_attempt, finish_attempt
from backprop_tui.domain.run import Checkpoint, Git, Peak, Queued, Run, Running, Spec
from backprop_tui.domain.status import Status
from backprop_tui.processes.linux import boot_id
from backprop_tui.store import index
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.home import Home
from backprop_tui.store.records import public
from backprop_tui.store.run_directory import RunDirectory

MAX_SPAN_SECONDS = 730 * 86400.0  # two years of runs fill two dozen monthly files
INDEX_BATCH = 2000
_TRAIN = ("/usr/bin/python3", "/srv/train.py", "--lr", "3e-4")
_LOG = b'{"step": 990, "loss": 0.0173}\n{"event": "checkpoint_saved", "path": "ckpt-990.pt", "step": 990}\n'


def add_ended_runs(home: Home, count: int) -> list[str]:
    """Adds ended runs, oldest first, without fsync since the store is temporary; returns their ids."""
    index.update(home, {})  # with an index present, the next command does not rebuild it from the directories
    batch: dict[str, JsonObject] = {}
    ids: list[str] = []
    for run in _runs(home, count):
        folder = home.run_folder(run.id)
        _write(folder, run)
        batch[run.id] = public(run, folder)
        ids.append(run.id)
        if len(batch) == INDEX_BATCH:
            index.update(home, batch)
            batch.clear()
    index.update(home, batch)
    return ids


def _runs(home: Home, count: int) -> Iterator[Run]:
    now, boot = time.time(), boot_id()
    span = min(MAX_SPAN_SECONDS, count * 900.0)
    for number in range(count):
        yield _ended_run(home, number, now - span + number * (span / count), boot)


def _ended_run(home: Home, number: int, created_at: float, boot: str) -> Run:
    run = Run(
        id=f"h{number:07d}",
        name=f"train-{number % 97}",
        host=home.host,
        created_at=created_at,
        position=created_at,
        spec=Spec(command=(*_TRAIN, "--seed", str(number)), script=_TRAIN[1], cwd=os.path.dirname(_TRAIN[1])),
        state=Queued(since=created_at),
        tags=("baseline",) if number % 3 else (),
        git=Git(commit=f"{number:040x}", dirty=False),
    )
    started = begin_attempt(run, now=created_at + 2, boot_id=boot).to(Running(since=created_at + 2.1))
    trained = replace(
        started.with_attempt(replace(started.attempt, running_seconds=600.0)),
        step=990,
        metrics={"loss": 0.0173, "accuracy": 0.981, "lr": 1e-3},
        checkpoints=tuple(_checkpoint(step, created_at) for step in (330, 660, 990)),
        peak=Peak(ram_bytes=1_500_000_000),
    )
    outcome = (
        Outcome(status=Status.COMPLETED, exit_code=0)
        if number % 5
        else Outcome(status=Status.FAILED, exit_code=1, reason="RuntimeError: CUDA out of memory")
    )
    return finish_attempt(trained, outcome, now=created_at + 602, resume_from=None)


def _checkpoint(step: int, created_at: float) -> Checkpoint:
    return Checkpoint(path=f"/srv/ckpt-{step}.pt", step=step, saved_at=created_at + step / 2, size_bytes=4_000_000)


def _write(folder: str, run: Run) -> None:
    os.mkdir(folder, 0o700)
    directory = RunDirectory(folder)
    directory.write(run, durable=False)
    directory.append_event("ended", str(run.status), time=run.created_at + 602, status=run.status)
    with open(directory.log, "wb") as file:
        file.write(_LOG)
