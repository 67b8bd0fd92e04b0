"""A request for new runs: every option of `run` as a typed field, and the grid of runs that a sweep makes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import fields
from itertools import product

from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.formatting import shortened
from backprop_tui.domain.goals import Goal
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.limits import MemoryLimit
from backprop_tui.domain.objective import Objective
from backprop_tui.domain.secrets import mask_words
from backprop_tui.domain.slurm import SlurmOptions
from backprop_tui.domain.thresholds import THRESHOLDS, Thresholds

IN_FORM = " in the field Options"  # where a form takes the options without a field of their own
SWEEP_OF_WAITING = "a waiting run cannot become a sweep"
NO_LIMIT = math.inf  # a timebox that never ends; None is a timebox that was not given
MAX_RUNS = 10_000
MAX_DIGITS = 18
MAX_RANGE_CHARS = len("-..-") + 2 * MAX_DIGITS
_KEY = r"[A-Za-z_][A-Za-z0-9_.-]*"
_RANGE = r"(?P<first>-?\d+)\.\.(?P<last>-?\d+)"
# Ranges and lists as others write them: 1-3, 1:3, 1...3, 1…3, {1..3}; range(3); 0.1-0.3; [1,2,3]; 1 2 3, 1;2;3.
_OTHER_RANGE = r"[\[({]?\s*(-?\d+)\s*(?:-|–|…|:|to|\.{2,})\s*(-?\d+)\s*[\])}]?"
_PYTHON_RANGE = r"range\((?:(-?\d+)\s*,\s*)?(-?\d+)\)"
_DECIMAL_RANGE = r"-?\d*\.\d+\s*[-–:]\s*-?\d*\.?\d+|-?\d+\s*[-–:]\s*-?\d*\.\d+"
_OTHER_LIST = r"[\[({](.*,.*)[\])}]|(-?[\d.][^\s;,]*(?:\s*[\s;]\s*-?[\d.][^\s;,]*)+)"

Point = tuple[tuple[str, str], ...]  # one value for each key of a sweep


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class SweepAxis:
    key: str
    values: tuple[str, ...]


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class WarningSignal:
    """The signal that a script gets this many seconds before its limit; `name` None is no warning."""

    name: str | None
    seconds: float


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What can be given to a new run and again to one that is resumed; None or empty if not given."""

    name: str | None = None
    tags: tuple[str, ...] = ()
    note: str | None = None
    priority: int | None = None
    objective: Objective | None = None
    # Limits
    max_run_seconds: float | None = None  # may be NO_LIMIT
    total_seconds: float | None = None
    until: tuple[Goal, ...] = ()
    max_parallel: int | None = None  # may be MACHINES_LIMIT
    max_load_per_core: float | None = None
    min_free_ram_bytes: int | None = None
    min_free_disk_bytes: int | None = None
    # GPUs
    gpus: int | None = None
    gpu_ids: tuple[str, ...] | None = None
    gpu_memory_limit: MemoryLimit | None = None
    gpu_min_free_vram_bytes: int | None = None
    gpu_max_temp_celsius: float | None = None
    gpu_probe: str | None = None
    # Queue
    after: tuple[str, ...] = ()  # handles of runs, each perhaps with `:any`
    retries: int | None = None
    launcher: str | None = None
    slurm_partition: str | None = None
    slurm_account: str | None = None
    slurm_qos: str | None = None
    slurm_constraint: str | None = None
    slurm_gres: str | None = None
    slurm_cpus: int | None = None
    slurm_memory_gb: float | None = None
    slurm_extra: tuple[str, ...] = ()
    # Environment
    python: str | None = None
    cwd: str | None = None
    env: tuple[tuple[str, str], ...] = ()
    framework: str | None = None
    # Stopping
    stop_signal: str | None = None
    grace_seconds: float | None = None
    warn_signal: WarningSignal | None = None
    leftovers: str | None = None
    # Checkpoints
    resume_from: str | None = None
    resume_arg: str | None = None
    checkpoint_every_seconds: float | None = None
    checkpoint_globs: tuple[str, ...] = ()


def slurm_options_of(options: RunOptions) -> SlurmOptions:
    """What the job is to ask for."""
    return SlurmOptions(**{field.name: getattr(options, f"slurm_{field.name}") for field in fields(SlurmOptions)})


def thresholds_of(options: RunOptions) -> Thresholds:
    return Thresholds(**{name: getattr(options, name) for name in THRESHOLDS})


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest(RunOptions):
    script: str | None = None
    arguments: tuple[str, ...] = ()
    command: tuple[str, ...] | None = None
    run_id: str | None = None
    key: str | None = None
    group: str | None = None
    sweep: tuple[SweepAxis, ...] = ()
    like: str | None = None  # a handle: everything else that is not given is that of this run; `command` are arguments


def parse_axis(text: str) -> SweepAxis:
    """Parses KEY=V1,V2 or KEY=A..B, whole numbers including both ends; ValueError for anything else."""
    key, equals, listed = text.partition("=")
    if not equals or not re.fullmatch(_KEY, key):
        raise ValueError(f"{text!r} is not KEY=V1,V2 or KEY=A..B, such as lr=1e-3,1e-4 or seed=1..3")
    meant = _in_our_notation(listed)
    if meant is not None:
        raise ValueError(f"{text!r} is not KEY=V1,V2 or KEY=A..B; write {key}={meant}")
    values = tuple(value for part in listed.split(",") for value in _axis_values(text, part.strip()))
    if len(set(values)) < len(values):
        raise ValueError(f"{text!r} has a value twice")
    return SweepAxis(key=key, values=values)


def _in_our_notation(listed: str) -> str | None:
    """The values as we write them, if they are a range or a list in another notation."""
    if re.fullmatch(_RANGE, listed):
        return None
    python, list_ = re.fullmatch(_PYTHON_RANGE, listed), re.fullmatch(_OTHER_LIST, listed)
    if python is not None:
        return f"{python[1] or 0}..{int(python[2]) - 1}"
    parts = [part.strip() for part in listed.split(",")]
    meant = [re.sub(_OTHER_RANGE, r"\1..\2", part) if re.fullmatch(_OTHER_RANGE, part) else part for part in parts]
    is_mixed = len(parts) == 1 or not set(meant).isdisjoint(parts)  # but 3-4,5-6 may be names
    if meant != parts and is_mixed and all(re.fullmatch(r"-?[\d.]+", part) for part in meant):
        return ",".join(meant)
    return None if list_ is None else ",".join(re.split(r"\s*[\s;,]\s*", (list_[1] or list_[2]).strip()))


def _axis_values(text: str, part: str) -> Iterator[str]:
    match = re.fullmatch(_RANGE, part)
    if match is None:
        if not part:
            raise ValueError(f"{text!r} has an empty value")
        if re.fullmatch(_DECIMAL_RANGE, part) or (".." in part and part != ".." and "/" not in part):
            key = text.partition("=")[0]
            raise ValueError(f"{text!r}: A..B is for whole numbers; list other values, such as {key}=0.1,0.2,0.3")
        yield part
        return
    if len(part) > MAX_RANGE_CHARS:
        raise ValueError(f"{shortened(part)}: the ends of a range have at most {MAX_DIGITS} digits")
    first, last = int(match["first"]), int(match["last"])
    if first > last:
        raise ValueError(f"{part}: the range ends before it begins; write {last}..{first}")
    if last - first >= MAX_RUNS:
        raise ValueError(f"{part}: more than {MAX_RUNS} values")
    yield from (str(value) for value in range(first, last + 1))


def grid(axes: Sequence[SweepAxis]) -> list[Point]:
    """Every combination, the last key changing fastest; one empty point if there is no axis."""
    keys = [axis.key for axis in axes]
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if twice is not None:
        raise UsageError(f"--sweep {twice}: given twice", "put all its values into one --sweep")
    count = math.prod(len(axis.values) for axis in axes)
    if count > MAX_RUNS:
        raise UsageError(f"--sweep: makes {count} runs", f"at most {MAX_RUNS} are accepted at once: split it")
    return [tuple(zip(keys, values, strict=True)) for values in product(*(axis.values for axis in axes))]


def arguments_at(arguments: Sequence[str], point: Point) -> tuple[str, ...]:
    """The arguments with the values of a point: in place of {KEY}, else as `--KEY VALUE` at the end."""
    words = tuple(arguments)
    for key, value in point:
        placeholder = f"{{{key}}}"
        if any(placeholder in word for word in words):
            words = tuple(word.replace(placeholder, value) for word in words)
        else:
            words = (*words, f"--{key}", value)
    return words


def name_at(name: str, point: Point) -> str:
    return f"{name}:{','.join(mask_words([f'{key}={value}' for key, value in point]))}" if point else name
