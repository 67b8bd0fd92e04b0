"""The record and the loss curve of one run that is not in the index, read again when they change."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from backprop_tui.client.runs import record_elsewhere
from backprop_tui.domain.errors import StorageFailed
from backprop_tui.domain.metric_names import main_loss
from backprop_tui.domain.run import Run
from backprop_tui.domain.status import ACTIVE, ENDED, Status
from backprop_tui.presentation.known_run import KnownRun, LossCurve
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.home import Home
from backprop_tui.store.hosts import is_silent
from backprop_tui.store.records import holds_of, public, with_holds
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.tail import JsonTail
from backprop_tui.store.watched_file import UNKNOWN, Signature, signature_of

MAX_CURVE_POINTS = 240  # then pairs are averaged, so that noise stays small
FIRST_BYTES = 1 << 20  # of the end of a long metrics file, which are read first


def _held(known: KnownRun, holds: Sequence[JsonObject]) -> KnownRun:
    """The run as it waits for other reasons; its files need not be read again."""
    if known.run is None or known.status is not Status.QUEUED:
        return known
    return replace(known, record=with_holds(known.record, known.run, holds_of(known.run, holds)))


class MarkedRun:
    """A run that has a marker, with its files as they were last read."""

    def __init__(self, home: Home, run_id: str) -> None:
        self._home = home
        self._directory = RunDirectory(home.run_folder(run_id))
        self._signatures: tuple[Signature | None, ...] | None = None
        self._holds: Sequence[JsonObject] = ()
        self._known: KnownRun | None = None
        self._record: tuple[Signature | None, Run] | None = None  # as it was last decoded
        self._id = run_id
        self._curve = CurveReader(self._directory.metrics_path)

    def read(self, holds: Sequence[JsonObject]) -> KnownRun | None:
        """The current run; None if it cannot be read, since the marker is older or younger than the record."""
        signatures = tuple(map(signature_of, self._files()))
        if signatures != self._signatures:
            requests = signature_of(self._directory.requests_path)
            self._holds, self._known = holds, self._read_records(holds, signatures[0])
            self._signatures = (*signatures[:2], requests)[: len(self._files())]
        elif holds != self._holds:
            self._holds = holds
            self._known = None if self._known is None else _held(self._known, holds)
        known = self._known
        if known is None or known.status in ENDED:
            return known
        if known.run is not None and known.run.current_host != self._home.host and is_silent(self._home, known.run):
            record = record_elsewhere(self._home, known.record, known.run)
            live = None if known.live is None else replace(known.live, problem=record["reason"])
            known = replace(known, record=record, live=live)
        if known.status not in ACTIVE:
            return known
        return replace(known, curve=self._curve.read(), written_at=self._log_written_at())

    def forget(self) -> None:
        """The run can be read, or is gone: it is not left out any more."""
        self._home.set_unreadable(self._directory.record_path, {})

    def _files(self) -> tuple[str, ...]:
        """What the record is read from: that of a run in Slurm's queue also from the edits that its job will make."""
        run = None if self._known is None else self._known.run
        is_submitted = run is not None and run.submitted_job is not None
        directory = self._directory
        return directory.record_path, directory.live_path, *([directory.requests_path] if is_submitted else [])

    def _read_records(self, holds: Sequence[JsonObject], signature: Signature | None) -> KnownRun | None:
        try:
            run = self._read_run(signature)
        except StorageFailed as error:
            is_missing = signature_of(self._directory.record_path) is None  # not created yet, or being removed
            self._home.set_unreadable(self._directory.record_path, {} if is_missing else {self._id: str(error)})
            return None
        self.forget()
        live = self._directory.read_live() if run.status in ACTIVE else None
        if live is not None and live.attempt != run.attempt.number:
            live = None
        record = public(run, self._directory.path, live=live, holds=holds_of(run, holds))
        return KnownRun(record=record, run=run, live=live)

    def _read_run(self, signature: Signature | None) -> Run:
        """The run as it is recorded; while it is active only its live record changes, once a second."""
        kept, self._record = self._record, None
        run = kept[1] if kept is not None and kept[0] == signature else self._directory.read()
        if signature not in (None, UNKNOWN) and run.submitted_job is None:  # that one depends on its requests too
            self._record = signature, run
        return run

    def _log_written_at(self) -> float | None:
        try:
            status = os.stat(self._directory.log)
        except OSError:
            return None
        return status.st_mtime if status.st_size else None


class CurveReader:
    """Reads the loss curve of one run from metrics.jsonl, continuing where it stopped."""

    def __init__(self, path: str) -> None:
        self._tail = JsonTail(path, last_bytes=FIRST_BYTES)
        self._name: str | None = None
        self._values: list[float] = []
        self._part: list[float] = []  # of the next point, the mean of `_stride` values
        self._stride = 1

    def read(self) -> LossCurve:
        try:
            lines = self._tail.read()
        except OSError:
            lines = []  # a run is shown without its curve rather than not at all
        if self._tail.restarted:
            self._clear()
        for line in lines:
            self._take_values(line)
        return LossCurve(name=self._name, values=tuple(self._values))

    def _take_values(self, line: JsonObject) -> None:
        metrics = line.get("metrics")
        if not isinstance(metrics, dict):
            return
        self._choose_metric([str(name) for name in metrics])
        value = metrics.get(self._name)
        if isinstance(value, int | float):
            self._part.append(float(value) / self._stride)
            if len(self._part) == self._stride:
                self._values.append(sum(self._part))
                self._part.clear()
            if len(self._values) == MAX_CURVE_POINTS:
                pairs = zip(self._values[::2], self._values[1::2], strict=True)
                self._values = [first / 2 + second / 2 for first, second in pairs]
                self._stride *= 2

    def _choose_metric(self, names: list[str]) -> None:
        """Switches to the training loss, even if the validation loss was printed first."""
        name = main_loss([*([] if self._name is None else [self._name]), *names])
        if name != self._name:
            self._name = name
            self._clear()

    def _clear(self) -> None:
        self._values.clear()
        self._part.clear()
        self._stride = 1
