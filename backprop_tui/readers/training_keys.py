"""What the keys of a printed object say of training: its step, its metrics, the checkpoint it announces."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping

from backprop_tui.readers.lazily import lazy_compile
from backprop_tui.readers.printed_numbers import parse_number, as_count
from backprop_tui.readers.values import CheckpointSaved, Progress

# Keys are compared without case, dashes and underscores. The first of a row that is there counts.
STEP_KEYS = ("step", "globalstep", "iteration", "iter")
TOTAL_KEYS = ("totalsteps", "maxsteps")
EPOCH_KEYS = ("epoch",)
TOTAL_EPOCH_KEYS = ("totalepochs", "maxepochs", "numepochs", "numtrainepochs")
ETA_KEYS = ("etaseconds",)
EVENT_KEYS = ("event", "type")
CHECKPOINT_EVENTS = ("checkpointsaved", "savedcheckpoint", "checkpoint")
PATH_KEYS = ("path", "checkpointpath", "checkpoint", "ckptpath", "file", "filename")

# How names end that measure a model and that no configuration has; the short ones only as a word of their own.
TRAINING_METRIC_SUFFIXES = ("loss", "accuracy", "perplexity")
TRAINING_METRIC_WORDS = frozenset(("acc", "acc1", "nll", "ppl", "reward"))

# Names of numbers that count where nothing else stands on the line.
KNOWN_METRIC_WORDS = frozenset(
    ("acc", "mae", "mse", "rmse", "f1", "auc", "iou", "miou", "map", "dice", "bleu", "wer", "cer", "bpb", "nll", "ppl")
)

MAX_EPOCH = 1_000_000  # beyond, it is a time in seconds since 1970
MAX_METRICS = 256
MAX_NAME_CHARS = 120  # a longer key says nothing
MAX_PATH_CHARS = 4096

_BETWEEN_WORDS = lazy_compile(r"[^a-z0-9]+")
# What is shown in terminals must not steer them, and must be encodable.
_UNSHOWABLE = lazy_compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def progress_from_fields(fields: Mapping[str, object], *, alone: bool, offset: int) -> Progress | None:
    """The progress that the fields tell; None where they have neither a step nor a measure such as a loss.

    `alone` says that nothing else stood on the line: then an epoch is enough.
    """
    figures = {name: figure for name, value in fields.items() if (figure := parse_number(value)) is not None}
    names = {_plain(name): name for name in figures if len(name) <= MAX_NAME_CHARS}
    step = as_count(_take(STEP_KEYS, names, figures))
    epoch = as_epoch(_take(EPOCH_KEYS, names, figures))
    total_steps = as_count(_take(TOTAL_KEYS, names, figures))
    if total_steps is None:
        total_steps = _take_bare_total(names, figures, step)
    total_epochs = as_count(_take(TOTAL_EPOCH_KEYS, names, figures))
    eta_seconds = _take(ETA_KEYS, names, figures)
    metrics = _metrics(figures)
    if step is None and not any(map(is_training_metric, metrics)) and (epoch is None or not alone):
        return None
    return Progress(
        offset=offset,
        step=step,
        epoch=epoch,
        total_steps=total_steps,
        total_epochs=total_epochs,
        eta_seconds=eta_seconds if eta_seconds is not None and 0 <= eta_seconds < math.inf else None,
        metrics=metrics,
    )


def numeric_metrics(printed: Mapping[str, object], *, exclude: Collection[str] = ()) -> dict[str, float]:
    """The metrics of a line that is known to be of a training: every name that can be shown, with a number."""
    figures = {
        name: figure
        for name, value in printed.items()
        if name not in exclude and (figure := parse_number(value)) is not None
    }
    return _metrics(figures)


def checkpoint_from_fields(fields: Mapping[str, object], *, offset: int) -> CheckpointSaved | None:
    """The checkpoint that the fields announce; None where they announce none, or one without a usable path."""
    texts = {
        _plain(name): value
        for name, value in fields.items()
        if isinstance(value, str) and len(name) <= MAX_NAME_CHARS and len(value) <= MAX_PATH_CHARS
    }
    if not any(_plain(texts.get(key, "")) in CHECKPOINT_EVENTS for key in EVENT_KEYS):
        return None
    path = next((texts[key] for key in PATH_KEYS if _is_path(texts.get(key, ""))), None)
    if path is None:
        return None
    names = {_plain(name): name for name in fields if len(name) <= MAX_NAME_CHARS}
    steps = (parse_number(fields[names[key]]) for key in STEP_KEYS if key in names)
    return CheckpointSaved(offset=offset, path=path, step=as_count(next(steps, None)))


def is_training_metric(name: str) -> bool:
    """Whether a metric of that name is printed only by what trains or evaluates: train_loss, valAccuracy, eval/ppl."""
    lowered = name.lower()
    return lowered.endswith(TRAINING_METRIC_SUFFIXES) or _BETWEEN_WORDS.split(lowered)[-1] in TRAINING_METRIC_WORDS


def is_known_metric(name: str) -> bool:
    """Whether a number of that name is one that people look at in a training, whoever prints it."""
    words = [word for word in _BETWEEN_WORDS.split(name.lower()) if word]
    if not words or "packet" in words:  # ping prints a loss too
        return False
    return is_training_metric(name.strip()) or words[-1].rstrip("0123456789") in KNOWN_METRIC_WORDS or words[-1] in KNOWN_METRIC_WORDS


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def _take(keys: Iterable[str], names: Mapping[str, str], figures: dict[str, float]) -> float | None:
    """Takes the figure of the first key that is there out of the figures."""
    for key in keys:
        if key in names:
            return figures.pop(names[key])
    return None


def _take_bare_total(names: Mapping[str, str], figures: dict[str, float], step: int | None) -> int | None:
    """A bare `total` counts only beside a step that it can be the total of; else it is a metric, as a sum of losses."""
    if step is None or "total" not in names:
        return None
    total = as_count(figures[names["total"]])
    if total is None or total < step:
        return None
    del figures[names["total"]]
    return total


def as_epoch(figure: float | None) -> float | None:
    """A figure as an epoch; None for what cannot be one, as a time in seconds since 1970."""
    return figure if figure is not None and 0 <= figure <= MAX_EPOCH else None


def _metrics(figures: Mapping[str, float]) -> dict[str, float]:
    metrics = {name: figure for name, figure in figures.items() if _is_name(name)}
    return metrics if len(metrics) <= MAX_METRICS else dict(list(metrics.items())[:MAX_METRICS])


def _is_name(name: str) -> bool:
    return 0 < len(name) <= MAX_NAME_CHARS and _UNSHOWABLE.search(name) is None


def _is_path(text: str) -> bool:
    return text.strip() != "" and _UNSHOWABLE.search(text) is None
