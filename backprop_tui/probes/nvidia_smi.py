"""NVIDIA GPUs through the nvidia-smi command, if the driver's library cannot be used."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from backprop_tui.domain.formatting import duration
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.telemetry import GpuHealth, GpuProcess, GpuReading
from backprop_tui.probes import nvidia_driver
from backprop_tui.probes.gpu_record import (
    NOT_RESPONDING,
    GpuAnswer,
    GpuFailed,
    GpuLost,
    GpuOutcome,
    GpuPoller,
    GpuRecord,
    ProbeUnavailable,
    poll_all,
)
from backprop_tui.processes.hanging_call import HangingCall, Pending

GPU_FIELDS = (
    *("index", "uuid", "name", "pci.bus_id", "temperature.gpu", "utilization.gpu"),
    *("memory.total", "memory.used", "power.draw", "fan.speed", "enforced.power.limit"),
)
PROCESS_FIELDS = ("gpu_uuid", "pid", "used_memory")
_GPU_QUERY = f"--query-gpu={','.join(GPU_FIELDS)}"
_PROCESS_QUERY = f"--query-compute-apps={','.join(PROCESS_FIELDS)}"

_MEBIBYTE = 1 << 20
# Printed for a metric that the GPU does not have or that we may not read; any other text is a failure.
_MISSING = frozenset({"n/a", "not supported", "not available", "not found", "insufficient permissions", ""})
# Unable to determine the device handle for GPU0000:3B:00.0: GPU is lost.  Reboot the system to recover this GPU
_LOST_LINE = re.compile(
    r"device handle for GPU.*?([0-9a-f]+:[0-9a-f]{2}:[0-9a-f]{2}\.[0-9a-f])\s*:\s*(.+)", re.IGNORECASE
)


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class SmiTable:
    answers: dict[int, GpuAnswer | GpuLost]  # by index
    addresses: dict[str, int]  # index by PCI address
    lost: dict[str, GpuLost]  # by PCI address


def parse_gpus(text: str) -> SmiTable:
    """Parses the metrics of GPUs; skips lines that are not valid."""
    table = SmiTable(answers={}, addresses={}, lost={})
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split(",")]
        if len(cells) == len(GPU_FIELDS) and cells[0].isdecimal() and cells[1] and not _cell_error(cells[1]):
            index = int(cells[0])
            table.answers[index] = _parse_gpu_row(cells)
            table.addresses[normalized_address(cells[3])] = index
        elif match := _LOST_LINE.search(line):
            table.lost[normalized_address(match[1])] = GpuLost(problem=" ".join(match[2].split()).rstrip("."))
    return table


def parse_processes(text: str) -> dict[str, tuple[GpuProcess, ...]]:
    """Parses the processes by GPU UUID; skips rows that are not valid."""
    memory: dict[str, dict[int, int | None]] = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split(",")]
        if len(cells) == len(PROCESS_FIELDS) and cells[1].isdecimal():
            memory.setdefault(cells[0], {})[int(cells[1])] = _mebibytes(cells[2])
    return {
        uuid: tuple(GpuProcess(pid=pid, memory_bytes=sizes[pid]) for pid in sorted(sizes))
        for uuid, sizes in memory.items()
    }


def normalized_address(text: str) -> str:
    """Returns a PCI address without leading zeros, since nvidia-smi prints 4 or 8 digits of the domain."""
    domain, _, rest = text.lower().partition(":")
    return f"{domain.lstrip('0') or '0'}:{rest}"


def _parse_gpu_row(cells: list[str]) -> GpuAnswer | GpuLost:
    _, uuid, name, _, temperature, utilization, total, used, power, fan, power_limit = cells
    errors = [error for error in map(_cell_error, cells) if error]
    lost = next((error for error in errors if "lost" in error or "reset" in error), None)
    if lost is not None:
        return GpuLost(problem=lost)
    metrics = (
        *(("temperature", temperature), ("memory", total), ("memory", used)),
        *(("utilization", utilization), ("power", power)),
    )
    failures = {metric: error for metric, cell in metrics if (error := _cell_error(cell))}
    return GpuAnswer(
        uuid=uuid,
        name=name,
        temperature_celsius=_finite_number(temperature),
        utilization_percent=_finite_number(utilization),
        memory_total_bytes=_mebibytes(total),
        memory_used_bytes=_mebibytes(used),
        power_watts=_finite_number(power),
        power_limit_watts=_finite_number(power_limit),
        fan_percent=_finite_number(fan),
        failures=failures,
    )


def _mebibytes(cell: str) -> int | None:
    return int(cell) * _MEBIBYTE if cell.isdecimal() else None


def _finite_number(cell: str) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None


def _cell_error(cell: str) -> str | None:
    """Returns an error in brackets, or starting with ERR; None for a value or a missing metric."""
    text = cell.strip("[]").strip().lower()
    is_error = cell.startswith("[") or cell.upper().startswith("ERR")
    return text if is_error and text not in _MISSING else None


NO_DEVICES = 6  # exit codes, see nvidia-smi(1)
DRIVER_NOT_LOADED = 9
LIBRARY_NOT_FOUND = 12
_KILLED_SECONDS = 0.5
_QUOTED_CHARACTERS = 100


class SmiTimedOut(Exception):
    pass


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class SmiAnswer:
    text: str
    exit_code: int


def run_smi(*query: str, seconds: float) -> SmiAnswer:
    """Runs a query with a time limit. Raises: SmiTimedOut; ProbeUnavailable, if there is no nvidia-smi."""
    try:
        process = subprocess.Popen(
            ["nvidia-smi", *query, "--format=csv,noheader,nounits"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "LC_ALL": "C"},
        )
    except FileNotFoundError as error:
        raise ProbeUnavailable("no nvidia-smi on PATH: it comes with the NVIDIA driver", absent=True) from error
    except OSError as error:
        raise ProbeUnavailable(f"nvidia-smi cannot be run: {error.strerror}") from error
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired as error:
        process.kill()
        # In an uninterruptible sleep inside the driver, a process survives SIGKILL for a while; it is then abandoned.
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=_KILLED_SECONDS)
        raise SmiTimedOut from error
    return SmiAnswer(text=output.decode(errors="replace"), exit_code=process.returncode)


def explain_failure(answer: SmiAnswer, *, sys_root: str) -> ProbeUnavailable:
    """Returns why an answer contains no GPU, and what to do."""
    output = _first_line_quoted(answer.text)
    lowered = answer.text.lower()
    if "mismatch" in lowered:
        return ProbeUnavailable(nvidia_driver.MISMATCH)
    if answer.exit_code == NO_DEVICES or "no devices were found" in lowered:
        return ProbeUnavailable(nvidia_driver.NO_GPU, absent=True)
    if answer.exit_code == LIBRARY_NOT_FOUND:
        return ProbeUnavailable(nvidia_driver.LIBRARY_MISSING)
    if answer.exit_code == DRIVER_NOT_LOADED or "communicate with the nvidia driver" in lowered:
        absent = nvidia_driver.nvidia_card_present(sys_root) is False
        return ProbeUnavailable(nvidia_driver.NO_CARD if absent else nvidia_driver.NOT_LOADED, absent=absent)
    if answer.exit_code != 0:
        return ProbeUnavailable(f"nvidia-smi failed with exit code {answer.exit_code}, {output}: run it to see more")
    return ProbeUnavailable(f"nvidia-smi printed no table of GPUs but {output}: run it to see more")


def _first_line_quoted(text: str) -> str:
    first = next((line.strip() for line in text.splitlines() if line.strip()), "")
    printable = "".join(letter if letter.isprintable() else "?" for letter in first[:_QUOTED_CHARACTERS])
    return f'"{printable}"' if printable else "nothing"


CALL_SECONDS = 8.0  # then the call is killed; without persistence mode it has to wake every GPU first
SUSPECT_SECONDS = 1.5  # then one GPU is suspected of blocking the call for all
ONE_BY_ONE_SECONDS = 60.0
PROCESS_LIST_EVERY = 3  # readings


class NvidiaSmiProbe:
    """Runs the command in threads; if it takes longer than a reading may, the metrics are slightly older."""

    name = "nvidia-smi"

    def __init__(
        self,
        *,
        sample_seconds: float,
        previous: Mapping[int, tuple[GpuReading, float]] | None = None,
        call_seconds: float = CALL_SECONDS,
        suspect_seconds: float = SUSPECT_SECONDS,
        sys_root: str = "/sys",
    ) -> None:
        """`previous` has the readings of an earlier process by index, each with its monotonic time."""
        self._sample_seconds = sample_seconds
        self._previous = previous or {}
        self._call_seconds = call_seconds
        self._suspect_seconds = suspect_seconds
        self._sys_root = sys_root
        self._query_all = HangingCall(lambda: run_smi(_GPU_QUERY, seconds=call_seconds), name="nvidia-smi")
        self._query_processes = HangingCall(
            lambda: run_smi(_PROCESS_QUERY, seconds=call_seconds), name="nvidia-smi-processes"
        )
        self._processes: dict[str, tuple[GpuProcess, ...]] = {}
        self._addresses: dict[str, int] = {}
        self._pollers: dict[int, GpuPoller] = {}
        self._one_by_one_until = 0.0
        self._readings = 0

    def open(self) -> None:
        self._query_all.start()
        try:
            answer = self._query_all.take(self._call_seconds + 1.0)
        except SmiTimedOut:
            answer = Pending(seconds=self._call_seconds)
        if isinstance(answer, Pending):
            raise ProbeUnavailable(
                f"nvidia-smi has not returned for {duration(answer.seconds)}: {nvidia_driver.SEE_KERNEL_LOG}"
            )
        self._update(answer)

    def read(self, seconds: float) -> tuple[GpuReading, ...]:
        """Returns readings of all GPUs that nvidia-smi ever reported."""
        deadline = time.monotonic() + seconds
        if self._readings % PROCESS_LIST_EVERY == 0:
            self._query_processes.start()
        self._readings += 1
        if time.monotonic() < self._one_by_one_until:
            readings = poll_all(self._pollers_by_index(), seconds)
            if all(reading.problem for reading in readings):
                self._one_by_one_until = 0.0  # the problem is not that of a single GPU
        else:
            self._read_together(seconds)
            now = time.monotonic()
            readings = tuple(poller.record.reading(now) for poller in self._pollers_by_index())
        self._update_processes(min(deadline - time.monotonic(), 0.2))
        return tuple(self._with_processes(reading) for reading in readings)

    def close(self) -> None:
        pass

    def _pollers_by_index(self) -> list[GpuPoller]:
        return [self._pollers[index] for index in sorted(self._pollers)]

    def _read_together(self, seconds: float) -> None:
        self._query_all.start()
        try:
            answer = self._query_all.take(seconds)
        except SmiTimedOut:
            self._suspect()
            return
        if not isinstance(answer, Pending):
            self._update(answer)
        elif answer.seconds >= self._suspect_seconds:
            self._suspect()

    def _suspect(self) -> None:
        """Starts querying GPUs one by one, since one of them blocks the call for all."""
        if len(self._pollers) > 1:
            self._one_by_one_until = time.monotonic() + ONE_BY_ONE_SECONDS
            return
        for poller in self._pollers.values():
            poller.record.update(GpuFailed(problem=NOT_RESPONDING), now=time.monotonic())

    def _update(self, answer: SmiAnswer) -> None:
        """Updates the records. Raises: ProbeUnavailable, if the answer contains no GPU."""
        table = parse_gpus(answer.text)
        if not table.answers and not table.lost:
            raise explain_failure(answer, sys_root=self._sys_root)
        self._addresses.update(table.addresses)
        outcomes = self._outcomes(table)
        now = time.monotonic()
        for index, outcome in outcomes.items():
            self._poller(index).record.update(outcome, now=now)
        if outcomes.keys() != self._pollers.keys():
            self._suspect()

    def _outcomes(self, table: SmiTable) -> dict[int, GpuOutcome]:
        """Returns the outcomes by index; a lost GPU that was not seen before gets the first free index."""
        outcomes: dict[int, GpuOutcome] = dict(table.answers)
        for address, lost in table.lost.items():
            if address not in self._addresses:
                taken = set(self._addresses.values())
                self._addresses[address] = next(index for index in range(len(taken) + 1) if index not in taken)
            outcomes[self._addresses[address]] = lost
        return outcomes

    def _poller(self, index: int) -> GpuPoller:
        poller = self._pollers.get(index)
        if poller is None:
            record = GpuRecord(index, sample_seconds=self._sample_seconds, previous=self._previous.get(index))
            poller = self._pollers[index] = GpuPoller(record, lambda: self._query_gpu(record))
        return poller

    def _query_gpu(self, record: GpuRecord) -> GpuOutcome:
        try:
            answer = run_smi("-i", str(record.index), _GPU_QUERY, seconds=self._call_seconds)
        except SmiTimedOut:
            return GpuFailed(problem=NOT_RESPONDING)
        table = parse_gpus(answer.text)
        if record.index in table.answers:
            return table.answers[record.index]
        if table.lost:
            return next(iter(table.lost.values()))
        problem = explain_failure(answer, sys_root=self._sys_root)
        is_gone = answer.exit_code == NO_DEVICES
        return GpuLost(problem="the GPU is gone") if is_gone else GpuFailed(problem=problem.problem)

    def _update_processes(self, seconds: float) -> None:
        """Takes over the list of processes; a late one is used in the next reading, a failed one is ignored."""
        if not self._query_processes.pending:
            return
        try:
            answer = self._query_processes.take(seconds)
        except (SmiTimedOut, ProbeUnavailable):
            return
        if not isinstance(answer, Pending) and answer.exit_code == 0:
            self._processes = parse_processes(answer.text)

    def _with_processes(self, reading: GpuReading) -> GpuReading:
        if reading.health is GpuHealth.LOST:
            return reading
        return replace(reading, processes=self._processes.get(reading.uuid, ()))
