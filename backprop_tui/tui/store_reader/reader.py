"""Reads the store and the machine's files into a snapshot."""

from __future__ import annotations

import time
from dataclasses import replace

from backprop_tui.client.queueing import is_queue_held
from backprop_tui.config.errors import ConfigError
from backprop_tui.config.machine import machine_limits
from backprop_tui.domain.limits import MachineLimits
from backprop_tui.launchers.lease import supervisor_pid
from backprop_tui.presentation.known_run import Moment
from backprop_tui.processes.linux import boot_id
from backprop_tui.store.home import Home
from backprop_tui.store.run_directory import RunDirectory, read_lines
from backprop_tui.store.watched_file import WatchedFile
from backprop_tui.tui.snapshot import OpenRun, Snapshot
from backprop_tui.tui.store_reader.machine import GovernorReader, MachineReader
from backprop_tui.tui.store_reader.runs import RunsReader


class StoreReader:
    """Reads only what changed since the last time. Not thread-safe."""

    def __init__(self, home: Home, config_path: str) -> None:
        self._home = home
        self._boot_id = boot_id()
        self._config = WatchedFile(config_path)
        self._limits = MachineLimits()
        self._governor = GovernorReader(home)
        self._machine = MachineReader(home)
        self._runs = RunsReader(home)
        self._opened: OpenRun | None = None
        self._events = WatchedFile("")

    def read(self, selected: str | None) -> Snapshot:
        """The current state; `selected` is the id of the run whose events are read too.

        Raises:
            StorageFailed: the state directory cannot be read.
        """
        moment = Moment(wall=time.time(), monotonic=time.monotonic(), boot_id=self._boot_id)
        pid = supervisor_pid(self._home)
        governor = self._governor.read()
        held = is_queue_held(self._home)
        if governor is not None:
            governor = None if pid is None else replace(governor, queue_held=held)
        runs = self._runs.read(self._governor.holds if pid is not None else {})
        sample = self._machine.read(moment.monotonic)
        return Snapshot(
            moment=moment,
            host=self._home.host,
            runs=tuple(runs),
            total=self._runs.total(),
            governor=governor,
            supervisor_pid=pid,
            queue_held=held,
            sample=sample,
            limits=self._read_limits(),
            histories=self._machine.histories,
            opened=None if selected is None else self._read_events(selected),
        )

    def _read_limits(self) -> MachineLimits:
        if self._config.changed():
            try:
                self._limits = machine_limits(self._config.path)
            except ConfigError:  # the supervisor keeps the previous limits as well
                pass
        return self._limits

    def _read_events(self, run_id: str) -> OpenRun:
        path = RunDirectory(self._home.run_folder(run_id)).events_path
        if self._events.path != path:
            self._events = WatchedFile(path)
        if self._events.changed() or self._opened is None:
            self._opened = OpenRun(run_id=run_id, events=tuple(read_lines(path)))
        return self._opened
