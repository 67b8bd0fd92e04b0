"""What is read of a run for its charts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from backprop_tui.domain.course import Course
from backprop_tui.domain.run import Run
from backprop_tui.domain.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What the run used at one moment; `time` in seconds since the epoch. A missing reading is None.

    Of several GPUs: the mean utilisation, the most memory that it holds on one of them, the highest temperature.
    """

    time: float
    cpu_percent: float | None = None
    ram_bytes: int | None = None
    processes: int | None = None
    utilization_percent: float | None = None
    memory_bytes: int | None = None
    temperature_celsius: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFigures:
    """One run; `run` is None where only the index knows it.

    `caught_up` is False while a large file is read and samples of it stand for the whole; `problem` is why nothing
    can be read.
    """

    run_id: str
    metrics: Mapping[str, Course] = field(default_factory=dict)
    used: tuple[Used, ...] = ()
    run: Run | None = None
    caught_up: bool = True
    problem: str | None = None
