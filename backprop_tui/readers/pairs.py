"""Reads lines that are nothing but names with numbers: `Epoch 1/5, Loss: 0.32, Val Loss: 0.63`, `step=10 loss=0.5`.

A line counts only whole: behind time and level there must be no word that is not the name of a number, and one of the
names must measure a model. So prose that mentions a loss says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import field

from backprop_tui.domain.values import dataclass
from backprop_tui.readers.lazily import lazy_compile
from backprop_tui.readers.prefixes import prefix_end
from backprop_tui.readers.printed_numbers import parse_duration, parse_number
from backprop_tui.readers.training_keys import MAX_EPOCH, numeric_metrics, is_known_metric
from backprop_tui.readers.values import EpochStarted, EpochProgress, ParsedEvent, Progress

MAX_LINE_CHARS = 2000
MAX_ITEMS = 64

_NUMBER = (
    r"[-+]?(?:\d[\d,]{0,40}(?:\.\d{0,40})?|\.\d{1,40})(?:[eE][-+]?\d{1,4})?|[-+]?(?:nan|NaN|NAN|inf|Inf|Infinity)\b"
)
_UNIT = r"(?: ?%|ms|us|µs|ns|s|k|K|M|G|[KMG]?i?B|(?: ?[A-Za-z]{1,12}/[a-z]{1,12})|°?C|W)?"
_END = r"(?=[\s,;|)\]}]|\.?$)"
_BETWEEN = lazy_compile(r"[\s,;|•·>*]*(?:[-–—=]{1,3}(?:[\s|]+|$))?")
_GAP = r"\s{0,8}"  # bounded, so that no run of blanks takes long
_OF = rf"{_GAP}(?:/|of){_GAP}"
_SHARE = rf"(?:\({_GAP}[\d.]{{1,6}}{_GAP}%\))?"
_OPEN, _CLOSE = rf"{_GAP}[:=#]?{_GAP}[\[(]?{_GAP}", rf"{_GAP}[\])]{{0,2}}:?"
_EPOCH = lazy_compile(
    rf"[\[(]?epoch{_OPEN}(\d{{1,9}})(?:{_OF}(\d{{1,9}}))?{_CLOSE}(?=[\s,;|\-\[]|$)",
    re.IGNORECASE,
)
_STEP = lazy_compile(
    rf"[\[(]?(?P<name>(?:global[ _]?)?step|iter(?:ation)?|batch(?:_idx)?|update){_OPEN}(?P<done>\d{{1,15}})"
    rf"(?:{_OF}(?P<of>\d{{1,15}}))?{_GAP}{_SHARE}{_CLOSE}(?=[\s,;|\-]|$)",
    re.IGNORECASE,
)
_PLACE = lazy_compile(
    rf"[\[(]?{_GAP}(\d{{1,15}}){_GAP}/{_GAP}(\d{{1,15}}){_GAP}{_SHARE}{_GAP}[\])]?:?"
    r"(?: (?:batches|steps|iters?|it)\b)?(?=[\s,;|\-]|$)"
)
_EPOCH_AND_BATCH = lazy_compile(rf"\[{_GAP}(\d{{1,9}}),{_GAP}(\d{{1,12}})\](?=\s)")
_NAME = r"(?P<name>[A-Za-z][\w@/.%()-]{0,60}?(?: (?!\d)[\w@/.%()-]{1,40}?){0,3})"
_MEAN = rf"(?:{_GAP}\({_GAP}[-+\d.e%]{{1,24}}{_GAP}\))?"
_PAIR = lazy_compile(
    rf"{_NAME}{_GAP}[:=]{_GAP}(?:(?P<right>\d{{1,12}})/(?P<among>\d{{1,12}}){_GAP}\({_GAP}[\d.]{{1,6}}{_GAP}%\)"
    rf"|(?P<time>\d{{1,4}}(?::\d\d){{1,2}})|(?P<number>{_NUMBER}){_UNIT}{_MEAN}){_END}"
)
_SPACED = lazy_compile(rf"{_NAME} {{1,8}}(?P<number>{_NUMBER}){_UNIT}{_MEAN}{_END}")
_RULE = r"[-=\s]{0,100}$"
_EPOCH_ALONE = lazy_compile(
    rf"[-=\s]{{0,20}}Epoch (\d{{1,7}})(?:{_OF}(\d{{1,7}}))?:?{_RULE}"
    rf"|[\s\[]{{0,8}}[Ee]poch{_OPEN}(\d{{1,7}}){_GAP}/{_GAP}(\d{{1,7}})\]?:?{_RULE}"
)


@dataclass(slots=True)
class _Found:
    epoch: int | None = None
    total_epochs: int | None = None
    step: int | None = None
    total_steps: int | None = None
    done: int | None = None
    of: int | None = None
    eta_seconds: float | None = None
    spaced: bool = False  # a number stood behind a name that is not known, with nothing but a space between
    figures: dict[str, object] = field(default_factory=dict)


class Pairs:
    """The reader of such lines; keeps nothing between them."""

    marks = (
        *(b"loss", b"Loss", b"LOSS", b"acc", b"Acc", b"ACC", b"ppl", b"PPL", b"plexity", b"nll", b"poch"),
        *(b"ward", b"f1", b"F1", b"mAP", b"mIoU", b"bleu", b"BLEU", b"mse", b"MSE", b"mae", b"MAE"),
    )

    def read(self, line: str, offset: int) -> Iterator[ParsedEvent]:
        """What the names say, or the epoch that begins where the line names nothing else."""
        if len(line) > MAX_LINE_CHARS:
            return
        line = line.rstrip()
        begin = prefix_end(line)
        if (alone := _EPOCH_ALONE.match(line, begin)) is not None:
            epoch, total = (alone[1], alone[2]) if alone[1] is not None else (alone[3], alone[4])
            yield EpochStarted(offset=offset, epoch=int(epoch), total_epochs=None if total is None else int(total))
            return
        found = _found(line, begin)
        if found is not None:
            yield from _told(found, offset)


def _found(line: str, position: int) -> _Found | None:
    """Everything the line says; None where something in it is no name with a number."""
    found = _Found()
    end = len(line)
    for _ in range(MAX_ITEMS):
        between = _BETWEEN.match(line, position)
        position = position if between is None else between.end()
        if position >= end or line[position:end] in (".", "]"):
            return found
        after = _take(found, line, position)
        if after is None:
            return None
        position = after
    return None


def _take(found: _Found, line: str, position: int) -> int | None:
    """One item; where it ends, or None where there is none."""
    if (epoch := _EPOCH.match(line, position)) is not None and found.epoch is None:
        found.epoch = int(epoch[1])
        found.total_epochs = None if epoch[2] is None else int(epoch[2])
        return epoch.end()
    if (step := _STEP.match(line, position)) is not None:
        _take_step(found, step)
        return step.end()
    if (place := _PLACE.match(line, position)) is not None and found.done is None:
        found.done, found.total = int(place[1]), int(place[2])
        return place.end()
    if (both := _EPOCH_AND_BATCH.match(line, position)) is not None and found.epoch is None:
        found.epoch, found.done = int(both[1]), int(both[2])
        return both.end()
    return _take_pair(found, line, position)


def _take_step(found: _Found, step: re.Match[str]) -> None:
    done, of = int(step["done"]), None if step["of"] is None else int(step["of"])
    if step["name"].lower().startswith("batch"):
        found.done, found.total = done, of
    else:
        found.step, found.total_steps = done, of


def _take_pair(found: _Found, line: str, position: int) -> int | None:
    pair = _PAIR.match(line, position)
    if pair is None:
        pair = _SPACED.match(line, position)
        if pair is None:
            return None
        found.spaced |= not is_known_metric(pair["name"])
        found.figures[pair["name"]] = pair["number"].replace(",", "")
        return pair.end()
    name = pair["name"]
    if pair["time"] is not None:
        if name.lower() == "eta":
            found.eta_seconds = parse_duration(pair["time"])
    elif pair["among"] is not None:
        found.figures[name] = 100 * int(pair["right"]) / max(1, int(pair["among"]))
    else:
        found.figures[name] = pair["number"].replace(",", "")
    return pair.end()


def _told(found: _Found, offset: int) -> Iterator[ParsedEvent]:
    metrics = numeric_metrics({name.strip(): parse_number(value) for name, value in found.figures.items()})
    if not any(map(is_known_metric, metrics)):
        return
    places = (found.epoch, found.step, found.done)
    if found.spaced and all(place is None for place in places):
        return
    epoch = found.epoch if found.epoch is not None and found.epoch <= MAX_EPOCH else None
    if found.step is not None and found.total_steps is not None and found.total_epochs is not None:
        # "Epoch [1/10], Step [100/600]" counts the steps of each epoch anew.
        found.done, found.total, found.step = found.step, found.total_steps, None
    if found.step is None and found.done is not None and found.total is not None:
        yield EpochProgress(
            offset=offset,
            done=found.done,
            total=found.total,
            epoch=epoch,
            total_epochs=found.total_epochs,
            metrics=metrics,
        )
        return
    yield Progress(
        offset=offset,
        step=found.step,
        epoch=None if epoch is None else float(epoch),
        total_steps=found.total_steps,
        total_epochs=found.total_epochs,
        eta_seconds=found.eta_seconds,
        metrics=metrics,
    )
