"""Keeps a run's directory usable, whatever its script does to it: delete, move or close it, overwrite its record."""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from backprop_tui.domain.errors import AccessDenied, BackpropError, BrokenRecord
from backprop_tui.domain.run import Run
from backprop_tui.processes.identity import Identity
from backprop_tui.processes.users import shared_with
from backprop_tui.runner.recorder import Recorder
from backprop_tui.store.files import unused_name, write_atomically
from backprop_tui.store.home import Home
from backprop_tui.store.locks import try_lock
from backprop_tui.store.records import encode_run
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.watched_file import Signature, signature_of


class DirectoryKeeper:
    """Looks at it with each tick of the guardian, which costs four system calls while nothing has changed.

    A supervisor that finds no lock would give the run another guardian, and one that finds no record would give its
    GPUs to other runs. A run without its marker was removed on purpose, and is left alone.
    """

    def __init__(
        self,
        home: Home,
        directory: RunDirectory,
        lock_descriptor: int,
        recorder: Recorder,
        script: Identity,
        recorded: Run,
    ) -> None:
        """`recorded` is the run before it was running; it stays in the record if the disk is full."""
        self.directory = directory
        self._marker = home.marker(os.path.basename(directory.path))
        self._recorder = recorder
        self._script = script
        self._lock_descriptor = lock_descriptor  # of the lock in the directory; earlier ones stay open
        self._before = recorded
        self._record: Signature | None = None  # of the record as it was looked at last

    def check(self, run: Run) -> None:
        """Repairs what is damaged; what cannot be repaired is tried again, and shown as the problem of the run."""
        try:
            self._check(run)
        except (BackpropError, OSError) as error:
            self._recorder.change(problem=f"the run directory is damaged: {error}")

    def _check(self, run: Run) -> None:
        directory, problems = self.directory, []
        if self._must_close():
            os.chmod(directory.path, 0o700)
            problems.append("its mode set to 700 again")
        if not self._has_lock():
            if not os.path.lexists(self._marker):
                return
            self._make_directory()
            lock = try_lock(directory.lock_path)
            if lock is None:
                return  # a supervisor is looking at it at this moment
            self._lock_descriptor = lock.descriptor
            problems.append("made again, with nothing of what was in it")
        if not os.path.lexists(directory.script_lock):
            identity = f"{run.attempt.number} {self._script.pid} {self._script.start_time}\n"
            write_atomically(directory.script_lock, identity.encode("ascii"), durable=False)
        if self._is_record_damaged(run):
            directory.restore_record(run)
            problems.append("its record written again")
        self._record = signature_of(directory.record_path)
        if problems:
            self._recorder.record_event("directory_damaged", f"something damaged its directory: {', '.join(problems)}")
            self._recorder.commit()

    def _must_close(self) -> bool:
        """Whether others may change the directory, or its owner may not."""
        try:
            mode = os.stat(self.directory.path).st_mode
        except OSError:
            return False
        return stat.S_ISDIR(mode) and (mode & 0o700 != 0o700 or shared_with(self.directory.path) is not None)

    def _has_lock(self) -> bool:
        """Whether the lock in the directory is the one that this process holds."""
        try:
            return os.path.samestat(os.stat(self.directory.lock_path), os.fstat(self._lock_descriptor))
        except OSError:
            return False

    def _make_directory(self) -> None:
        path = self.directory.path
        if os.path.lexists(path) and not os.path.isdir(path):
            os.rename(path, unused_name(f"{path}.damaged"))
        os.makedirs(path, mode=0o700, exist_ok=True)
        if os.path.isdir(self.directory.lock_path):
            os.rename(self.directory.lock_path, unused_name(f"{self.directory.lock_path}.damaged"))

    def _is_record_damaged(self, run: Run) -> bool:
        """Whether the record is not the one that this guardian wrote: only the holder of the lock may change it."""
        signature = signature_of(self.directory.record_path)
        if signature is not None and signature in (self._record, self.directory.written):
            return False
        with suppress(BrokenRecord, AccessDenied):  # others, as of the disk, are no fault of the record
            path = self.directory.path
            known = (encode_run(run, path), encode_run(self._before, path))
            return encode_run(self.directory.read(), path) not in known
        return True
