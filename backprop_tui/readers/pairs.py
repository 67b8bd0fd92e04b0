r"""Reads lines that hold a position and names with numbers, in any common shape.

`Epoch 1/5, Loss: 0.32`, `[1/2][124/125] Loss_D: 0.38`, `iter 100: loss 3.12, time 123.45ms`, `[40]\ttrain's auc: 1`.
`line_items` takes the line apart. Whether it is about a training is decided from the whole: one name must be a known
metric, and without a position, such as an epoch, there may be no other words. A name and number alone on a line is
a setting where its neighbors are.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

from backprop_tui.domain.metric_names import is_reward
from backprop_tui.domain.word_set import word_set
from backprop_tui.readers.events import EpochProgress, EpochStarted, Progress, ReaderEvent
from backprop_tui.readers.keras import is_keras_line
from backprop_tui.readers.lazy_regex import lazy_compile
from backprop_tui.readers.line_context import LineContext
from backprop_tui.readers.line_items import GLOBAL_RANK, LineItems, parse_items, split_of
from backprop_tui.readers.prefixes import prefix_end
from backprop_tui.readers.training_keys import (
    MAX_EPOCH,
    is_known_metric,
    name_words,
    names_split,
    numeric_metrics,
)

MAX_LINE_CHARS = 2000
MAX_HEAD_WORDS = 3  # before the position: "Training results of epoch 3"
MAX_WORDS_WITH_POSITION = 6
MAX_SETTING_CHARS = 60  # of a line that is remembered
MAX_TEXTS = 3  # names with a text instead of a number

_GAP = r"\s{0,8}"
_RULE = r"[-=*\s]{0,100}$"
_EPOCH_ALONE = lazy_compile(
    rf"[-=*#\s]{{0,20}}(?:Epoch|EPOCH:?) (\d{{1,7}})(?:{_GAP}(?:/|of){_GAP}(\d{{1,7}}))?"
    rf"(?: \| Batchsize: \d+ \| Steps: \d+| in [\d.]{{1,12}} ?s\w{{0,6}})?:?{_RULE}"
    r"|(?:Train )?Epoch: (\d{1,7})(?: \[\d{1,3}%\]| ?\| ?(?:Epoch )?Time: .{1,20})$"
    rf"|[\s\[]{{0,8}}(?:[Tt]rain )?[Ee]poch{_GAP}[:=#]?{_GAP}[\[(]?{_GAP}(\d{{1,7}}){_GAP}/"
    rf"{_GAP}(\d{{1,7}})\]?:?{_RULE}"
)
# Lines with nothing but a position: rsl-rl, Coqui, Composer.
_POSITION_ALONE = lazy_compile(
    r"\s*Learning iteration \d+/\d+\s*$|.{0,80}-- GLOBAL_STEP: \d+\s*$|(?:\[epoch=\d+\])?\[batch=\d+/\d+\]:$"
)
# An exception, a shell's `set -x`, a call or a printed object: Namespace(lr=0.1, loss=0.5)
_OTHER = lazy_compile(
    r"(?-i:[\w.]{0,80}(?:Error|Exception|Warning|Interrupt)\b)|\++ |[\w.]{1,60}\((?:[\w.]{1,60}=|\w{1,60}\()|E   |>>> "
    # The position of another training, or of a checkpoint.
    r"|(?:=> )?(?:successfully )?(?:loaded|loading|resum\w+|restor\w+|saved|saving)\b",
    re.IGNORECASE,
)
_SUMMARY = lazy_compile(r"\*\s+(?:Acc|Prec)@")  # of an evaluation, in the scripts of torchvision and many others
_HEADING_ALONE = lazy_compile(r"[A-Za-z ]{1,40}:$")
# Results with words of their own, as name and value.
_SENTENCES = (
    lazy_compile(r"(Validation loss) decreased \([\w.]{1,40} -+> ([\d.]{1,40})\)"),
    lazy_compile(
        r"(Accuracy of the (?:network|model) on the [\w ]{0,20}(?:test|validation) ?\w{0,10}): ([\d.]{1,20}) ?%"
    ),
)
# pycocotools: `Average Precision  (AP) @[ IoU=0.50:0.95 | area=   all | maxDets=100 ] = 0.421`
_COCO = lazy_compile(
    r"Average (?:Precision|Recall) {1,8}\((A[PR])\) @\[ IoU=([\d.:]{4,9}) *\| area= *(\w{1,8}) *\|"
    r" maxDets= *(\d{1,5}) *\] = (-?[\d.]{1,12})$"
)
_BAR = lazy_compile(r"[━█▏▎▍▌▋▊▉╸]{2}|\[[=>.#-]{2,100}\]")
_ROUND = lazy_compile(r"\[\d{1,9}\]\t|\d{1,9}:\t")  # of boosted trees
_BRACKETED_WORD = lazy_compile(r"\[(\w{1,12})\]")
_SETTING = lazy_compile(r"[\s\-*│├└─]{0,40}[A-Za-z_][\w. /-]{0,60}?\s*(?::(?:\s|$)|=\s?)\s*(\S[^:=]{0,200})?$")
_SETTING_WORDS = word_set(
    """
    lr rate seed size optimizer momentum decay workers dropout betas hidden layers heads dim depth width device
    epochs steps name path dir model dataset gamma beta warmup scheduler activation batch clip
    """
)
# Two of these on a line are settings, even beside `epoch=3` or `batch=8`.
_DUMPED_WORDS = word_set(
    """
    momentum decay optimizer dropout workers warmup seed betas patience epochs
    """
)
# Beside a position these show that a line is a training's, though they are no results.
_COMPANIONS = frozenset(("lr", "learningrate", "gradnorm"))
_NOT_OF_EVALUATIONS = (
    " Time",
    " time",
    " Data",
    " data",
    " LR",
    " lr",
    " data_time",
    " max mem",
    " max_mem",
    " memory",
)


class Pairs:
    # Few different first bytes, and rare ones, keep the search for a mark fast: so "pb:" for "val_bpb:".
    marks = (
        *(
            b"loss",
            b"Loss",
            b"LOSS",
            b"acc",
            b"Acc",
            b"ACC",
            b"ppl",
            b"PPL",
            b"plexity",
            b"ll:",
            b"ll=",
            b"poch",
            b"POCH",
        ),
        *(
            b"rew",
            b"Rew",
            b"f1",
            b"F1",
            b"mAP",
            b"mIoU",
            b"IoU",
            b"leu",
            b"BLEU",
            b"mse",
            b"MSE",
            b"mae",
            b"MAE",
        ),
        *(b"pb:", b"pb=", b"pb ", b"pc:", b"pc=", b"PSNR", b"psnr", b"return", b"WER", b"CER", b"auc", b"AUC", b"FID"),
        *(b"]\t", b"\tlearn: ", b"\ttotal: ", b"ETA: ", b"Score", b"lr=", b"lr =", b"lr ", b"recall", b"Recall"),
        *(
            b"pisode",
            b"Ep ",
            b"[batch=",
            b"Dice",
            b"DCG",
            b"Prec@",
            b"LOBAL_STEP",
            b"Learning it",
            b"Validation score",
            b"fid:",
            b"fid=",
        ),
    )

    tag = "Pairs"

    def __init__(self) -> None:
        self.context = LineContext()
        self._step = 0  # the last one of the training
        self._setting = ""  # the last line that was taken for one
        self._has_epoch_zero = False  # whether there was a `[0/25][10/782]`

    def read(self, line: str, offset: int) -> Iterator[ReaderEvent]:
        """Returns the progress on the line, or the start of an epoch if the line names nothing else."""
        if len(line) > MAX_LINE_CHARS:
            return
        line = line.rstrip()
        start = prefix_end(line)
        if (alone := _EPOCH_ALONE.match(line, start)) is not None:
            epoch, total = alone[1] or alone[3] or alone[4], alone[2] or alone[5]
            yield EpochStarted(offset=offset, epoch=int(epoch), total_epochs=None if total is None else int(total))
            return
        if _OTHER.match(line, start) is not None or is_keras_line(line):
            return
        if (result := _result_of_sentence(line, start)) is not None:
            yield Progress(offset=offset, metrics=numeric_metrics(result))
            return
        items = parse_items(line, start)
        if items is None:
            return
        if items.split is None and (split := self._split_around(items, line, start)) is not None:
            _name_split(items, split)
        if self._is_training(items, line, start):
            yield from self._events(items, line, offset)

    def _split_around(self, items: LineItems, line: str, start: int) -> str | None:
        """The word that names a validation or test, in the prefix or in the line above, if that is a heading."""
        if _SUMMARY.match(line, start) is not None:
            return "Test"
        tags = _BRACKETED_WORD.findall(line, 0, start) if "[" in line[:start] else []
        if (split := next(filter(None, map(split_of, tags)), None)) or items.has_position:
            return split
        previous = self.context.previous
        heading = _HEADING_ALONE.match(previous, prefix_end(previous)) if previous.endswith(":") else None
        words = [] if heading is None else heading[0].rstrip(":").split()
        return next((word for word in words if split_of(word)), None)

    def memory(self) -> list[Any]:
        return [self._step, self._setting, self._has_epoch_zero]

    def remember(self, memory: list[Any]) -> None:
        self._step, self._setting = int(memory[0]), str(memory[1])
        self.remember_previous_start(memory)

    def remember_previous_start(self, memory: list[Any]) -> None:
        """Restores what also holds for another start of the script: the number of its first epoch."""
        self._has_epoch_zero = len(memory) > 2 and bool(memory[2])  # not saved by an earlier version

    def _is_training(self, items: LineItems, line: str, start: int) -> bool:
        known = [name for name in items.values if is_known_metric(name)]
        if known and all("best" in name_words(name) for name in known):
            return False  # "Best accuracy: 0.9 at epoch 12" repeats what another line said
        if items.texts > MAX_TEXTS or sum(not _DUMPED_WORDS.isdisjoint(name_words(name)) for name in items.values) > 1:
            return False  # a configuration on one line
        if items.has_position:
            if _POSITION_ALONE.match(line, start) is not None:
                return True
            if (items.head_words or 0) > MAX_HEAD_WORDS or items.words > MAX_WORDS_WITH_POSITION:
                return False
            is_round = _ROUND.match(line, start) is not None
            if known or (is_round and items.values and not items.words):
                return "best iteration is" not in self.context.previous
            is_step = items.epoch is not None or items.step_rank >= 1
            if items.epoch is not None and items.step is not None and not (items.words or items.texts or items.spaced):
                return not items.integers.issuperset(items.values)  # two positions and measured values
            return is_step and not items.words and any(_is_companion(name) for name in items.values)
        if items.eta_seconds is not None and not items.values and not items.words:
            return self.context.has_begun
        return bool(known) and self._is_result(items, known, line, start)

    def _is_result(self, items: LineItems, known: list[str], line: str, start: int) -> bool:
        """Whether a line without a position holds results, and not settings, bounds or prose."""
        of_split = [name for name in known if names_split(name)]
        if items.spaced:
            # `Test set` or `End of training | test loss 7.33 | test ppl 1519.57`
            is_decimal = items.integers.isdisjoint(items.spaced)
            is_alone = len(items.values) == 1
            if not is_decimal or not items.spaced.issubset(known) or items.words > (0 if is_alone else MAX_HEAD_WORDS):
                return False
            return bool(of_split) and (not is_alone or self.context.has_begun or items.split is not None)
        if line.endswith(",") or items.texts > 0 or items.words > (items.split is not None):
            return False
        if len(items.values) > 1 or items.split is not None:
            return not any(_is_setting_name(name) for name in items.values if not _is_companion(name))
        is_setting = self._is_setting(items, known[0])
        self._setting = line[-MAX_SETTING_CHARS:].rstrip() if is_setting else ""
        return not is_setting

    def _is_setting(self, items: LineItems, name: str) -> bool:
        """Whether the only pair of a line is part of a printed configuration: so are its neighbors."""
        previous = self.context.previous
        if self._setting and previous.endswith(self._setting):
            return True
        setting = _SETTING.match(previous, prefix_end(previous))
        if setting is not None and not is_known_metric(_name_before(setting[0])):
            is_text = setting[1] is None or not any(character.isdigit() for character in setting[1][:2])
            if not self.context.has_begun or is_text or _is_setting_name(_name_before(setting[0])):
                return True
        return not self.context.has_begun and (name in items.integers or not math.isfinite(items.values[name]))

    def _settle_position(self, items: LineItems) -> None:
        """Says what a position means that depends on the names beside it."""
        if items.may_begin_at_one:
            self._has_epoch_zero |= items.epoch == 0
            items.first_epoch = 0 if self._has_epoch_zero else 1
        if items.epoch is not None and items.step is not None and items.has_loss_is:
            items.done, items.step = items.step, None  # MindSpore counts them in each epoch
        if (
            items.may_be_episode
            and items.epoch is not None
            and items.step is None
            and any(map(is_reward, items.values))
        ):
            items.step, items.total_steps, items.epoch, items.total_epochs = (
                int(items.epoch),
                items.total_epochs,
                None,
                None,
            )

    def _events(self, items: LineItems, line: str, offset: int) -> Iterator[ReaderEvent]:
        self._settle_position(items)
        epoch = items.epoch if items.epoch is not None and items.epoch <= MAX_EPOCH else None
        if items.split_before_position or (items.split is not None and not items.has_position):
            yield from self._evaluation(items, epoch, offset)
            return
        metrics = numeric_metrics(items.values)
        # What a count is of is certain if it is called a batch, or if the form is that of a known script.
        within_epoch = items.total_epochs is None or items.step_rank == 0 or items.first_epoch is not None
        if items.step is not None and items.total_steps is not None and _may_count_in_epoch(items, line):
            # "Epoch [1/10], Step [100/600]" may count the steps of the epoch or those of the whole training.
            items.done, items.total, items.step = items.step, items.total_steps, None
            within_epoch = False
        if items.step is not None:
            self._step = items.step
        is_counted = items.done is not None and items.total is not None
        if items.step is None and (is_counted or _is_within_epoch(items, epoch, line)):
            eta = items.eta_seconds
            yield EpochProgress(
                offset=offset,
                done=items.done if is_counted else None,
                total=items.total if is_counted else None,
                epoch=None if epoch is None else int(epoch),
                first_epoch=items.first_epoch,
                total_epochs=items.total_epochs,
                within_epoch=within_epoch,
                seconds_left=eta if items.eta_follows_batch else None,
                eta_seconds=None if items.eta_follows_batch else eta,
                metrics=metrics,
            )
            return
        yield Progress(
            offset=offset,
            step=items.step,
            epoch=epoch,
            total_steps=items.total_steps,
            total_epochs=items.total_epochs,
            eta_seconds=items.eta_seconds,
            metrics=metrics,
        )

    def _evaluation(self, items: LineItems, epoch: float | None, offset: int) -> Iterator[ReaderEvent]:
        """A validation's own batches are no steps; its result is on the last of them, as the mean."""
        done, total = (items.done, items.total) if items.step is None else (items.step, items.total_steps)
        if done is not None and total is not None and done < total - (items.eta_follows_batch):
            return
        step = items.step if items.total_steps is None and items.step is not None and items.step >= self._step else None
        metrics = numeric_metrics(
            {name: mean for name, mean in items.means.items() if not name.endswith(_NOT_OF_EVALUATIONS)}
        )
        if metrics:
            yield Progress(offset=offset, step=step, epoch=epoch, total_epochs=items.total_epochs, metrics=metrics)


def _may_count_in_epoch(items: LineItems, line: str) -> bool:
    """Whether the line names an epoch before its step; in `step 10/3000 | loss 2.1 | epoch: 1` it is only a detail."""
    if items.epoch is None or not items.epoch.is_integer() or items.epoch > MAX_EPOCH or items.step_rank == GLOBAL_RANK:
        return False
    total = re.search(rf"(?:/|of) *0*{items.total_steps}\b", line)
    return items.total_epochs is not None or total is None or "epoch" in line[: total.start()].lower()


def _is_within_epoch(items: LineItems, epoch: float | None, line: str) -> bool:
    """Whether the line is of the middle of an epoch: it names a batch, draws a bar, or has no result yet."""
    if epoch is None or not epoch.is_integer():
        return False
    return items.done is not None or not any(map(is_known_metric, items.values)) or _BAR.search(line) is not None


def _result_of_sentence(line: str, start: int) -> dict[str, str] | None:
    for sentence in _SENTENCES:
        if (match := sentence.match(line, start)) is not None:
            return {match[1]: match[2]}
    if (coco := _COCO.match(line, start)) is None or coco[5].startswith("-"):
        return None
    kind, iou, area, detections, value = coco.groups()
    return {f"{kind}@{iou} {area} {detections}": value}


def _name_before(setting: str) -> str:
    return setting.replace("=", ":").partition(":")[0].strip(" -*")


def _name_split(items: LineItems, split: str) -> None:
    items.split, items.split_before_position = split, True
    items.values = {f"{split} {name}": value for name, value in items.values.items()}
    items.means = {f"{split} {name}": value for name, value in items.means.items()}
    items.spaced = {f"{split} {name}" for name in items.spaced}
    items.integers = {f"{split} {name}" for name in items.integers}


def _is_companion(name: str) -> bool:
    return "".join(name_words(name)) in _COMPANIONS


def _is_setting_name(name: str) -> bool:
    return not _SETTING_WORDS.isdisjoint(name_words(name)) and not is_known_metric(name)
