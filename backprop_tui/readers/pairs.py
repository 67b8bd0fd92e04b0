"""Reads lines that consist only of name-value pairs: `Epoch 1/5, Loss: 0.32, Val Loss: 0.63`, `step=10 loss=0.5`.

After the logging prefix every word must be the name of a number, and one name must be a known metric, so that prose
that mentions a loss yields nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import field

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.readers.events import EpochProgress, EpochStarted, Progress, ReaderEvent
from backprop_tui.readers.lazy_regex import lazy_compile
from backprop_tui.readers.prefixes import prefix_end
from backprop_tui.readers.printed_numbers import parse_duration, parse_number
from backprop_tui.readers.training_keys import MAX_EPOCH, is_known_metric, numeric_metrics

MAX_LINE_CHARS = 2000
MAX_ITEMS = 64

_NUMBER = (
    r"[-+]?(?:\d[\d,]{0,40}(?:\.\d{0,40})?|\.\d{1,40})(?:[eE][-+]?\d{1,4})?|[-+]?(?:nan|NaN|NAN|inf|Inf|Infinity)\b"
)
_UNIT = r"(?: ?%|ms|us|µs|ns|s|k|K|M|G|[KMG]?i?B|(?: ?[A-Za-z]{1,12}/[a-z]{1,12})|°?C|W)?"
_END = r"(?=[\s,;|)\]}]|\.?$)"
_SEPARATOR = lazy_compile(r"[\s,;|•·>*]*(?:[-–—=]{1,3}(?:[\s|]+|$))?")
_GAP = r"\s{0,8}"  # bounded, so that a long run of blanks is not slow
_OF = rf"{_GAP}(?:/|of){_GAP}"
_SHARE = rf"(?:\({_GAP}[\d.]{{1,6}}{_GAP}%\))?"
_OPEN, _CLOSE = rf"{_GAP}[:=#]?{_GAP}[\[(]?{_GAP}", rf"{_GAP}[\])]{{0,2}}:?"
_EPOCH = lazy_compile(
    rf"[\[(]?epoch{_OPEN}(\d{{1,9}})(?:{_OF}(\d{{1,9}}))?{_CLOSE}(?=[\s,;|\-\[]|$)",
    re.IGNORECASE,
)
_STEP = lazy_compile(
    rf"[\[(]?(?P<name>(?:global[ _]?)?step|iter(?:ation)?|batch(?:_idx)?|update){_OPEN}(?P<done>\d{{1,15}})"
    rf"(?:{_OF}(?P<total>\d{{1,15}}))?{_GAP}{_SHARE}{_CLOSE}(?=[\s,;|\-]|$)",
    re.IGNORECASE,
)
_FRACTION = lazy_compile(
    rf"[\[(]?{_GAP}(\d{{1,15}}){_GAP}/{_GAP}(\d{{1,15}}){_GAP}{_SHARE}{_GAP}[\])]?:?"
    r"(?: (?:batches|steps|iters?|it)\b)?(?=[\s,;|\-]|$)"
)
_EPOCH_AND_BATCH = lazy_compile(rf"\[{_GAP}(\d{{1,9}}),{_GAP}(\d{{1,12}})\](?=\s)")
_NAME = r"(?P<name>[A-Za-z][\w@/.%()-]{0,60}?(?: (?!\d)[\w@/.%()-]{1,40}?){0,3})"
_MEAN = rf"(?:{_GAP}\({_GAP}[-+\d.e%]{{1,24}}{_GAP}\))?"
_PAIR = lazy_compile(
    rf"{_NAME}{_GAP}[:=]{_GAP}(?:(?P<correct>\d{{1,12}})/(?P<total>\d{{1,12}}){_GAP}\({_GAP}[\d.]{{1,6}}{_GAP}%\)"
    rf"|(?P<time>\d{{1,4}}(?::\d\d){{1,2}})|(?P<number>{_NUMBER}){_UNIT}{_MEAN}){_END}"
)
_SPACED = lazy_compile(rf"{_NAME} {{1,8}}(?P<number>{_NUMBER}){_UNIT}{_MEAN}{_END}")
_RULE = r"[-=\s]{0,100}$"
_EPOCH_ALONE = lazy_compile(
    rf"[-=\s]{{0,20}}Epoch (\d{{1,7}})(?:{_OF}(\d{{1,7}}))?:?{_RULE}"
    rf"|[\s\[]{{0,8}}[Ee]poch{_OPEN}(\d{{1,7}}){_GAP}/{_GAP}(\d{{1,7}})\]?:?{_RULE}"
)


@lazy_dataclass(slots=True)
class _ParsedLine:
    epoch: int | None = None
    total_epochs: int | None = None
    step: int | None = None
    total_steps: int | None = None
    done: int | None = None
    total: int | None = None
    eta_seconds: float | None = None
    has_doubtful_pair: bool = False  # an unknown name and a number with only a space between them
    values: dict[str, object] = field(default_factory=dict)


class Pairs:
    marks = (
        *(b"loss", b"Loss", b"LOSS", b"acc", b"Acc", b"ACC", b"ppl", b"PPL", b"plexity", b"nll", b"poch"),
        *(b"ward", b"f1", b"F1", b"mAP", b"mIoU", b"bleu", b"BLEU", b"mse", b"MSE", b"mae", b"MAE"),
    )

    def read(self, line: str, offset: int) -> Iterator[ReaderEvent]:
        """Returns the progress on the line, or the start of an epoch if the line names nothing else."""
        if len(line) > MAX_LINE_CHARS:
            return
        line = line.rstrip()
        start = prefix_end(line)
        if (alone := _EPOCH_ALONE.match(line, start)) is not None:
            epoch, total = (alone[1], alone[2]) if alone[1] is not None else (alone[3], alone[4])
            yield EpochStarted(offset=offset, epoch=int(epoch), total_epochs=None if total is None else int(total))
            return
        parsed = _parse_line(line, start)
        if parsed is not None:
            yield from _pairs_progress(parsed, offset)


def _parse_line(line: str, position: int) -> _ParsedLine | None:
    """Parses the whole line; None if anything in it is not a name with a number."""
    parsed = _ParsedLine()
    end = len(line)
    for _ in range(MAX_ITEMS):
        separator = _SEPARATOR.match(line, position)
        position = position if separator is None else separator.end()
        if position >= end or line[position:end] in (".", "]"):
            return parsed
        item_end = _parse_item(parsed, line, position)
        if item_end is None:
            return None
        position = item_end
    return None


def _parse_item(parsed: _ParsedLine, line: str, position: int) -> int | None:
    """Parses one item into `parsed` and returns its end; None if there is no item at this position."""
    if (epoch := _EPOCH.match(line, position)) is not None and parsed.epoch is None:
        parsed.epoch = int(epoch[1])
        parsed.total_epochs = None if epoch[2] is None else int(epoch[2])
        return epoch.end()
    if (step := _STEP.match(line, position)) is not None:
        _parse_step(parsed, step)
        return step.end()
    if (fraction := _FRACTION.match(line, position)) is not None and parsed.done is None:
        parsed.done, parsed.total = int(fraction[1]), int(fraction[2])
        return fraction.end()
    if (both := _EPOCH_AND_BATCH.match(line, position)) is not None and parsed.epoch is None:
        parsed.epoch, parsed.done = int(both[1]), int(both[2])
        return both.end()
    return _parse_pair(parsed, line, position)


def _parse_step(parsed: _ParsedLine, step: re.Match[str]) -> None:
    done, total = int(step["done"]), None if step["total"] is None else int(step["total"])
    if step["name"].lower().startswith("batch"):
        parsed.done, parsed.total = done, total
    else:
        parsed.step, parsed.total_steps = done, total


def _parse_pair(parsed: _ParsedLine, line: str, position: int) -> int | None:
    pair = _PAIR.match(line, position)
    if pair is None:
        pair = _SPACED.match(line, position)
        if pair is None:
            return None
        parsed.has_doubtful_pair |= not is_known_metric(pair["name"])
        parsed.values[pair["name"]] = pair["number"].replace(",", "")
        return pair.end()
    name = pair["name"]
    if pair["time"] is not None:
        if name.lower() == "eta":
            parsed.eta_seconds = parse_duration(pair["time"])
    elif pair["total"] is not None:
        parsed.values[name] = 100 * int(pair["correct"]) / max(1, int(pair["total"]))
    else:
        parsed.values[name] = pair["number"].replace(",", "")
    return pair.end()


def _pairs_progress(parsed: _ParsedLine, offset: int) -> Iterator[ReaderEvent]:
    metrics = numeric_metrics({name.strip(): parse_number(value) for name, value in parsed.values.items()})
    if not any(map(is_known_metric, metrics)):
        return
    if parsed.has_doubtful_pair and parsed.epoch is None and parsed.step is None and parsed.done is None:
        return
    epoch = parsed.epoch if parsed.epoch is not None and parsed.epoch <= MAX_EPOCH else None
    is_doubtful = False
    if parsed.step is not None and parsed.total_steps is not None and epoch is not None:
        # "Epoch [1/10], Step [100/600]" counts the steps within each epoch; without the 10 that is not certain.
        parsed.done, parsed.total, parsed.step = parsed.step, parsed.total_steps, None
        is_doubtful = parsed.total_epochs is None
    if parsed.step is None and parsed.done is not None and parsed.total is not None:
        yield EpochProgress(
            offset=offset,
            done=parsed.done,
            total=parsed.total,
            epoch=epoch,
            total_epochs=parsed.total_epochs,
            within_epoch=not is_doubtful,
            metrics=metrics,
        )
        return
    yield Progress(
        offset=offset,
        step=parsed.step,
        epoch=None if epoch is None else float(epoch),
        total_steps=parsed.total_steps,
        total_epochs=parsed.total_epochs,
        eta_seconds=parsed.eta_seconds,
        metrics=metrics,
    )
