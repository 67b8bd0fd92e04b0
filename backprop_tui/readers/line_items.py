"""Splits a message into items: the position in the training, the time left, and names with numbers.

Any other item is skipped alone, so that `total time: 0.61m` or `pq: 0 rg: 0` does not stop the parser. `pairs` decides
from all items whether the line is about a training.
"""

from __future__ import annotations

import math
import re
from dataclasses import field

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.readers.lazy_regex import lazy_compile
from backprop_tui.readers.printed_numbers import CLOCK, DURATION, parse_number, parse_time_left
from backprop_tui.readers.training_keys import (
    SPLIT_WORDS,
    TRAIN_WORDS,
    as_epoch,
    has_counter,
    is_counter,
    is_known_metric,
    name_words,
)

MAX_ITEMS = 160
MAX_WORDS = 12  # without a number: a longer text is prose

_GAP = r"\s{0,12}"  # bounded, so that a long run of blanks is not slow
_NOT_FINITE = r"(?:nan|NaN|NAN|inf|Inf|INF|Infinity)\b"
_NUMBER = (
    r"[-+]?(?:[1-9]\d{0,2}(?:,\d{3}){1,5}(?:\.\d{1,40})?|\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})(?:[eE][-+]?\d{1,4})?"
    rf"|[-+]?{_NOT_FINITE}"
)
_UNIT = (
    r"(?P<unit> ?%| ?[a-zA-Z]{1,12}/[\w/]{1,20}| (?:dB|[KMGT]i?B|m?s|secs?|seconds|min)\b|[a-zA-Zµ°][\w/²³^]{0,12})?"
)
# A mean or a deviation behind a value: `1.2 (1.3)`, `1.2 ± 0.1`, `12GiB(45.67%)`.
_MEAN = (
    rf"(?:{_GAP}\((?P<mean>{_GAP}{_NUMBER}{_GAP}%?){_GAP}\)"
    rf"|{_GAP}(?:±|\+/-|\+-|\+){_GAP}[\d.]{{1,20}}|{_GAP}\([^()]{{0,60}}\))?"
)
_BEFORE = rf"(?:(?:{_NUMBER}) ?(?:-{{1,3}}>|=>|→) ?)?"  # `0.4 -> 0.3`
_END = r"(?=[\s;|│)\]}>]|,(?!\d)|\.?$|\.\s)"  # `0,1234` is no 0
_COUNT = r"(?:\d{1,3}(?:,\d{3}){1,4}|\d{1,15})(?!,?\d)"  # `107,200` is no 107
_OF = rf"{_GAP}(?:/|of|out of){_GAP}"
_SHARE = rf"(?:{_GAP}\({_GAP}[\d.]{{1,6}}{_GAP}%{_GAP}\))?"
_KIND = r"(?: ?\((?P<kind>\w{1,12})\))?"
_OPEN = rf"{_GAP}[:=#-]?{_GAP}[\[(]?{_GAP}[#]?"
_CLOSE = rf"{_GAP}[\])]{{0,2}}"
_AFTER = r"(?=[\s,;|\-\[\](:/)>]|\.?$|\.\s)"
_EPOCH = lazy_compile(
    r"[\[(]?(?:(?P<prefix>train(?:ing)?|val(?:id(?:ation)?)?|eval(?:uation)?|test)[ _])?"
    rf"ep(?:och)?{_KIND}{_OPEN}(?P<epoch>\d{{1,9}}(?:\.\d{{1,9}})?)(?:{_OF}(?P<total>\d{{1,9}}))?{_CLOSE}{_AFTER}"
    r"|Train: {1,8}(?P<timm>\d{1,9})(?:/(?P<timm_total>\d{1,9})(?P<timm_share> ?\( *\d{1,3}%\))?)? (?=\[)"
    r"|(?P<espnet>\d{1,7})epoch(?::(?P<split>\w{1,12}):\d{1,9}-(?P<batch>\d{1,9})batch:| results:)",
    re.IGNORECASE,
)
_STEP = lazy_compile(
    r"[\[(]?(?:(?:completed|learning|training|train|current|# of)[ _])?"
    r"(?P<name>global[ _-]?(?:step|iter|iteration)|global_batch_idx|num_updates|micro_step"
    r"|(?:step|iter|iteration|(?<![a-z] )it|update)(?P<plural>s)?|batch(?:_idx)?|episode|round)"
    rf"{_KIND}{_OPEN}(?P<done>{_COUNT})(?:{_OF}(?P<total>{_COUNT}))?"
    rf"{_SHARE}{_CLOSE}{_AFTER}",
    re.IGNORECASE,
)
GLOBAL_RANK = 4  # of a count that its name says is of the whole training
_RANKS = {"batch": 0, "batchidx": 0, "episode": 1, "round": 1, "microstep": -1, "numupdates": GLOBAL_RANK}
_BRACKETED = lazy_compile(
    rf"[\[(]{_GAP}(?P<done>\d{{1,15}}){_GAP}(?:(?P<separator>[/,]){_GAP}(?P<total>\d{{1,15}}))?{_SHARE}{_GAP}[\])]:?"
    r"(?=[\s,;|\-:\[(]|$)"
)
# CatBoost, and lines that begin with a bare step: `100 | loss 2.5`, `100 [D loss: 0.7]`.
_FIRST_NUMBER = lazy_compile(
    r"(?P<done>\d{1,9})(?::\t(?=learn: |test: |total: )| (?:\| )?(?=\[?(?:\w{1,12}[ _])?[Ll]oss[:=]? ?\d))"
)
_FRACTION = lazy_compile(
    rf"(?P<done>{_COUNT}){_GAP}/{_GAP}(?P<total>{_COUNT}){_SHARE}:?(?: (?:batches|steps|iters?|it)\b)?"
    r"(?=[\s,;|\-]|$)"
)
_TIME_LEFT = lazy_compile(
    rf"(?:eta|(?:est\.? )?(?:time )?(?:remaining|left)(?:[ _]time)?){_GAP}[:=]?{_GAP}\(?(?P<left>{DURATION})\)?{_END}",
    re.IGNORECASE,
)
_FIRST_WORD = r"[A-Za-z_#∇][\w@/.%()'+#^*~-]{0,60}?"
_NEXT_WORD = r" (?=[A-Za-z_(#@])[\w@/.%()'+#^*~-]{1,40}?"
_NAME = rf"(?P<name>{_FIRST_WORD}(?:{_NEXT_WORD}){{0,5}})"
_PAIR = lazy_compile(
    rf"{_NAME}{_GAP}(?:[:=](?!=)|is ){_GAP}(?:(?P<correct>\d{{1,12}})/(?P<total>\d{{1,12}}){_GAP}"
    rf"\({_GAP}[\d.]{{1,6}}{_GAP}%\)"
    rf"|(?P<time>{CLOCK})|{_BEFORE}(?P<number>{_NUMBER}){_UNIT}{_MEAN}"
    rf"|\[(?P<list>(?!\s*\d+\s*[/\]])[^\[\]]{{1,200}})\]"
    rf"|\((?P<tuple>[-+\d.,e ]{{1,200}})\)){_END}(?P<more>\s(?:{_NUMBER}|minutes?|hours?|days?)(?=\s|$))?"
)
_SPACED = lazy_compile(
    rf"(?P<name>{_FIRST_WORD}(?:(?! {_NOT_FINITE}){_NEXT_WORD}){{0,2}})"
    rf" {{1,12}}{_BEFORE}(?P<number>{_NUMBER}){_UNIT}{_MEAN}{_END}(?P<more>\s(?:{_NUMBER})(?=\s|$))?"
)
_NAMED_NOT_FINITE = lazy_compile(rf" {_NOT_FINITE} ")  # `loss nan acc: 0.8` is no metric `loss nan acc`
_GROUP = lazy_compile(r"(?P<name>[A-Za-z]\w{0,40})\[(?=[A-Za-z])")  # icefall: `tot_loss[loss=0.5, over 900 frames.]`
_HEADING = lazy_compile(
    rf"(?P<name>{_FIRST_WORD}(?: (?=[\w#(])[\w#@()/.'-]{{1,40}}?){{0,4}}){_GAP}:"
    rf"(?P<text>{_GAP}[A-Za-z/]{{1,20}}(?=\s{{0,4}}[,|]|$))?(?=[\s,|]|$)(?!{_GAP}[-+]?\d)"
)
_TEXT_PAIR = lazy_compile(
    r"(?P<log>(?:ts|time|level|lvl|msg|message|caller|logger|event|timestamp)=(?:\"[^\"]{0,200}\"|[^\s\"]{1,100})(?=\s|$))"
    r"|[A-Za-z_][\w.@/-]{0,60}[=:][^\s,;|]{1,200}"
)
_SEPARATOR = lazy_compile(r"(?:\[[=>.#-]{2,100}\]|[\s,;|│•·>*<~.]+|[-–—=]{1,3}(?=[\s>|]|$)|[\[\]():/])+")
_PARENTHESIS = lazy_compile(r"\([^()]{0,120}\)")
_TOKEN = lazy_compile(r"[^\s,;|│]{1,400}")
_DELIMITED = lazy_compile(r"\s*(?:[,;|│]|$|\.$|- )|\t|\s{2}")
_FILE_NAME = lazy_compile(r"\.(?:py|cc|cpp|cu|c|h|rs|go|jl)$")
_POSITION_WORDS = frozenset(("epoch", "epochs", "step", "iteration", "iter", "batch", "episode", "round"))
_EMPTY_HEADINGS = frozenset(
    ("progress", "metrics", "metric", "results", "result", "stats", "losses", "done", "complete")
)
_COMPANIONS = frozenset(("lr", "wd", "learning_rate", "learning rate", "grad_norm", "grad norm", "norm", "time"))
_TIME_UNITS = frozenset(("ms", "s", "sec", "secs", "seconds", "min", "us", "µs"))
_SEVERAL_UNITS = lazy_compile(r"[dhmsD]\d")  # of a time: `1s231ms` is no 1
_FORBIDDEN = ("{", '"', "`", "==")


@lazy_dataclass(slots=True)
class LineItems:
    """What a message holds. `words` counts the words without a number; `head_words` those before the first position."""

    epoch: float | None = None
    total_epochs: int | None = None
    step: int | None = None
    total_steps: int | None = None
    step_rank: int = -9
    done: int | None = None  # within the epoch
    total: int | None = None
    first_epoch: int | None = None
    eta_seconds: float | None = None
    eta_follows_batch: bool = False  # then it is the time left in the epoch
    split: str | None = None  # the words that say that the values are of a validation or test
    split_before_position: bool = False
    words: int = 0
    head_words: int | None = None
    texts: int = 0  # names with a text: `optimizer=SGD`
    values: dict[str, float] = field(default_factory=dict)
    means: dict[str, float] = field(default_factory=dict)  # printed in parentheses behind the values
    integers: set[str] = field(default_factory=set)  # names whose number has no fraction
    spaced: set[str] = field(default_factory=set)  # names with only blanks before their number
    last_split: str | None = None  # of the last name that has one
    last_kind: str = ""
    may_be_episode: bool = False  # `Ep 10`
    may_begin_at_one: bool = False  # `[1/25][10/782]`, unless there was a `[0/25]`
    has_loss_is: bool = False  # the words of MindSpore: "loss is 2.3"

    @property
    def has_position(self) -> bool:
        is_batch = self.done is not None and self.total is not None  # `batch=32` alone is a setting
        return self.epoch is not None or self.step is not None or is_batch


def parse_items(line: str, position: int) -> LineItems | None:
    """Parses the message at `position`; None if it is prose, a quotation or data."""
    items = LineItems()
    end = len(line)
    if (first := _FIRST_NUMBER.match(line, position)) is not None:
        items.step, items.step_rank = int(first["done"]), 1
        _mark_position(items, "step")
        position = first.end()
    for _ in range(MAX_ITEMS):
        separator = _SEPARATOR.match(line, position)
        if separator is not None:
            position = separator.end()
        if position >= end:
            return items
        position = _next_item(items, line, position)
        if position < 0 or items.words > MAX_WORDS:
            return None
    return items


def _next_item(items: LineItems, line: str, position: int) -> int:
    """Parses one item into `items` and returns its end; -1 if the line is of no interest."""
    before = len(line[:position].rstrip()) - 1
    bracketed = _BRACKETED.match(line, before if before >= 0 and line[before] in "[(" else position)
    if bracketed is not None and _take_fraction(items, bracketed, line):
        return bracketed.end()
    is_best = line[:position].rstrip(" _").lower().endswith("best")  # "best epoch 3" is not the current one
    epoch = None if is_best or items.epoch is not None else _EPOCH.match(line, position)
    if epoch is not None:
        return _take_epoch(items, epoch)
    if (
        not is_best
        and (step := _STEP.match(line, position)) is not None
        and (not step["plural"] or step[0][-1:].isdigit())
    ):
        _take_step(items, step)
        return step.end()
    if (left := _TIME_LEFT.match(line, position)) is not None:
        items.eta_seconds = parse_time_left(left["left"])
        items.eta_follows_batch = items.last_kind == "batch"
        return left.end()
    if line[position].isdigit():
        fraction = _FRACTION.match(line, position)
        if fraction is not None and _take_fraction(items, fraction, line):
            return fraction.end()
    return _take_pair(items, line, position)


def _mark_position(items: LineItems, kind: str) -> None:
    items.last_kind = kind
    if items.head_words is None:
        items.head_words = items.words
        items.split_before_position = items.split is not None


def _take_epoch(items: LineItems, match: re.Match[str]) -> int:
    _mark_position(items, "epoch")
    if match["espnet"] is not None:
        items.epoch = float(match["espnet"])
        items.done = None if match["batch"] is None else int(match["batch"])
        _note_split(items, match["split"] or "train")
        items.first_epoch = 1
        return match.end()
    if match["timm"] is not None:
        # OpenPCDet's form, with the share of the epochs, counts from 1.
        items.epoch, items.first_epoch = float(match["timm"]), int(match["timm_share"] is not None)
        items.total_epochs = None if match["timm_total"] is None else int(match["timm_total"])
        return match.end()
    items.epoch = as_epoch(float(match["epoch"]))
    items.may_be_episode = match["kind"] is None and "poch" not in match[0].lower()
    items.total_epochs = None if match["total"] is None else int(match["total"])
    kind = match["kind"] or match["prefix"]
    if kind:
        _note_split(items, kind)
        items.split_before_position = items.split is not None
    if match["kind"]:
        items.first_epoch = 1  # mmengine
    elif kind is None and "]" in match[0] and match["total"] is None:
        # `Epoch: [0][10/75]` of torchvision counts from 0, `Epoch [1][10/75]` of OpenMMLab from 1.
        # With the time that remains it is the form of Kaggle's notebooks, which count from 1.
        items.first_epoch = (
            1 if "(remain " in match.string else 0 if ": [" in match[0] else 1 if " [" in match[0] else None
        )
    return match.end()


def _take_step(items: LineItems, match: re.Match[str]) -> None:
    _mark_position(items, "step")
    done = int(match["done"].replace(",", ""))
    total = None if match["total"] is None else int(match["total"].replace(",", ""))
    name = match["name"].lower().replace("_", "").replace(" ", "").replace("-", "")
    rank = GLOBAL_RANK if name.startswith("global") else _RANKS.get(name, 3)
    if match["kind"]:
        _note_split(items, match["kind"])
        items.split_before_position = items.split is not None
    if rank == 0:
        items.last_kind = "batch"
        items.done, items.total, items.step_rank = done, total, max(rank, items.step_rank)
    elif rank > items.step_rank and rank >= 0:
        items.step, items.total_steps, items.step_rank = done, total, rank


def _take_fraction(items: LineItems, match: re.Match[str], line: str) -> bool:
    done = int(match["done"].replace(",", ""))
    total = None if match["total"] is None else int(match["total"].replace(",", ""))
    bracket = line[match.start()] in "[("
    if bracket and match["separator"] == ",":
        if items.epoch is None and items.done is None:
            items.epoch, items.done = float(done), total
            _mark_position(items, "batch")
            return True
        return False
    if total is None:
        if not bracket or "[" not in match[0] or items.values or items.words or items.step is not None:
            return False
        if items.epoch is None:
            items.step, items.step_rank = done, 3
        elif items.split is None:
            items.done = done
        _mark_position(items, "step")
        return True
    if items.done is not None and items.total is not None and items.epoch is None and not items.values:
        # `[0/25][10/782]`: the epoch, and the batch in it.
        items.epoch, items.total_epochs, items.first_epoch = float(items.done), items.total, 0
        items.may_begin_at_one = True
        items.done = items.total = None
    if items.done is not None:
        return False
    items.done, items.total = done, total
    _mark_position(items, "batch")
    return True


def _take_pair(items: LineItems, line: str, position: int) -> int:
    items.last_kind = ""
    pair = _PAIR.match(line, position)
    spaced = _SPACED.match(line, position) if pair is None or _NAMED_NOT_FINITE.search(pair["name"]) else None
    if spaced is not None and _is_spaced_pair(spaced, line):
        _take_value(items, spaced)
        return spaced.start("more") if spaced["more"] else spaced.end()
    if pair is not None:
        items.has_loss_is |= " is " in pair[0]
        _take_value(items, pair)
        return pair.start("more") if pair["more"] else pair.end()
    if (group := _GROUP.match(line, position)) is not None:
        return group.end()
    if (heading := _HEADING.match(line, position)) is not None:
        if _ends_in_position(heading["name"]):
            return _take_token(items, line, position)
        if not heading["text"] and heading["name"].lower() not in _EMPTY_HEADINGS:
            items.words += 0 if _note_split(items, heading["name"]) else len(heading["name"].split())
        return heading.end()
    if (text := _TEXT_PAIR.match(line, position)) is not None and "{" not in text[0]:
        items.texts += not text["log"]
        return -1 if '"' in text[0] and not text["log"] else text.end()
    if (parenthesis := _PARENTHESIS.match(line, position)) is not None:
        return parenthesis.end()
    return _take_token(items, line, position)


def _take_token(items: LineItems, line: str, position: int) -> int:
    """Skips one word; -1 if it is a piece of data or code."""
    token = _TOKEN.match(line, position)
    if token is None:
        return position + 1
    if any(mark in token[0] for mark in _FORBIDDEN):
        return -1
    word = token[0].lstrip("([")
    if not word[:1].isdigit() and any(map(str.isalpha, word)) and not _note_split(items, token[0].strip("[]():-'")):
        items.words += 1
    return token.end()


def _note_split(items: LineItems, words: str) -> bool:
    """Remembers that what follows is of a validation, or of the training again; returns whether the words say so."""
    split = split_of(words)
    if split is None:
        return False
    items.split = split or None
    return True


def split_of(words: str) -> str | None:
    """Returns the words if they name a validation or test, "" if they name the training, None for any others."""
    names = name_words(words)
    if "." in words.strip("."):
        return None  # a logger
    if not SPLIT_WORDS.isdisjoint(names):
        return " ".join(word for word in words.split() if word.lower() not in _EMPTY_HEADINGS)
    return "" if len(names) <= 2 and not TRAIN_WORDS.isdisjoint(names) else None


def _is_spaced_pair(match: re.Match[str], line: str) -> bool:
    """Whether a name and a number with blanks between are one: a known metric, or set apart by delimiters."""
    if _ends_in_position(match["name"]):
        return False  # "end of epoch 1"
    if is_known_metric(match["name"]) or match["name"].lower() in _COMPANIONS:
        return True
    start = match.start()
    is_set_apart = start == 0 or line[start - 1] in "\t|,;" or line[start - 2 : start] in ("| ", ", ", "  ", "- ", ": ")
    return is_set_apart and _DELIMITED.match(line, match.end()) is not None


def _take_value(items: LineItems, match: re.Match[str]) -> None:
    name = match["name"].strip()
    groups = match.groupdict()
    is_spaced = "time" not in groups
    if (
        _ends_in_position(name)
        or is_counter(name)
        or has_counter(name)
        or _FILE_NAME.search(name)
        or match["more"]
        or groups.get("time")
        or _SEVERAL_UNITS.match(groups["unit"] or "") is not None
        or ((groups["unit"] or "").strip() in _TIME_UNITS and is_known_metric(name))  # how long the loss takes
    ):
        return
    if groups.get("total"):
        if not is_known_metric(name) and "correct" not in name_words(name):
            return  # a position: `Train: 1/3 (33%)`
        value: float | None = 100 * int(groups["correct"]) / max(1, int(groups["total"]))
    elif (members := groups.get("list") or groups.get("tuple")) is not None:
        values = {parse_number(text.strip()) for text in members.rstrip(", ").split(",")}
        value = values.pop() if len(values) == 1 else None
    else:
        value = parse_number(match["number"].replace(",", ""))
    if value is None:
        return
    name = _full_name(items, name)
    if name in items.values:
        return
    items.values[name] = value
    mean = parse_number(groups["mean"].strip(" %")) if groups["mean"] else None
    items.means[name] = value if mean is None else mean
    if groups["number"] and "." not in groups["number"] and math.isfinite(value):
        items.integers.add(name)
    if is_spaced:
        items.spaced.add(name)


def _full_name(items: LineItems, name: str) -> str:
    """The printed name, after the words that say which data the value is of.

    In `val Loss: 0.4 Acc: 0.8` the accuracy is of the validation too.
    """
    words = set(name_words(name))
    if words & SPLIT_WORDS:
        first, blank, _ = name.partition(" ")
        items.last_split = first if blank and first.lower().strip(".") in SPLIT_WORDS else None
        return name
    if words & TRAIN_WORDS:
        items.last_split = None
        return name
    if items.split is not None:
        return f"{items.split} {name}"
    if items.last_split is not None and is_known_metric(name):
        return f"{items.last_split} {name}"
    return name


def _ends_in_position(name: str) -> bool:
    return name.lower().rpartition(" ")[2] in _POSITION_WORDS
