"""One run as the front ends know it, at one moment, and what can be computed from that."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import field
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from backprop_tui.domain.formatting import from_iso
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.lifecycle import is_sliced, slice_number, timebox_seconds
from backprop_tui.domain.live import Live
from backprop_tui.domain.metric_names import main_loss
from backprop_tui.domain.run import Queued, Run
from backprop_tui.domain.run_names import split_point
from backprop_tui.domain.status import Status
from backprop_tui.presentation import numbers
from backprop_tui.processes.linux import boot_id
from backprop_tui.store.fields import JsonObject

_MAX_KEPT = 1 << 15
ArgumentsP = ParamSpec("ArgumentsP")
ValueT = TypeVar("ValueT")


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Now: `wall` in seconds since the epoch, `monotonic` on CLOCK_MONOTONIC of boot `boot_id`."""

    wall: float
    monotonic: float
    boot_id: str

    @classmethod
    def now(cls) -> Moment:
        return cls(wall=time.time(), monotonic=time.monotonic(), boot_id=boot_id())


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class LossCurve:
    """The loss of a run so far; None and empty without one."""

    name: str | None = None
    values: tuple[float, ...] = ()


_STATUSES = {status.value: status for status in Status}  # five times as fast as `Status(value)`


def recorded_status(record: JsonObject) -> Status:
    """The status by which the run is treated; one that only a newer version knows, as if somebody had stopped it."""
    return _STATUSES.get(record["status"], Status.STOPPED)


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class KnownRun:
    """One run; `record` is its public JSON, `run` is None if only the index knows it.

    `written_at` is the wall time at which its log last grew, `queue_position` counts from 1. `differing` has the
    arguments that tell it from the others of its name in its group, `short` its label without what the unfinished ones
    among them share.
    """

    record: JsonObject
    run: Run | None = None
    live: Live | None = None
    curve: LossCurve = field(default_factory=LossCurve)
    written_at: float | None = None
    queue_position: int | None = None
    differing: tuple[tuple[str, str], ...] = ()
    short: str = ""

    @property
    def id(self) -> str:
        return str(self.record["id"])

    @property
    def status(self) -> Status:
        return recorded_status(self.record)

    @property
    def name(self) -> str:
        return str(self.record["name"])

    @property
    def label(self) -> str:
        """Its name, with the arguments that tell it from other runs: `train lr=1e-3`, also for a run of a sweep."""
        return " ".join(filter(None, (split_point(self.name)[0], self.arguments)))

    @property
    def arguments(self) -> str:
        """The arguments in its label: `lr=1e-3 seed=2`; empty if its name is enough."""
        return " ".join([*split_point(self.name)[1], *(f"{name}={value}" for name, value in self.differing)])


def kept_per_run(
    function: Callable[Concatenate[KnownRun, ArgumentsP], ValueT],
) -> Callable[Concatenate[KnownRun, ArgumentsP], ValueT]:
    """Keeps what a function returns for a run and hashable arguments by position, until the run changes."""
    kept: dict[tuple[object, ...], tuple[KnownRun, ValueT]] = {}

    @wraps(function)
    def keeping(run: KnownRun, /, *args: ArgumentsP.args, **kwargs: ArgumentsP.kwargs) -> ValueT:
        key = (run.record["id"], *args)
        known = kept.get(key)
        if known is not None and known[0] is run:
            return known[1]
        value = function(run, *args, **kwargs)
        if len(kept) >= _MAX_KEPT:
            kept.clear()
        kept[key] = run, value
        return value

    return keeping


def running_seconds(live: Live, moment: Moment) -> float:
    """How long the attempt has run so far. After a reboot its clock stays at the last recorded value."""
    if live.clock.boot_id != moment.boot_id:
        return live.clock.running_seconds
    return live.clock.at(moment.monotonic, paused=live.pause is not None).running_seconds


def queued_at(run: KnownRun) -> float | None:
    """When it was queued, for the last time if it has run already; None if that is not known."""
    state = None if run.run is None else run.run.state
    return state.since if isinstance(state, Queued) else from_iso(run.record.get("created_at"))


def limit_seconds(run: KnownRun) -> float | None:
    if run.run is not None:
        return timebox_seconds(run.run)
    minutes = run.record.get("max_run_minutes")
    return None if minutes is None else float(minutes) * 60


def exceeds_timebox(run: KnownRun, moment: Moment) -> bool:
    """Whether the training will not be complete when the timebox ends and no further slice follows."""
    limit, eta = limit_seconds(run), None if run.live is None else run.live.eta_seconds
    if run.run is None or run.live is None or limit is None or eta is None or is_sliced(run.run.spec):
        return False
    return eta > limit - running_seconds(run.live, moment)


def share_done(live: Live) -> float | None:
    """How much of its steps, else of its epochs, is done; None if the script does not tell their number."""
    if live.step is not None and live.total_steps:
        return min(1.0, live.step / live.total_steps)
    epochs_done = live.epoch if live.epochs_done is None else live.epochs_done
    if epochs_done is not None and live.total_epochs:
        return min(1.0, epochs_done / live.total_epochs)
    return None


def progress_of(run: KnownRun) -> Sequence[Any]:
    """Step, number of steps, epoch and number of epochs; each may be None."""
    names = ("step", "total_steps", "epoch", "total_epochs")
    return [run.record.get(name) if run.live is None else getattr(run.live, name) for name in names]


def step_text(run: KnownRun, *, cells: int | None = None) -> str:
    """`9,500/10,000`, or `ep 28/90` if only the number of epochs is known; empty without progress."""
    step, total, epoch, epochs = progress_of(run)
    if epoch is not None and (step is None or (epochs is not None and total is None)):
        return numbers.epochs(epoch, epochs)
    return "" if step is None else numbers.steps(step, total, cells=cells)


def step_columns(run: KnownRun, cells: int) -> int:
    """How many columns its steps need, also those that follow: `9/300` and `300/300`."""
    text = step_text(run, cells=cells)
    _, slash, total = text.rpartition("/")
    return 2 * len(total) + 1 if slash and not text.startswith("ep") else len(text)


def last_loss(run: KnownRun) -> float | None:
    """The newest value of the main loss, which may be NaN or infinite; None if it has none."""
    metrics = run.live.metrics if run.live is not None else run.record.get("metrics") or {}
    name = main_loss([str(key) for key in metrics])
    return None if name is None else float(metrics[name])


def usable_checkpoints(record: JsonObject) -> list[JsonObject]:
    """The checkpoints that only this run has written and that are not known to be damaged, oldest first."""
    return [
        checkpoint
        for checkpoint in record.get("checkpoints") or ()
        if checkpoint.get("sound") is not False
        and checkpoint.get("written") is not False
        and not checkpoint.get("shared_with")
    ]


def newest_usable(record: JsonObject) -> JsonObject | None:
    """The checkpoint that a resume continues from, as far as is known: a "best" one only if there is no other."""
    from backprop_tui.domain.checkpoint_names import parse_checkpoint_name  # `list` does not need it

    usable = usable_checkpoints(record)
    others = [checkpoint for checkpoint in usable if not parse_checkpoint_name(str(checkpoint["path"])).is_best]
    return next(reversed(others or usable), None)


def slice_text(run: Run) -> str:
    """`3/12`, the slice it is in and of how many if that is known; empty if it is not trained in slices."""
    number = slice_number(run)
    return "" if number is None else str(number)
