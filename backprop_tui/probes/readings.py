"""readings.json: the sampler's measurements as JSON, written and read."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, field
from typing import Any

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.telemetry import GpuHealth, GpuProcess, GpuReading, HostReading, Readings
from backprop_tui.processes.linux import boot_id

SCHEMA_VERSION = 1


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Readings together with information about the sampler that took them.

    `passed_over` maps the probes that were not selected to the reasons. `gpus_known` is False until it is certain which
    GPUs there are. `pid` is the sampler's.
    """

    readings: Readings
    passed_over: Mapping[str, str] = field(default_factory=dict)
    gpus_known: bool = True
    pid: int
    boot_id: str


def encode_sample(sample: Sample) -> bytes:
    """Encode as JSON.

    Raises:
        ValueError: a number is not finite.
    """
    readings = sample.readings
    document = {
        "schema_version": SCHEMA_VERSION,
        "time": readings.time,
        "boot_id": sample.boot_id,
        "pid": sample.pid,
        "probe": readings.probe,
        "probe_problem": readings.probe_problem,
        "passed_over": dict(sample.passed_over),
        "gpus_known": sample.gpus_known,
        "host": asdict(readings.host),
        "gpus": [asdict(gpu) for gpu in readings.gpus],
    }
    return json.dumps(document, separators=(",", ":"), allow_nan=False).encode("ascii")


def decode_sample(content: bytes) -> Sample | None:
    """The inverse of `encode`; None if the content is not valid or has another schema version."""
    try:
        document = json.loads(content)
        return _sample(document) if document["schema_version"] == SCHEMA_VERSION else None
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None


def _sample(document: dict[str, Any]) -> Sample:
    readings = Readings(
        time=float(document["time"]),
        host=_host(document["host"]),
        gpus=tuple(_gpu(gpu) for gpu in document["gpus"]),
        probe=str(document["probe"]),
        **_optional(document, probe_problem=str),
    )
    return Sample(
        readings=readings,
        passed_over={str(name): str(reason) for name, reason in document.get("passed_over", {}).items()},
        gpus_known=document.get("gpus_known") is not False,
        pid=int(document["pid"]),
        boot_id=str(document["boot_id"]),
    )


def _host(host: dict[str, Any]) -> HostReading:
    numbers = _optional(host, cpu_percent=float, load_1m=float, cores=float)
    sizes = _optional(host, ram_total_bytes=int, ram_available_bytes=int, disk_free_bytes=int)
    return HostReading(**numbers, **sizes)


def _gpu(gpu: dict[str, Any]) -> GpuReading:
    numbers = _optional(gpu, temperature_celsius=float, utilization_percent=float, power_watts=float, fan_percent=float)
    return GpuReading(
        index=int(gpu["index"]),
        uuid=str(gpu["uuid"]),
        name=str(gpu["name"]),
        health=GpuHealth(gpu["health"]),
        processes=tuple(_process(process) for process in gpu.get("processes", ())),
        age_seconds=float(gpu.get("age_seconds", 0.0)),
        **numbers,
        **_optional(gpu, memory_total_bytes=int, memory_used_bytes=int, problem=str),
    )


def _process(process: dict[str, Any]) -> GpuProcess:
    return GpuProcess(pid=int(process["pid"]), **_optional(process, memory_bytes=int, owner=str, run=str))


def _optional(source: dict[str, Any], **converters: Callable[[Any], Any]) -> dict[str, Any]:
    """The converted values of these keys; None for a key that is missing or null."""
    return {key: None if (value := source.get(key)) is None else convert(value) for key, convert in converters.items()}


_MAX_BYTES = 16 * 1024 * 1024


def read_readings(path: str) -> Readings | None:
    """The latest readings of this boot; None if there are none, or the GPUs are not known yet."""
    sample = read_sample(path)
    return sample.readings if sample is not None and sample.gpus_known else None


def read_sample(path: str) -> Sample | None:
    """The latest sample of this boot, even if the GPUs are not known yet; None if there is none."""
    try:
        with open(path, "rb") as file:
            content = file.read(_MAX_BYTES)
    except OSError:
        return None  # no sampler has written it yet
    sample = decode_sample(content)
    return sample if sample is not None and sample.boot_id == boot_id() else None


def write_sample(path: str, sample: Sample) -> None:
    """Replace the file atomically, readable only by its owner.

    It is not synced to disk: after a power cut it would belong to an earlier boot anyway.

    Raises:
        OSError: it cannot be written; the old file is unchanged.
    """
    folder, name = os.path.split(path)
    # Two samplers may write at the same time for a moment, so each has its own temporary file.
    temporary = os.path.join(folder, f".{name}.{sample.pid}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(encode_sample(sample))
        os.replace(temporary, path)
    except OSError:
        _remove_if_possible(temporary)
        raise


def remove_leftovers(path: str) -> None:
    """Remove the temporary files of samplers that were killed while writing."""
    folder, name = os.path.split(path)
    try:
        entries = os.listdir(folder)
    except OSError:
        return  # the next write will report the problem
    for entry in entries:
        pid = entry.removeprefix(f".{name}.").removesuffix(".tmp")
        if entry == f".{name}.{pid}.tmp" and pid.isdecimal() and not os.path.exists(f"/proc/{pid}"):
            _remove_if_possible(os.path.join(folder, entry))


def _remove_if_possible(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass  # a leftover temporary file is harmless
