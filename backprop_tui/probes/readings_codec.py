"""Readings as JSON and back; GPUs have the names that `status --json` shows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, field
from typing import Any

from backprop_tui.domain.telemetry import GpuHealth, GpuProcess, GpuReading, HostReading, Readings
from backprop_tui.domain.values import dataclass

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Readings, and what belongs to their measuring.

    `passed_over` has the probes that were not picked and why. `gpus_known` is False until it is settled which GPUs
    there are. `pid` is the sampler's.
    """

    readings: Readings
    passed_over: Mapping[str, str] = field(default_factory=dict)
    gpus_known: bool = True
    pid: int
    boot_id: str


def encode(sample: Sample) -> bytes:
    """As JSON.

    Raises:
        ValueError: a figure is not finite.
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


def decode(content: bytes) -> Sample | None:
    """The inverse; None where it is not such a document, or of a version that came later."""
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
        probe_problem=_text(document, "probe_problem"),
    )
    return Sample(
        readings=readings,
        passed_over={str(name): str(why) for name, why in document.get("passed_over", {}).items()},
        gpus_known=document.get("gpus_known") is not False,
        pid=int(document["pid"]),
        boot_id=str(document["boot_id"]),
    )


def _host(host: dict[str, Any]) -> HostReading:
    return HostReading(
        cpu_percent=_number(host, "cpu_percent"),
        load_1m=_number(host, "load_1m"),
        cores=_number(host, "cores"),
        ram_total_bytes=_whole(host, "ram_total_bytes"),
        ram_available_bytes=_whole(host, "ram_available_bytes"),
        disk_free_bytes=_whole(host, "disk_free_bytes"),
    )


def _gpu(gpu: dict[str, Any]) -> GpuReading:
    return GpuReading(
        index=int(gpu["index"]),
        uuid=str(gpu["uuid"]),
        name=str(gpu["name"]),
        health=GpuHealth(gpu["health"]),
        temperature_celsius=_number(gpu, "temperature_celsius"),
        utilization_percent=_number(gpu, "utilization_percent"),
        memory_total_bytes=_whole(gpu, "memory_total_bytes"),
        memory_used_bytes=_whole(gpu, "memory_used_bytes"),
        power_watts=_number(gpu, "power_watts"),
        fan_percent=_number(gpu, "fan_percent"),
        processes=tuple(_process(process) for process in gpu.get("processes", ())),
        age_seconds=float(gpu.get("age_seconds", 0.0)),
        problem=_text(gpu, "problem"),
    )


def _process(process: dict[str, Any]) -> GpuProcess:
    return GpuProcess(
        pid=int(process["pid"]),
        memory_bytes=_whole(process, "memory_bytes"),
        owner=_text(process, "owner"),
        run=_text(process, "run"),
    )


def _number(source: dict[str, Any], key: str) -> float | None:
    value = source.get(key)
    return None if value is None else float(value)


def _whole(source: dict[str, Any], key: str) -> int | None:
    value = source.get(key)
    return None if value is None else int(value)


def _text(source: dict[str, Any], key: str) -> str | None:
    value = source.get(key)
    return None if value is None else str(value)
