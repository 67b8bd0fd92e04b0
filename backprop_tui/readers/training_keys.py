"""Interprets the keys of a printed object: the step, the epoch, the metrics, the checkpoint it announces."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache

from backprop_tui.domain.word_set import word_set
from backprop_tui.readers.events import CheckpointSaved, Progress
from backprop_tui.readers.lazy_regex import lazy_compile
from backprop_tui.readers.printed_numbers import as_count, parse_count, parse_number

# Keys are compared without case, dashes and underscores; the first key of a tuple that is present is used.
STEP_KEYS = ("step", "globalstep", "currentstep", "currentsteps", "numupdates", "iteration", "iter")
TOTAL_KEYS = ("totalsteps", "maxsteps")
EPOCH_KEYS = ("epoch",)
TOTAL_EPOCH_KEYS = ("totalepochs", "maxepochs", "numepochs", "numtrainepochs")
ETA_KEYS = ("etaseconds",)
EVENT_KEYS = ("event", "type")
CHECKPOINT_EVENTS = ("checkpointsaved", "savedcheckpoint", "checkpoint")
PATH_KEYS = ("path", "checkpointpath", "checkpoint", "ckptpath", "file", "filename")

# Metric names that only training or evaluation prints, never a configuration; the short ones must be a whole word.
TRAINING_METRIC_SUFFIXES = ("loss", "accuracy", "perplexity")
TRAINING_METRIC_WORDS = frozenset(("acc", "acc1", "nll", "ppl", "reward"))

# Further metric names, accepted only on lines that hold little but name-value pairs.
KNOWN_METRIC_WORDS = word_set(
    """
    acc accu acc1 acc5 accuracies mae mse rmse rmsle mape logloss mlogloss merror f1 auc auroc aupr iou miou map
    ndcg dice bleu rouge wer cer per bpb bpc nll ppl elbo psnr ssim lpips fid kid mrr recall precision prec return
    returns rew score reward rewards top1 top5 entropy crossentropy losses loss accuracy perplexity
    """
)
# Words that only qualify the metric before them: `ep_rew_mean`, `loss/train/total`, `lm loss value`.
_QUALIFIERS = word_set(
    """
    mean avg average std min max median total sum value val valid validation train training test eval dev all
    epoch step iter smooth ema macro micro weighted top ratio db
    """
)
SPLIT_WORDS = word_set(
    """
    val valid validation validating test testing eval evaluation evaluating evaluate dev holdout heldout cur
    """
)
TRAIN_WORDS = frozenset(("train", "training", "trn"))
_WORDS_BEHIND_METRICS = SPLIT_WORDS | TRAIN_WORDS | {"batch", "step", "epoch", "iter", ""}
# A name with one of these words is a setting, a bound or something else that is no result.
_NO_METRIC_WORDS = word_set(
    """
    packet packets target weight weights coef coeff coefficient lambda threshold thresh scale fn func type goal
    limit baseline of the was is are for and with from this that every interval freq frequency patience budget
    map_location reduction factor range steps margin tolerance tol count num scaling improved increased decreased
    reached by delta
    """
)
# Counters, clocks and constants: they are never curves.
_BOOKKEEPING = word_set(
    """
    hpmetric totalflos epoch remaining remainingtime timeremaining timeleft eta pid lineno process thread levelno
    timestamp ts created msecs relativecreated envstep
    """
)
# The same on a line of text, where `total: 17s` is a time and `best: 0.8` an older value.
COUNTERS = _BOOKKEEPING | word_set(
    """
    epochs progress step steps iter iters iteration iterations totaltime total best rank localrank globalrank
    worldsize gpu gpus pid worker node seed port batchsize batchsizes bs numsamples trainsamples evalsamples
    predictsamples fold run vnum
    """
)
_COUNTER = lazy_compile(r"(?:^|[-_ ./#])(?:iter\w*|step|epoch|batch|episode|sample|round)[-_ #]?\d|\d{6}|0\d{3}")

MAX_EPOCH = 1_000_000  # a larger number is a time in seconds since 1970
MAX_METRICS = 256
MAX_NAME_CHARS = 120  # longer keys are ignored
MAX_PATH_CHARS = 4096

_WORD_SEPARATOR = lazy_compile(r"[^a-z0-9]+")
_CAMEL_CASE = lazy_compile(r"(?<=[a-z])(?=[A-Z][a-z])")
# Control characters would affect the terminal that displays the text, and surrogates cannot be encoded.
_UNSAFE_CHARACTER = lazy_compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def progress_from_fields(fields: Mapping[str, object], *, alone: bool, offset: int) -> Progress | None:
    """Returns the progress in the fields; None if they have neither a step nor a training metric such as a loss.

    `alone` means that there is no other text on the line; an epoch is then enough.
    """
    numbers = {name: number for name, value in fields.items() if (number := parse_number(value)) is not None}
    names = {_normalized(name): name for name in numbers if len(name) <= MAX_NAME_CHARS}
    step = as_count(_pop_first(STEP_KEYS, names, numbers))
    printed_step, printed_total = _counts_of_swift(fields)
    step = printed_step if step is None else step
    printed_epoch = fields.get(names.get("epoch", ""))
    epoch = as_epoch(_pop_first(EPOCH_KEYS, names, numbers))
    total_steps = as_count(_pop_first(TOTAL_KEYS, names, numbers))
    total_steps = printed_total if total_steps is None else total_steps
    if total_steps is None:
        total_steps = _pop_plain_total(names, numbers, step)
    total_epochs = as_count(_pop_first(TOTAL_EPOCH_KEYS, names, numbers))
    eta_seconds = _pop_first(ETA_KEYS, names, numbers)
    metrics = _valid_metrics(numbers)
    if step is None and not any(map(is_training_metric, metrics)) and (epoch is None or not alone):
        return None
    return Progress(
        offset=offset,
        step=step,
        epoch=epoch,
        total_steps=total_steps,
        total_epochs=total_epochs,
        # With a fraction it is a share of the training, also at 0.0.
        epochs_done=epoch if isinstance(printed_epoch, float) or "." in str(printed_epoch) else None,
        eta_seconds=eta_seconds if eta_seconds is not None and 0 <= eta_seconds < math.inf else None,
        metrics=metrics,
    )


def numeric_metrics(printed: Mapping[str, object], *, exclude: Collection[str] = ()) -> dict[str, float]:
    """Returns the entries with a numeric value and a displayable name, for a line known to report training metrics."""
    numbers = {
        name: number
        for name, value in printed.items()
        if name not in exclude and (number := parse_number(value)) is not None
    }
    return _valid_metrics(numbers)


def checkpoint_from_fields(fields: Mapping[str, object], *, offset: int) -> CheckpointSaved | None:
    """Returns the checkpoint that the fields announce; None if there is none, or it has no usable path."""
    texts = {
        _normalized(name): value
        for name, value in fields.items()
        if isinstance(value, str) and len(name) <= MAX_NAME_CHARS and len(value) <= MAX_PATH_CHARS
    }
    if not any(_normalized(texts[key]) in CHECKPOINT_EVENTS for key in EVENT_KEYS if key in texts):
        return None
    path = next((texts[key] for key in PATH_KEYS if _is_path(texts.get(key, ""))), None)
    if path is None:
        return None
    names = {_normalized(name): name for name in fields if len(name) <= MAX_NAME_CHARS}
    steps = (parse_number(fields[names[key]]) for key in STEP_KEYS if key in names)
    return CheckpointSaved(offset=offset, path=path, step=as_count(next(steps, None)))


@lru_cache(maxsize=1024)
def is_training_metric(name: str) -> bool:
    """Returns whether only training or evaluation prints a metric of this name: train_loss, valAccuracy, eval/ppl."""
    lowered = name.lower()
    words = _WORD_SEPARATOR.split(lowered)
    while len(words) > 1 and words[-1] in _WORDS_BEHIND_METRICS:
        words.pop()  # loss/train, acc_val, loss (batch)
    return (
        lowered.endswith(TRAINING_METRIC_SUFFIXES)
        or words[-1] in TRAINING_METRIC_WORDS
        or words[-1].endswith(TRAINING_METRIC_SUFFIXES)
    )


@lru_cache(maxsize=1024)  # a log repeats the same names on every line
def is_known_metric(name: str) -> bool:
    """Returns whether this is a usual name of a metric in machine learning, such as `f1` or `val_loss`."""
    words = list(name_words(name))
    if not words or not _NO_METRIC_WORDS.isdisjoint(words):  # ping reports a packet loss
        return False
    if is_training_metric(name.strip()) or "loss" in words:
        return True
    while len(words) > 1 and (words[-1] in _QUALIFIERS or words[-1].isdigit()):
        words.pop()
    return (
        words[-1] in KNOWN_METRIC_WORDS
        or words[-1].rstrip("0123456789") in KNOWN_METRIC_WORDS
        or words[-1].endswith(TRAINING_METRIC_SUFFIXES)
    )


@lru_cache(maxsize=1024)
def name_words(name: str) -> tuple[str, ...]:
    """Returns the words of a name in lower case: `valid_1's AvgLoss` is valid, 1, s, avg, loss."""
    return tuple(word for word in _WORD_SEPARATOR.split(_CAMEL_CASE.sub("_", name).lower()) if word)


def names_split(name: str) -> bool:
    """Returns whether the name says of which data the value is: `val_loss`, `train acc`."""
    words = name_words(name)
    return not SPLIT_WORDS.isdisjoint(words) or not TRAIN_WORDS.isdisjoint(words)


def is_counter(name: str) -> bool:
    """Returns whether a name on a line of text is that of a counter, a clock or a constant rather than of a curve."""
    return _normalized(name).replace(" ", "") in COUNTERS


def has_counter(name: str) -> bool:
    """Returns whether the name contains a running number, so that each line would begin a curve of its own."""
    return _COUNTER.search(name.lower()) is not None


@lru_cache(maxsize=1024)
def _normalized(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def _pop_first(keys: Iterable[str], names: Mapping[str, str], numbers: dict[str, float]) -> float | None:
    """Removes and returns the number of the first key that is present."""
    for key in keys:
        if key in names:
            return numbers.pop(names[key])
    return None


def _counts_of_swift(fields: Mapping[str, object]) -> tuple[int | None, int | None]:
    """The step and the number of steps of `'global_step/max_steps': '5/3766'`."""
    step, slash, total = str(fields.get("global_step/max_steps", "")).partition("/")
    return (parse_count(step), parse_count(total)) if slash else (None, None)


def _pop_plain_total(names: Mapping[str, str], numbers: dict[str, float], step: int | None) -> int | None:
    """`total` is the number of steps only if it is not less than the step; else it is a metric, like a total loss."""
    if step is None or "total" not in names:
        return None
    total = as_count(numbers[names["total"]])
    if total is None or total < step:
        return None
    del numbers[names["total"]]
    return total


def as_epoch(value: float | None) -> float | None:
    """Returns the value if it can be an epoch; None for others, such as a time in seconds since 1970."""
    return value if value is not None and 0 <= value <= MAX_EPOCH else None


def _valid_metrics(numbers: Mapping[str, float]) -> dict[str, float]:
    metrics = {name: number for name, number in numbers.items() if _is_valid_name(name)}
    return metrics if len(metrics) <= MAX_METRICS else dict(list(metrics.items())[:MAX_METRICS])


@lru_cache(maxsize=1024)
def _is_valid_name(name: str) -> bool:
    return (
        0 < len(name) <= MAX_NAME_CHARS
        and _UNSAFE_CHARACTER.search(name) is None
        and _normalized(name) not in _BOOKKEEPING
    )


def _is_path(text: str) -> bool:
    return text.strip() != "" and _UNSAFE_CHARACTER.search(text) is None
