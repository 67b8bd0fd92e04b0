"""Reads the scalars of a TensorBoard event file, stored as simple values or as tensors.

The file is a sequence of records: length, checksum of the length, content, checksum of the content (TensorFlow's
record_writer.h). The content is an `Event` of event.proto: field 2 is the step and 5 a summary, whose field 1 is a
value with the fields 1 (tag), 2 (float) and 8 (tensor). The format has been stable since 2015. We parse it ourselves
because the guardian uses only the standard library, while the `tensorboard` package requires protobuf and numpy and
differs between environments.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from backprop_tui.readers.events import Progress
from backprop_tui.readers.printed_numbers import as_count
from backprop_tui.readers.training_keys import as_epoch, numeric_metrics

MARK = "tfevents"
EVALUATION_SERIES = frozenset({"validation", "valid", "val", "test", "eval", "evaluation", "dev"})
# Tags that are no curves, in whatever group: `train/global_step`.
BOOKKEEPING = frozenset({"step", "global_step", "total_flos", "hp_metric"})
MAX_RECORD_BYTES = 1 << 20  # longer records (images, graphs) are skipped

_HEADER_BYTES, _FOOTER_BYTES = 12, 4
_FLOAT, _DOUBLE = 1, 2  # values of DataType in a tensor
Fields = Iterator[tuple[int, int | bytes]]


class TensorBoardLog:
    """Reads a growing event file in chunks; keeps at most the start of one record between chunks."""

    __slots__ = ("_pending", "_series", "_skip")

    def __init__(self, series: str = "") -> None:
        """`series` is the name of the file's directory if a training has several, which may contain the same tags."""
        self._series = series
        self._pending = bytearray()
        self._skip = 0  # remaining bytes of a record that is too long

    def feed(self, chunk: bytes) -> list[Progress]:
        """Returns the scalars of the records that end within the chunk; a damaged record is skipped."""
        skipped = min(self._skip, len(chunk))
        self._skip -= skipped
        self._pending += chunk[skipped:]
        events: list[Progress] = []
        while len(self._pending) >= _HEADER_BYTES:
            length = int.from_bytes(self._pending[:8], "little")
            record_bytes = _HEADER_BYTES + length + _FOOTER_BYTES
            if length > MAX_RECORD_BYTES:
                self._skip = max(0, record_bytes - len(self._pending))
                del self._pending[:record_bytes]
            elif len(self._pending) < record_bytes:
                break
            else:
                progress = _decode_event(bytes(self._pending[_HEADER_BYTES : _HEADER_BYTES + length]), self._series)
                del self._pending[:record_bytes]
                if progress is not None:
                    events.append(progress)
        return events

    def pass_over(self, most: int) -> int:
        """How many of the next bytes to skip, at most `most`; the next chunk must start after them."""
        skipped = max(0, min(self._skip, most))
        self._skip -= skipped
        return skipped


def _decode_event(event: bytes, series: str) -> Progress | None:
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
    epoch = as_epoch(next((value for tag, value in scalars.items() if _last_part(tag) == "epoch"), None))
    metrics = numeric_metrics(
        {
            _metric_name(tag, series): value
            for tag, value in scalars.items()
            if _last_part(tag) != "epoch" and _last_part(tag) not in BOOKKEEPING
        }
    )
    if as_count(float(step)) is None or (epoch is None and not metrics):
        return None
    return Progress(offset=0, step=step, epoch=epoch, metrics=metrics)


def _last_part(tag: str) -> str:
    return tag.rpartition("/")[2]


def _metric_name(tag: str, series: str) -> str:
    """For `add_scalars("loss", {"val": …})` torch writes the tag `loss` into `loss_val/`, Keras into `validation/`."""
    prefix = f"{tag.replace('/', '_')}_"
    if series.startswith(prefix):
        return f"{tag}/{series.removeprefix(prefix)}"
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
    """The value of a tensor with one element: field 1 is the type, 4 the content, 5 a float and 6 a double list."""
    for data_type, content_fields, layout in ((_FLOAT, (4, 5), "<f"), (_DOUBLE, (4, 6), "<d")):
        for field in content_fields:
            content = tensor.get(field)
            if tensor.get(1) == data_type and isinstance(content, bytes) and len(content) == struct.calcsize(layout):
                return float(struct.unpack(layout, content)[0])
    return None


def _fields(message: bytes) -> Fields:
    """Yields the fields of a protobuf message by number, fixed-size values as bytes. Raises: ValueError, IndexError."""
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
            case wire_type:
                raise ValueError(wire_type)
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
