"""The file in which a sampler tells what it measured: readings.json of a host."""

from __future__ import annotations

import os

from backprop_tui.domain.telemetry import Readings
from backprop_tui.probes.readings_codec import Sample, decode, encode
from backprop_tui.processes.linux import boot_id

_MAX_BYTES = 16 * 1024 * 1024


def read_readings(path: str) -> Readings | None:
    """The newest readings; None where there are none of this boot that can be understood.

    Nor are there any while a sampler is still finding out which GPUs there are.
    """
    sample = read_sample(path)
    return sample.readings if sample is not None and sample.gpus_known else None


def read_sample(path: str) -> Sample | None:
    """All that the file says; also before the GPUs are known."""
    try:
        with open(path, "rb") as file:
            content = file.read(_MAX_BYTES)
    except OSError:
        return None  # no sampler has written yet
    sample = decode(content)
    return sample if sample is not None and sample.boot_id == boot_id() else None


def write_sample(path: str, sample: Sample) -> None:
    """Replaces the file as a whole, for its owner alone; a power cut may lose it: it would be of another boot anyway.

    Raises:
        OSError: it cannot be written; the old file stands.
    """
    folder, name = os.path.split(path)
    # Two samplers may write at once for a moment: each has a temporary file of its own.
    temporary = os.path.join(folder, f".{name}.{sample.pid}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(encode(sample))
        os.replace(temporary, path)
    except OSError:
        remove(temporary)
        raise


def remove_leftovers(path: str) -> None:
    """Temporary files of samplers that were killed while they wrote."""
    folder, name = os.path.split(path)
    try:
        entries = os.listdir(folder)
    except OSError:
        return  # writing will tell what is wrong with it
    for entry in entries:
        pid = entry.removeprefix(f".{name}.").removesuffix(".tmp")
        if entry == f".{name}.{pid}.tmp" and pid.isdecimal() and not os.path.exists(f"/proc/{pid}"):
            remove(os.path.join(folder, entry))


def remove(path: str) -> None:
    """Gone, whether or not it was there."""
    try:
        os.unlink(path)
    except OSError:
        pass  # nobody reads it: being in the way is all it could do
