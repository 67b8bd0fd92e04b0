r"""Reads what the scripts of pytorch/examples print, those for ImageNet and for MNIST.

`Epoch: [83][0/10010]\tTime 4.381 (4.381)\tLoss 1.8135 (1.8135)`, where the mean in brackets is left out, and
`Train Epoch: 1 [0/60000 (0%)]\tLoss: 2.300039`, whose count is of samples. What they measure on other data than they
train on gets a name that says so, since they print it under the same.
"""

from __future__ import annotations

from collections.abc import Iterator

from backprop_tui.readers.lazily import lazy_compile
from backprop_tui.readers.prefixes import prefix_end
from backprop_tui.readers.printed_numbers import parse_number
from backprop_tui.readers.training_keys import numeric_metrics
from backprop_tui.readers.values import EpochProgress, ParsedEvent, Progress

_IMAGENET = lazy_compile(r"Epoch: \[(\d{1,9})\]\[ *(\d{1,12})/(\d{1,12})\]\t")
_MEAN_FIGURE = lazy_compile(r"\s*([A-Za-z][\w@ /-]{0,60}?)\s+([-+\w.]{1,40})(?:\s+\(\s*[-+\w.]{1,40}\s*\))?\s*")
_SUMMARY = lazy_compile(r"\s*\*\s+(?=Acc@)")
_SUMMARY_FIGURE = lazy_compile(r"(\S{1,60})\s+([-+\w.]{1,40})\s*")
_MNIST = lazy_compile(r"Train Epoch: (\d{1,9}) \[ *(\d{1,12})/(\d{1,12}) \( *[\d.]{1,6}%\)\]\s+")
_NAMED_FIGURE = lazy_compile(r"\s*([A-Za-z][\w@ /-]{0,60}): +([-+\w.]{1,40})\s*")
_TEST_SET = lazy_compile(r"Test set: Average loss: ([-+\w.]{1,40}), Accuracy: (\d{1,12})/(\d{1,12}) \( *[\d.]{1,6}%\)\s*")


class PytorchExamples:
    """The reader of both; keeps nothing between lines."""

    marks = (b"Loss", b"loss", b"Acc@")

    def read(self, line: str, offset: int) -> Iterator[ParsedEvent]:
        """A place in an epoch, or what was measured after it."""
        if "Epoch: " in line:
            yield from _trained(line, offset)
        elif (summary := _SUMMARY.match(line)) is not None:
            figures = _SUMMARY_FIGURE.findall(line, summary.end())
            metrics = {f"Test {name}": value for name, value in numeric_metrics(dict(figures)).items()}
            if metrics:
                yield Progress(offset=offset, metrics=metrics)
        elif (test := _TEST_SET.match(line)) is not None:
            loss, right, of = parse_number(test[1]), int(test[2]), int(test[3])
            if loss is not None and of:
                metrics = {"Test set Average loss": loss, "Test set Accuracy": 100 * right / of}
                yield Progress(offset=offset, metrics=metrics)


def _trained(line: str, offset: int) -> Iterator[ParsedEvent]:
    message = prefix_end(line)
    place = _IMAGENET.match(line, message)
    kind, first_epoch = _MEAN_FIGURE, 0
    if place is None:
        place, kind, first_epoch = _MNIST.match(line, message), _NAMED_FIGURE, 1
    if place is None:
        return
    figures = (kind.fullmatch(part) for part in line[place.end() :].split("\t"))
    yield EpochProgress(
        offset=offset,
        done=int(place[2]),
        total=int(place[3]),
        epoch=int(place[1]),
        first_epoch=first_epoch,
        metrics=numeric_metrics({found[1]: found[2] for found in figures if found is not None}),
    )
