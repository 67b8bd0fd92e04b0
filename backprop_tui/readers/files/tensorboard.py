"""Reads the scalars of a TensorBoard event file, as every writer of them stores them: as a simple value or a tensor.

A file is records of a length, a checksum of it, the content and a checksum of that (TensorFlow's record_writer.h);
the content is an `Event` of event.proto: 2 is the step, 5 a summary, whose 1 is a value with 1 its tag, 2 a float and
8 a tensor. The format is stable since 2015, and read here because a guardian is the standard library alone: the reader
that `tensorboard` has brings protobuf and numpy along, and is another one in each environment.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from backprop_tui.readers.printed_numbers import as_count
from backprop_tui.readers.training_keys import as_epoch, numeric_metrics
from backprop_tui.readers.values import Progress

MARK = "tfevents"
EVALUATION_SERIES = frozenset({"validation", "valid", "val", "test", "eval", "evaluation", "dev"})
MAX_RECORD_BYTES = 1 << 20  # images and graphs are longer, and passed over

_HEADER_BYTES, _FOOTER_BYTES = 12, 4
_FLOAT, _DOUBLE = 1, 2  # of a tensor's DataType
Fields = Iterator[tuple[int, int | bytes]]


class TensorBoardLog:
    """Takes a growing event file in chunks; keeps one record's begin at most."""

    __slots__ = ("_pending", "_series", "_skip")

    def __init__(self, series: str = "") -> None:
        """`series` is the name of its directory where a training has several: they may hold the same tags."""
        self._series = series
        self._pending = bytearray()
        self._skip = 0  # bytes of a long record that are still to come

    def feed(self, chunk: bytes) -> list[Progress]:
        """The scalars of the records that end within the chunk, in their order; a damaged record says nothing."""
        passed = min(self._skip, len(chunk))
        self._skip -= passed
        self._pending += chunk[passed:]
        found: list[Progress] = []
        while len(self._pending) >= _HEADER_BYTES:
            length = int.from_bytes(self._pending[:8], "little")
            whole = _HEADER_BYTES + length + _FOOTER_BYTES
            if length > MAX_RECORD_BYTES:
                self._skip = max(0, whole - len(self._pending))
                del self._pending[:whole]
            elif len(self._pending) < whole:
                break
            else:
                progress = _progress(bytes(self._pending[_HEADER_BYTES : _HEADER_BYTES + length]), self._series)
                del self._pending[:whole]
                if progress is not None:
                    found.append(progress)
        return found

    def pass_over(self, most: int) -> int:
        """How many of the next bytes, `most` at most, say nothing; the next chunk begins behind them."""
        passed = max(0, min(self._skip, most))
        self._skip -= passed
        return passed


def _progress(event: bytes, series: str) -> Progress | None:
    step = 0
    scalars: dict[str, float] = {}
    try:
        for field, value in _fields(event):
            if field == 2 and isinstance(value, int):
                step = value
            elif field == 5 and isinstance(value, bytes):
                scalars.update(_scalars(value))
    except (ValueError, IndexError, struct.error):
        return None
    epoch = as_epoch(scalars.pop("epoch", None))
    metrics = numeric_metrics({_name(tag, series): figure for tag, figure in scalars.items()})
    if as_count(float(step)) is None or (epoch is None and not metrics):
        return None
    return Progress(offset=0, step=step, epoch=epoch, metrics=metrics)


def _name(tag: str, series: str) -> str:
    """`add_scalars("loss", {"val": …})` of torch writes `loss` into `loss_val/`, Keras into `validation/`."""
    beginning = f"{tag.replace('/', '_')}_"
    if series.startswith(beginning):
        return f"{tag}/{series.removeprefix(beginning)}"
    return f"{series}/{tag}" if series in EVALUATION_SERIES else tag


def _scalars(summary: bytes) -> Iterator[tuple[str, float]]:
    for field, value in _fields(summary):
        if field == 1 and isinstance(value, bytes):
            parts = dict(_fields(value))
            tag, simple, tensor = parts.get(1), parts.get(2), parts.get(8)
            if not isinstance(tag, bytes):
                continue
            name = tag.decode("utf-8", "replace")
            if isinstance(simple, bytes) and len(simple) == 4:
                yield name, struct.unpack("<f", simple)[0]
            elif isinstance(tensor, bytes) and (scalar := _scalar(dict(_fields(tensor)))) is not None:
                yield name, scalar


def _scalar(tensor: dict[int, int | bytes]) -> float | None:
    """A tensor of one float: 1 is its type, 4 its content, or 5 and 6 a list of floats and of doubles."""
    for kind, places, form in ((_FLOAT, (4, 5), "<f"), (_DOUBLE, (4, 6), "<d")):
        for place in places:
            content = tensor.get(place)
            if tensor.get(1) == kind and isinstance(content, bytes) and len(content) == struct.calcsize(form):
                return float(struct.unpack(form, content)[0])
    return None


def _fields(message: bytes) -> Fields:
    """Each field of a protocol buffer message; fixed ones as their bytes.

    Raises:
        ValueError, IndexError: it is none.
    """
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        match key & 7:
            case 0:
                value, position = _varint(message, position)
                yield key >> 3, value
                continue
            case 1:
                size = 8
            case 5:
                size = 4
            case 2:
                size, position = _varint(message, position)
            case other:
                raise ValueError(other)
        if position + size > len(message):
            raise ValueError(size)
        yield key >> 3, message[position : position + size]
        position += size


def _varint(message: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise ValueError(shift)
