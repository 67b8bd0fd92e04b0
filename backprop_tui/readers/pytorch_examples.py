r"""Reads the output of the ImageNet and MNIST scripts of pytorch/examples.

`Epoch: [83][0/10010]\tTime 4.381 (4.381)\tLoss 1.8135 (1.8135)`, of which the means in parentheses are ignored, and
`Train Epoch: 1 [0/60000 (0%)]\tLoss: 2.300039`, which counts samples. Evaluation metrics are printed under the same
names as those of the training and get a `Test` prefix here.
"""

from __future__ import annotations

from collections.abc import Iterator

from backprop_tui.readers.events import EpochProgress, Progress, ReaderEvent
from backprop_tui.readers.lazy_regex import lazy_compile
from backprop_tui.readers.prefixes import prefix_end
from backprop_tui.readers.printed_numbers import parse_number
from backprop_tui.readers.training_keys import numeric_metrics

_IMAGENET = lazy_compile(r"Epoch: \[(\d{1,9})\]\[ *(\d{1,12})/(\d{1,12})\]\t")
_METRIC_AND_MEAN = lazy_compile(r"\s*([A-Za-z][\w@ /-]{0,60}?)\s+([-+\w.]{1,40})(?:\s+\(\s*[-+\w.]{1,40}\s*\))?\s*")
_SUMMARY = lazy_compile(r"\s*\*\s+(?=Acc@)")
_SUMMARY_METRIC = lazy_compile(r"(\S{1,60})\s+([-+\w.]{1,40})\s*")
_MNIST = lazy_compile(r"Train Epoch: (\d{1,9}) \[ *(\d{1,12})/(\d{1,12}) \( *[\d.]{1,6}%\)\]\s+")
_NAMED_METRIC = lazy_compile(r"\s*([A-Za-z][\w@ /-]{0,60}): +([-+\w.]{1,40})\s*")
_TEST_SET = lazy_compile(
    r"Test set: Average loss: ([-+\w.]{1,40}), Accuracy: (\d{1,12})/(\d{1,12}) \( *[\d.]{1,6}%\)\s*"
)


class PytorchExamples:
    marks = (b"Loss", b"loss", b"Acc@")

    def read(self, line: str, offset: int) -> Iterator[ReaderEvent]:
        if "Epoch: " in line:
            yield from _training_progress(line, offset)
        elif (summary := _SUMMARY.match(line)) is not None:
            values = dict(_SUMMARY_METRIC.findall(line, summary.end()))
            metrics = {f"Test {name}": value for name, value in numeric_metrics(values).items()}
            if metrics:
                yield Progress(offset=offset, metrics=metrics)
        elif (test := _TEST_SET.match(line)) is not None:
            loss, correct, total = parse_number(test[1]), int(test[2]), int(test[3])
            if loss is not None and total:
                metrics = {"Test set Average loss": loss, "Test set Accuracy": 100 * correct / total}
                yield Progress(offset=offset, metrics=metrics)


def _training_progress(line: str, offset: int) -> Iterator[ReaderEvent]:
    message = prefix_end(line)
    heading = _IMAGENET.match(line, message)
    metric, first_epoch = _METRIC_AND_MEAN, 0
    if heading is None:
        heading, metric, first_epoch = _MNIST.match(line, message), _NAMED_METRIC, 1
    if heading is None:
        return
    matches = (metric.fullmatch(part) for part in line[heading.end() :].split("\t"))
    yield EpochProgress(
        offset=offset,
        done=int(heading[2]),
        total=int(heading[3]),
        epoch=int(heading[1]),
        first_epoch=first_epoch,
        metrics=numeric_metrics({match[1]: match[2] for match in matches if match is not None}),
    )
