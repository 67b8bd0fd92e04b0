"""Reads and writes readings.json, the file through which the sampler publishes its measurements."""

from __future__ import annotations

import os

from backprop_tui.domain.telemetry import Readings
from backprop_tui.probes.readings_codec import Sample, decode, encode
from backprop_tui.processes.linux import boot_id

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
    sample = decode(content)
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
            file.write(encode(sample))
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
