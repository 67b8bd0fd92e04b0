"""The log reader: independent of chunks, able to resume at offsets, and robust against any input."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.readers.checkpoint_messages import CheckpointMessages
from backprop_tui.readers.events import CheckpointSaved, MergedEvent, Progress
from backprop_tui.readers.keras import Keras
from backprop_tui.readers.lines import MAX_LINE_BYTES
from backprop_tui.readers.log_reader import LogReader
from backprop_tui.readers.pairs import Pairs
from backprop_tui.readers.summaries import Summaries
from backprop_tui.readers.tables import Tables
from backprop_tui.readers.ultralytics import Ultralytics

LOG = (
    b"loading \xff\xfe broken bytes\r\n"
    b'{"step": 1, "loss": "2.5"}\n'
    b' 10%|#   | 1/10\r{"step": 2, "loss": Infinity}\r 20%|##  | 2/10\r\n'
    b'\x1b[32m{"step": 3, "loss": 1.5}\x1b[0m\r\n'
    b'{"event": "checkpoint_saved", "path": "\xc3\xa4.pt", "step": 3}\n'
    b"5%\b\b" + b'[rank0]: {"step": 4}\n\n'
    b'{"step": 5, "loss": 1.25}'
)

WANTED_LINES_A_SECOND = 300_000

VALUES = [b'{"step": 1, "loss": 2}', b'{"event": "checkpoint", "path": "x"}']
FRAGMENTS = [
    b'{"',
    b"{",
    b"}",
    b"[",
    b'"step": ',
    b"NaN",
    b"\n",
    b"\r",
    b"\r\n",
    b"\x1b[",
    b"\x1b]",
    b"\b",
    b"\xff",
    b"\0",
]
HEAVY = [b"9" * 5000, b'{"a":' * 2000, b"x" * 40_000]
# Parts of all formats: whole lines, truncated lines, and unrelated bytes.
LINES = [
    "{'loss': '1.112', 'epoch': '0.625'}",
    " 33%|███▎      | 20/60 [00:02<00:03, 10.68it/s]",
    "100%|██████████| 2/2 [00:00<00:00,  8.50it/s]\x1b[A",
    "Epoch 1: 100%|██████████| 8/8 [00:00<00:00, 17.47it/s, v_num=0, train_loss=nan]",
    "Epochs:  33%|███▎      | 1/3 [00:00<00:00,  5.44it/s]",
    "Validation: 100%|██████████| 8/8 [00:00<00:00, 17.47it/s, loss=0.5]",
    "Epoch 1/3",
    "16/16 - 0s - 9ms/step - loss: 1.0921 - val_loss: 0.7718",
    "Epoch 1: val_loss improved from None to 0.77180, saving model to ck.keras",
    "iter 100: loss 3.1234, time 123.45ms, mfu 12.34%",
    "Epoch: [83][0/10010]\tTime 4.381 (4.381)\tLoss 1.8135 (1.8135)",
    "Train: 0 [  50/1251 (  4%)]  Loss: 6.95 (6.95)  LR: 1.000e-05",
    "      Epoch    GPU_mem   box_loss   cls_loss  Instances       Size",
    "        1/2         0G      4.486      2.623          4         64: 100% ━━━━━━━━━━━━ 2/2 3.8it/s 0.5s",
    " Class     Images  Instances      Box(P          R): 100% ━━━━ 1/1 21.8it/s 0.0s",
    "                   all          8          8          0        0.5",
    "2025-10-15 11:33:32 | INFO | train_inner | epoch 001:    100 / 487 loss=4.655, num_updates=100",
    " [2025-08-01 07:19:37] iteration        1/    5000 | lm loss: 1.043863E+01 |",
    " ('a/checkpoint-0.pth.tar', 0.12)",
    "Epoch [1/10], Step [100/600], Loss: 0.1234",
    "loss: 0.5",
    "Total optimization steps = 60",
]
PRINTED = st.sampled_from([line.encode() for line in LINES])
CUT = st.tuples(PRINTED, st.integers(0, 90)).map(lambda pair: pair[0][: pair[1]])
PIECES = st.sampled_from([*VALUES, *FRAGMENTS, *HEAVY]) | PRINTED | PRINTED | CUT
LOGS = st.lists(PIECES | st.binary(max_size=30), max_size=30).map(b"".join)


def _read(*chunks: bytes, offset: int = 0) -> list[MergedEvent]:
    reader = LogReader(offset)
    return [value for chunk in chunks for value in reader.feed(chunk)] + reader.finish()


def test_a_log_is_read_in_order_with_the_offset_after_each_line() -> None:
    values = _read(LOG)
    assert [(type(value), value.step) for value in values] == [
        (Progress, 1),
        (Progress, 2),
        (Progress, 3),
        (CheckpointSaved, 3),
        (Progress, 4),
        (Progress, 5),
    ]
    ends = [value.offset for value in values]
    assert ends == sorted(ends)
    assert LOG[: ends[0]].endswith(b'"2.5"}\n')
    assert LOG[: ends[1]].endswith(b"Infinity}\r")
    assert LOG[: ends[2]].endswith(b"\x1b[0m\r\n")
    assert ends[-1] == len(LOG)


def test_splitting_a_log_at_any_byte_changes_nothing() -> None:
    whole = _read(LOG)
    for cut in range(len(LOG) + 1):
        assert _read(LOG[:cut], LOG[cut:]) == whole, cut


def test_reading_byte_by_byte_changes_nothing() -> None:
    assert _read(*(bytes([byte]) for byte in LOG)) == _read(LOG)


def test_another_reader_resumes_at_the_offset_of_a_reader_that_died() -> None:
    whole = _read(LOG, offset=1000)
    for cut in range(len(LOG) + 1):
        died = LogReader(1000)
        before = died.feed(LOG[:cut])
        assert all(value.offset <= died.offset for value in before)
        assert before + _resume(died, LOG[died.offset - 1000 :]) == whole, cut


def _resume(died: LogReader, rest: bytes) -> list[MergedEvent]:
    """The events of a new reader that restores the state of the old one from JSON."""
    reader = LogReader(died.offset, memory=json.loads(json.dumps(died.memory())))
    return reader.feed(rest) + reader.finish()


@given(LOGS, st.integers(0, 3000))
def test_a_reader_that_resumes_at_any_position_returns_the_same_rest(log: bytes, cut: int) -> None:
    died = LogReader()
    before = died.feed(log[:cut])
    assert repr(before + _resume(died, log[died.offset :])) == repr(_read(log))


@given(LOGS)
def test_the_state_between_lines_is_bounded(log: bytes) -> None:
    reader = LogReader()
    for _ in range(3):
        reader.feed(log)
        assert len(json.dumps(reader.memory())) < 200_000


@pytest.mark.parametrize(
    "memory", [{}, {"joiner": 5}, {"joiner": {"bars": 3}}, {"joiner": None, "readers": None}, {"readers": {"Keras": 1}}]
)
def test_an_invalid_state_is_ignored(memory: dict[str, object]) -> None:
    reader = LogReader(memory=memory)
    assert [value.step for value in reader.feed(b'{"step": 3, "loss": 1}\n')] == [3]
    assert LogReader(previous_state=memory).feed(b"") == []


_STATEFUL = (Ultralytics, Keras, CheckpointMessages, Summaries, Tables, Pairs)


def test_the_tags_of_stateful_readers_do_not_depend_on_class_names() -> None:
    assert {reader: reader.tag for reader in _STATEFUL} == {
        Ultralytics: "Ultralytics",
        Keras: "Keras",
        CheckpointMessages: "CheckpointMessages",
        Summaries: "Summaries",
        Tables: "Tables",
        Pairs: "Pairs",
    }
    assert set(LogReader().memory()["readers"]) == {reader.tag for reader in _STATEFUL}


def test_another_start_of_a_script_keeps_the_number_of_its_first_epoch() -> None:
    first = LogReader()
    first.feed("Epoch 0: 100%|████| 8/8 [00:01<00:00, 8.0it/s, loss=0.5]\n".encode())
    again = LogReader(first.offset, previous_state=first.memory())
    (value,) = again.feed("Epoch 2:  50%|██  | 4/8 [00:01<00:01, 4.0it/s, loss=0.5]\n".encode())
    assert value.step == 20


def test_another_start_of_a_script_keeps_the_number_of_the_first_epoch_in_brackets() -> None:
    first = LogReader()
    first.feed(b"[0/25][700/782] Loss_D: 0.5\n")
    again = LogReader(first.offset, previous_state=first.memory())
    (value,) = again.feed(b"[5/25][10/782] Loss_D: 0.4\n")
    assert value.step == 5 * 782 + 10
    (alone,) = LogReader().feed(b"[5/25][10/782] Loss_D: 0.4\n")
    assert alone.step == 4 * 782 + 10


def test_a_whole_line_is_read_immediately_and_a_partial_line_when_it_ends() -> None:
    reader = LogReader()
    assert [value.step for value in reader.feed(b'{"step": 1}\n{"step"')] == [1]
    assert (reader.offset, reader.position) == (12, 19)
    assert reader.feed(b": 2}") == []
    assert [value.step for value in reader.feed(b"\n")] == [2]


def test_a_line_that_is_too_long_yields_nothing_and_hides_no_later_line() -> None:
    long = b'{"step": 1, "note": "' + b"x" * MAX_LINE_BYTES + b'"}\n'
    assert _read(long + b'{"step": 2}\n') == [Progress(offset=len(long) + 12, step=2)]


class _Words:
    """Reads lines that contain a word, and records them."""

    marks: Sequence[bytes] = (b"alpha", b"beta")

    def __init__(self) -> None:
        self.seen: list[str] = []

    def read(self, line: str, offset: int) -> list[MergedEvent]:
        self.seen.append(line)
        return [CheckpointSaved(offset=offset, path=line)] if "saved" in line else []


class _Anything(_Words):
    marks = (b"a",)


def test_a_reader_gets_only_lines_with_one_of_its_marks() -> None:
    words = _Words()
    LogReader(readers=[lambda: words]).feed(b"one\nalpha\n\x1b[1mbeta\x1b[0m\ngamma\n")
    assert words.seen == ["alpha", "beta"]


def test_the_first_reader_with_an_event_wins() -> None:
    first, second = _Words(), _Anything()
    values = LogReader(readers=[lambda: first, lambda: second]).feed(b"alpha saved\nalpha\ngamma saved\n")
    assert values == [CheckpointSaved(offset=12, path="alpha saved"), CheckpointSaved(offset=30, path="gamma saved")]
    assert second.seen == ["alpha", "gamma saved"]


@given(LOGS, st.lists(st.integers(0, 2000), max_size=5))
def test_no_input_raises_and_chunks_do_not_change_what_is_read(log: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(log)]
    chunks = [log[start:end] for start, end in pairwise(places)]
    # As text, since NaN != NaN.
    assert repr(_read(*chunks)) == repr(_read(log))


@given(LOGS)
def test_the_memory_between_chunks_is_bounded(log: bytes) -> None:
    reader = LogReader()
    for _ in range(3):
        reader.feed(log)
        assert len(reader._splitter._pending) <= MAX_LINE_BYTES + 2
    assert reader.offset <= reader.position == 3 * len(log)


JSON_UNITS = [b"{", b'{"', b'{"a":', b'{"a":[', b'{"a":1}', b'{"a":"', b"{ ", b'{"a":1}" ', b'{"k":1,', b'" : ']
TERMINAL_UNITS = [b"{\x1b[", b"{\x1b]", b"{\x1bP", b"{\b", b"{ab\b", b"{\x1b[1", b"{\x1b "]
# Parts of each format that are repeated many times, so that an expression could start matching again and again.
FORMAT_UNITS = [
    *(b"{'a': ", b"{'a': '1', ", b"33%|", b"33%|   | 1/3 [00:00<00:00, ", b"a=1, ", b"it [", b"| 0/? ["),
    *(b"Epoch ", b"Epoch 1/", b"Epoch 1: ", b"epoch" + b" " * 50, b"Epoch 1:" + b" " * 99, b"[Epoch [", b"epoch=1 "),
    *(b"16/16 - ", b"/step - loss: ", b"saving model to ", b"Saving checkpoint to ", b"Saved checkpoint a (epoch "),
    *(b"iteration        1/    ", b"iteration  | ", b"lm loss: 1 | ", b"| train | ", b"num_updates=", b"loss 1, "),
    *(b"Loss 1 (1)\t", b"Loss: 1 ", b"Train: 0 [ ", b"Test: [ 1/1] ", b"Acc@1 1 ", b"* Acc@", b"all  1  1  "),
    *(b"      Epoch    GPU_mem   ", b"1/3  0G  1: 1% ", b"Instances ", b"Class Images Instances "),
    *(b"loss: 0.5, ", b"loss = ", b"loss a b c ", b"loss" + b" " * 99, b"loss=1e", b"loss: 1/1 (1%) ", b"a" * 99),
    *(b"INFO:a:", b"[a] ", b"2025-01-01 ", b"12:00:00 ", b"INFO - ", b"- loss", b"loss ((((", b"v_num=0, ", b"[rank0]"),
]


@pytest.mark.parametrize("unit", [*JSON_UNITS, *TERMINAL_UNITS, *FORMAT_UNITS])
def test_no_line_is_slow(unit: bytes) -> None:
    line = unit * (MAX_LINE_BYTES // len(unit)) + b"\n"
    begin = time.process_time()
    _read(b'{"' + line, line, b"loss: 1 " + line, b"Epoch 1 33%|  | " + line, b"loss" + line[:1990] + b"\n")
    assert time.process_time() - begin < 1.0


def test_plain_lines_are_skipped_quickly() -> None:
    plain = [b"2025-01-01 12:00:00 INFO compiling kernel %d of 456 done\n" % number for number in range(100_000)]
    plain[::100] = [b"config {'a': 1}\n"] * len(plain[::100])  # so that no block is skipped as a whole
    log = b"".join(plain)
    begin = time.process_time()
    assert LogReader().feed(log) == []
    assert len(plain) / (time.process_time() - begin) > WANTED_LINES_A_SECOND
