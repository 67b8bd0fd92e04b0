"""Files that training scripts write: CSV tables, the Trainer's state, TensorBoard's events."""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.readers.events import Progress
from backprop_tui.readers.files.csv_log import CsvLog
from backprop_tui.readers.files.tensorboard import MAX_RECORD_BYTES, TensorBoardLog
from backprop_tui.readers.files.trainer_state import parse_trainer_state

CAPTURED = Path(__file__).parent / "captured"
TABLES = sorted(CAPTURED.glob("*/*.csv"))
EVENTS = next(CAPTURED.glob("lightning-*/*tfevents*"))
BY_TORCH = CAPTURED / "tensorboard-2.21.0"
SCALARS = json.loads((BY_TORCH / "scalars.json").read_text())
Log = CsvLog | TensorBoardLog


def read(log: Log, content: bytes, chunk_bytes: int = 1 << 20) -> list[Progress]:
    return [
        row for start in range(0, len(content), chunk_bytes) for row in log.feed(content[start : start + chunk_bytes])
    ]


def test_rows_per_step_or_per_epoch_are_read() -> None:
    table = b"epoch,step,train_loss,val_loss\r\n0,4,7.5,\r\n0,15,,nan\r\n1,16,,\r\n"
    rows = read(CsvLog(), table)
    assert [(row.step, row.epoch, list(row.metrics)) for row in rows] == [
        (4, 0.0, ["train_loss"]),
        (15, 0.0, ["val_loss"]),
    ]
    assert [row.epoch for row in read(CsvLog(), b" epoch,  train/box_loss\n 1, 0.5\n")] == [1.0]


@pytest.mark.parametrize(
    "header", ["name,loss", "step,name", "epoch,batch_size", "a", "", "step;loss", '"step","loss"']
)
def test_an_unrelated_table_yields_nothing(header: str) -> None:
    assert read(CsvLog(), f"{header}\n1,2\n3,4\n".encode()) == []


def test_a_partial_row_is_read_when_it_is_complete() -> None:
    log = CsvLog()
    assert log.feed(b"epoch,loss\n1,0.") == []
    assert [row.metrics for row in log.feed(b"5\n")] == [{"loss": 0.5}]


def test_a_table_with_a_new_column_must_be_read_again() -> None:
    log = CsvLog()
    assert len(read(log, b"epoch,loss\n1,0.5\n2,0.4,0.3\n3,0.2,0.1\n")) == 1
    assert log.is_another


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.parent.name)
def test_a_captured_table_is_read_with_any_chunk_size(path: Path) -> None:
    rows = read(CsvLog(), path.read_bytes())
    assert len(rows) == len(path.read_text(encoding="utf-8").splitlines()) - 1
    assert all(any("loss" in name for name in row.metrics) for row in rows)
    assert read(CsvLog(), path.read_bytes(), 3) == rows


def test_the_log_in_the_trainer_state_is_read_with_its_steps() -> None:
    events = parse_trainer_state((CAPTURED / "transformers-5.24.0" / "trainer_state.json").read_bytes())
    assert [(event.step, event.metrics.get("loss")) for event in events[:2]] == [
        (5, 3.915350341796875),
        (10, 3.2586292266845702),
    ]
    assert [event.step for event in events if "eval_loss" in event.metrics] == [20, 40, 60]
    assert (events[-1].step, events[-1].total_steps, events[-1].total_epochs, events[-1].metrics) == (60, 60, 3, {})


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"5", b'{"log_history": 5}', b'{"log_history": [5, null]}', b"[" * 100_000, b"\xff"]
)
def test_an_invalid_trainer_state_yields_nothing(content: bytes) -> None:
    assert parse_trainer_state(content) == []


def test_captured_events_are_read_with_any_chunk_size() -> None:
    events = read(TensorBoardLog(), EVENTS.read_bytes())
    losses = {(event.step, name): value for event in events for name, value in event.metrics.items()}
    assert losses[4, "train_loss"] == pytest.approx(7.539087772369385)
    assert losses[79, "val_loss"] == pytest.approx(0.0005338093)
    assert {event.epoch for event in events if event.epoch is not None} == {0.0, 1.0, 2.0, 3.0, 4.0}
    assert read(TensorBoardLog(), EVENTS.read_bytes(), 5) == events


@pytest.mark.parametrize("name", SCALARS)
def test_events_written_by_torch_are_read_as_tensorboard_reads_them(name: str) -> None:
    events: dict[str, list[list[object]]] = {}
    for event in read(TensorBoardLog(), (BY_TORCH / name).read_bytes()):
        for tag, value in event.metrics.items():
            events.setdefault(tag, []).append([event.step, "NaN" if math.isnan(value) else value])
    assert events == SCALARS[name]


@pytest.mark.parametrize(
    ("series", "name"),
    [("loss_val", "loss/val"), ("validation", "validation/loss"), ("train", "loss"), ("run_7", "loss"), ("", "loss")],
)
def test_the_directories_of_one_training_have_separate_metrics(series: str, name: str) -> None:
    events = next((BY_TORCH / "loss_val").iterdir()).read_bytes()
    assert {tag for event in read(TensorBoardLog(series), events) for tag in event.metrics} == {name}


def test_a_long_record_is_skipped_and_not_kept_in_memory() -> None:
    events = EVENTS.read_bytes()
    long = (MAX_RECORD_BYTES + 1).to_bytes(8, "little") + bytes(4 + MAX_RECORD_BYTES + 1 + 4)
    log = TensorBoardLog()
    for start in range(0, len(long), 100_000):
        assert log.feed(long[start : start + 100_000]) == []
        assert len(log._pending) <= MAX_RECORD_BYTES + 100
    assert log.feed(events) == TensorBoardLog().feed(events)


@given(st.binary(max_size=300), st.integers(0, 2000), st.integers(1, 300))
def test_random_bytes_do_no_harm(noise: bytes, place: int, chunk_bytes: int) -> None:
    events = EVENTS.read_bytes()
    torn = events[:place] + noise + events[place:]
    # As text, since NaN != NaN.
    assert repr(read(TensorBoardLog(), torn)) == repr(read(TensorBoardLog(), torn, chunk_bytes))
    table = b"step,loss\n" + noise
    assert repr(read(CsvLog(), table)) == repr(read(CsvLog(), table, chunk_bytes))
    parse_trainer_state(noise)


@given(
    st.recursive(
        st.none() | st.integers() | st.floats() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3)
    )
)
def test_any_json_value_is_accepted(value: object) -> None:
    for key in ("global_step", "epoch", "max_steps", "log_history"):
        parse_trainer_state(
            json.dumps({"log_history": [{"step": value, "loss": value}], "global_step": 1, key: value}).encode()
        )


def test_bookkeeping_is_no_metric_in_any_file() -> None:
    table = b"epoch,step,loss,hp_metric,total_flos\n1,4,0.5,-1,1e12\n"
    assert [dict(row.metrics) for row in read(CsvLog(), table)] == [{"loss": 0.5}]
    state = b'{"log_history": [{"step": 5, "epoch": 1.0, "loss": 0.5, "total_flos": 1e12}]}'
    assert [dict(event.metrics) for event in parse_trainer_state(state)] == [{"loss": 0.5}]
    tags = {
        "train/loss": 0.5,
        "train/epoch": 2.0,
        "train/global_step": 5.0,
        "hp_metric": -1.0,
        "train/total_flos": 1e12,
    }
    (event,) = read(TensorBoardLog(), event_record(5, tags))
    assert event.epoch == 2.0
    assert dict(event.metrics) == {"train/loss": 0.5}


def event_record(step: int, scalars: dict[str, float]) -> bytes:
    """A record of a TensorBoard file, without valid checksums."""

    def field(number: int, content: bytes) -> bytes:
        return bytes([number << 3 | 2, len(content)]) + content

    values = (field(1, tag.encode()) + b"\x15" + struct.pack("<f", value) for tag, value in scalars.items())
    summary = b"".join(field(1, value) for value in values)
    length, rest = bytes([0x80 | len(summary) & 0x7F, len(summary) >> 7]), summary
    event = b"\x10" + bytes([step]) + b"\x2a" + length + rest
    return len(event).to_bytes(8, "little") + bytes(4) + event + bytes(4)
