"""readings.json: the sampler's measurements as JSON, written and read."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import field, replace

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.telemetry import Readings
from backprop_tui.processes.linux import boot_id
from backprop_tui.store.codec import decode, encode
from backprop_tui.store.files import dump, read_file, replace_by

SCHEMA_VERSION = 1
CLOCK_SECONDS = 1.0  # more than a sampler and its readers differ by while the clock is not set


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Readings together with information about the sampler that took them.

    `passed_over` maps the probes that were not selected to the reasons. `gpus_known` is False until it is certain which
    GPUs there are. `pid` is the sampler's. `mark` is their time by the clock of the boot, which nobody sets and which
    goes on while the machine is suspended.
    """

    readings: Readings
    passed_over: Mapping[str, str] = field(default_factory=dict)
    gpus_known: bool = True
    pid: int
    boot_id: str
    mark: float | None = None

    def in_present_time(self) -> Sample:
        """The same by the wall clock of now, which may have been set since: what is old must not look new."""
        if self.mark is None or self.boot_id != boot_id():
            return self
        taken_at = time.time() - max(0.0, boot_seconds() - self.mark)
        if abs(taken_at - self.readings.time) < CLOCK_SECONDS:
            return self
        return replace(self, readings=replace(self.readings, time=taken_at))


def boot_seconds() -> float:
    """The clock of the boot."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def encode_sample(sample: Sample) -> bytes:
    fields = encode(sample)
    return dump({"schema_version": SCHEMA_VERSION, **fields.pop("readings"), **fields})


def decode_sample(content: bytes) -> Sample | None:
    """Returns the inverse of `encode_sample`; None if the content is not valid or has another schema version."""
    try:
        document = json.loads(content)
        is_known = document["schema_version"] == SCHEMA_VERSION
        return decode(Sample, {**document, "readings": document}) if is_known else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


_MAX_BYTES = 16 * 1024 * 1024


def read_readings(path: str) -> Readings | None:
    """Returns the latest readings of this boot; None if there are none, or the GPUs are not known yet."""
    sample = read_sample(path)
    return sample.readings if sample is not None and sample.gpus_known else None


def read_sample(path: str, *, of_this_boot: bool = True) -> Sample | None:
    """Returns the latest sample, even if the GPUs are not known yet; None if there is none.

    `of_this_boot`: one of this machine since it was started, and not what another machine wrote.
    """
    try:
        content = read_file(path, most=_MAX_BYTES)
    except OSError:
        return None  # no sampler has written it yet
    sample = decode_sample(content)
    is_other = of_this_boot and sample is not None and sample.boot_id != boot_id()
    return None if is_other or sample is None else sample.in_present_time()


def write_sample(path: str, sample: Sample) -> None:
    replace_file(path, encode_sample(sample), sample.pid)


def replace_file(path: str, content: bytes, pid: int) -> None:
    """Replaces the file atomically, readable only by its owner; not synced, as it is useless after a power cut.

    Two samplers may write at the same time for a moment, so each has its own temporary file, named by its pid.
    """
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f".{name}.{pid}.tmp")
    with suppress(FileNotFoundError):
        os.unlink(temporary)  # of a killed sampler that had the same pid
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
        replace_by(temporary, path)
    except OSError:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def remove_leftovers(path: str) -> None:
    """Removes the temporary files of samplers that were killed while writing."""
    folder, name = os.path.split(path)
    try:
        entries = os.listdir(folder)
    except OSError:
        return  # the next write will report the problem
    for entry in entries:
        pid = entry.removeprefix(f".{name}.").removesuffix(".tmp")
        if entry == f".{name}.{pid}.tmp" and pid.isdecimal() and not os.path.exists(f"/proc/{pid}"):
            with suppress(OSError):  # a leftover temporary file is harmless
                os.unlink(os.path.join(folder, entry))
