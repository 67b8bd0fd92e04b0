"""The sampler and the guard of one run on a node, and the check of the node before the run starts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from backprop_tui.domain.errors import BackpropError
from backprop_tui.domain.governor.admission import HOST_CHECKS
from backprop_tui.domain.governor.placement import is_selected_by, unfit_reasons
from backprop_tui.domain.governor.reasons import Check
from backprop_tui.domain.governor.snapshot import MachineSnapshot
from backprop_tui.domain.run import Gpu, Run
from backprop_tui.domain.telemetry import GpuReading
from backprop_tui.engine.capacity import Capacity
from backprop_tui.engine.readings import ReadingsSource, SamplerKeeper
from backprop_tui.processes.detached_log import note
from backprop_tui.store.home import Home
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.watched_file import Signature, signature_of

if TYPE_CHECKING:
    from backprop_tui.engine.guard import Guard

READINGS_SECONDS = 10.0  # how long a job that was given GPUs waits for their first readings


class NodeWatch:
    """Measures the node while the job runs, and acts on the limits of its run: no supervisor of ours lives there."""

    def __init__(self, home: Home, config_path: str) -> None:
        self._home = home
        self._source = ReadingsSource(home)
        self._capacity = Capacity(home, config_path, self._source)
        self._sampler = SamplerKeeper(home, self._source)
        self._guard: Guard | None = None
        self._run: Run | None = None
        self._signature: Signature | None = None

    def check(self, run: Run, indices: Sequence[str]) -> tuple[tuple[Gpu, ...], str | None]:
        """The GPUs that Slurm gave to the run, as far as they are measured, and why the node is unfit, or None."""
        self._sampler.ensure([run])
        snapshot = self._snapshot()
        gpus = assigned(snapshot.readings.gpus, indices)
        snapshot = replace(snapshot, readings=replace(snapshot.readings, gpus=gpus))
        candidate = self._capacity.candidate(run, ())
        reasons = [reason for gpu in gpus for reason in unfit_reasons(candidate, snapshot, gpu)]
        host_reasons = (reason for check in HOST_CHECKS for reason in check(candidate, snapshot))
        reasons += [reason for reason in host_reasons if reason.check is Check.DISK]
        problem = "; ".join(reason.message for reason in reasons) or None
        return tuple(Gpu(index=gpu.index, uuid=gpu.uuid) for gpu in gpus), problem

    def look(self, directory: RunDirectory) -> None:
        """Applies the guard's rules to the run; called once a second."""
        try:
            signature = signature_of(directory.record_path)
            if self._run is None or signature != self._signature:
                self._run, self._signature = directory.read(), signature
            self._sampler.ensure([self._run])
            self._guard = self._guard or self._new_guard()
            self._guard.check([self._run])
        except BackpropError as error:
            note(str(error))

    def _new_guard(self) -> Guard:
        from backprop_tui.engine.guard import Guard  # only once the script runs, which waits for what is loaded before

        return Guard(self._home, self._capacity, self._source)

    def stop(self) -> None:
        self._sampler.stop()

    def _snapshot(self) -> MachineSnapshot:
        """The node now; GPUs that never answer are left out, since nothing is known of them."""
        end = time.monotonic() + READINGS_SECONDS
        while True:
            snapshot = self._capacity.snapshot([])
            if snapshot.gpus_known or time.monotonic() > end:
                return snapshot
            time.sleep(0.05)


def assigned(gpus: Sequence[GpuReading], indices: Sequence[str]) -> tuple[GpuReading, ...]:
    """The GPUs with these indices or UUIDs; all, where Slurm lets the job see no others and numbers them from 0."""
    if len(gpus) == len(indices):
        return tuple(gpus)
    return tuple(gpu for gpu in gpus if any(is_selected_by(index, gpu) for index in indices))
