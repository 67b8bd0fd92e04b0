"""Writes runs into a store in any state, with a guardian played by the test."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import Any

from backprop_tui.domain.lifecycle import Outcome, begin_attempt, finish_attempt
from backprop_tui.domain.live import Clock, Live
from backprop_tui.domain.requests import Request
from backprop_tui.domain.run import Cause, Ended, Queued, Run, Running, Spec
from backprop_tui.domain.status import Status
from backprop_tui.processes.linux import boot_id
from backprop_tui.store.creation import create
from backprop_tui.store.files import dump
from backprop_tui.store.home import Home
from backprop_tui.store.locks import Lock
from backprop_tui.store.run_directory import RunDirectory


class Runs:
    """The runs of one store."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self._created = 1_800_000_000.0

    def queued(self, run_id: str, *, spec: dict[str, Any] | None = None, **fields: Any) -> RunDirectory:
        """A queued run; each one newer than the one before."""
        self._created += 1
        asked: dict[str, Any] = {"command": ("true",), "script": None, "cwd": self.home.root} | (spec or {})
        known: dict[str, Any] = {
            "id": run_id,
            "name": run_id,
            "host": self.home.host,
            "created_at": self._created,
            "position": self._created,
            "spec": Spec(**asked),
            "state": Queued(since=self._created),
        }
        return create(self.home, Run(**(known | fields)), {"PATH": os.defpath}, time=self._created)

    def guarded(self, run_id: str, **fields: Any) -> Guardian:
        """A running run, with this test as its guardian."""
        return Guardian(self.queued(run_id, **fields))

    def ended(
        self, run_id: str, status: Status = Status.COMPLETED, *, exit_code: int | None = 0, **fields: Any
    ) -> RunDirectory:
        """A run that has ended; its marker stays, since it is not indexed."""
        guardian = self.guarded(run_id, **fields)
        guardian.ends(status, exit_code=exit_code)
        return guardian.directory


class Guardian:
    """Holds a run's lock and writes its record, as a guardian does."""

    def __init__(self, directory: RunDirectory) -> None:
        self.directory = directory
        lock = directory.try_lock()
        assert lock is not None
        self._lock: Lock = lock
        run = begin_attempt(directory.read(), now=time.time(), boot_id=boot_id())
        self.run = run.to(Running(since=time.time()))
        directory.write(self.run, durable=False)
        self.live = Live(
            attempt=run.attempt.number,
            runner_pid=os.getpid(),
            script_pid=None,
            clock=Clock(mark=time.monotonic(), boot_id=boot_id()),
            time=time.time(),
        )
        self.says()
        directory.append_event("started", f"attempt {run.attempt.number}", time=time.time())

    @property
    def lock_descriptor(self) -> int:
        return self._lock.descriptor

    def says(self, **changes: Any) -> None:
        """Changes the live record."""
        self.live = replace(self.live, **changes)
        self.directory.write_live(self.live)

    def edits(self, run: Run) -> None:
        """Replaces the record."""
        self.run = run
        self.directory.write(run, durable=False)

    def tells(self, kind: str, message: str, **figures: object) -> None:
        """Appends an event."""
        self.directory.append_event(kind, message, time=time.time(), **figures)

    def prints(self, content: bytes) -> None:
        """Appends to the log."""
        with open(self.directory.log, "ab") as file:
            file.write(content)

    def measures(self, step: int, **metrics: float | str) -> None:
        """Appends a line to metrics.jsonl."""
        with open(self.directory.file("metrics.jsonl"), "ab") as file:
            file.write(dump({"time": "2026-01-31T09:05:07.250Z", "step": step, "metrics": metrics}) + b"\n")

    def asked(self) -> list[Request]:
        """The requests so far."""
        return self.directory.requests_after(0)[0]

    def ends(
        self,
        status: Status = Status.COMPLETED,
        *,
        exit_code: int | None = 0,
        signal: str | None = None,
        reason: str | None = None,
        cause: Cause | None = None,
    ) -> Run:
        """Writes the end of the attempt, and of the run unless it is retried; then releases the lock."""
        outcome = Outcome(status=status, exit_code=exit_code, signal=signal, reason=reason, cause=cause)
        self.run = finish_attempt(self.run, outcome, now=time.time(), resume_from=None)
        self.directory.write(self.run, durable=False)
        if isinstance(self.run.state, Ended):
            self.tells("ended", reason or status)
            self.directory.delete_environment(self.run)
        self._lock.close()
        return self.run

    def dies(self) -> None:
        """Releases the lock without writing anything, as if killed."""
        self._lock.close()
