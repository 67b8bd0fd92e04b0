"""Regular expressions of the user."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.readers.events import CheckpointSaved, MergedEvent, Progress
from backprop_tui.readers.log_reader import LogReader
from backprop_tui.readers.registry import READERS
from backprop_tui.readers.user_patterns import MAX_LINE_CHARS, RegexTimeout, UserPatterns

PATTERN = r"it\.(?P<step>[\d,]+)/(?P<total_steps>\d+) L(?P<loss>\S+) (?:lr(?P<lr>\S+))?"


class Search:
    """A search without a time limit, in which `slow` expressions take too long."""

    def search(self, pattern: re.Pattern[str], line: str) -> re.Match[str] | None:
        if "slow" in pattern.pattern:
            raise RegexTimeout
        return pattern.search(line)


def read(line: str, *patterns: str) -> list[MergedEvent]:
    return list(UserPatterns(patterns, Search()).read(line, 9))


def test_named_groups_are_read() -> None:
    assert read("2025 it.1,200/5000 L0.25 lr1e-3 rest", PATTERN) == [
        Progress(offset=9, step=1200, total_steps=5000, metrics={"loss": 0.25, "lr": 0.001})
    ]


def test_a_group_that_did_not_match_is_ignored() -> None:
    assert read("it.1/5 L0.25 ", PATTERN) == [Progress(offset=9, step=1, total_steps=5, metrics={"loss": 0.25})]


def test_epochs_and_eta_are_read() -> None:
    pattern = r"E(?P<epoch>\d+)of(?P<total_epochs>\d+) in (?P<eta_seconds>\d+)s"
    assert read("E3of9 in 60s", pattern) == [Progress(offset=9, epoch=3.0, total_epochs=9, eta_seconds=60.0)]


def test_a_checkpoint_is_read_with_its_step() -> None:
    pattern = r"wrote (?P<checkpoint>\S+) @(?P<step>\d+)"
    assert read("wrote a/b.pt @7", pattern) == [
        CheckpointSaved(offset=9, path="a/b.pt", step=7),
        Progress(offset=9, step=7),
    ]


def test_the_first_matching_pattern_wins() -> None:
    assert read("a 1 b 2", r"b (?P<b>\d)", r"a (?P<a>\d)") == [Progress(offset=9, metrics={"b": 2.0})]


def test_a_value_that_is_not_a_number_is_not_a_metric() -> None:
    assert read("loss high", r"loss (?P<loss>\w+)") == []
    (value,) = read("loss nan", r"loss (?P<loss>\w+)")
    assert isinstance(value, Progress)
    assert math.isnan(value.metrics["loss"])


def test_a_line_that_is_too_long_is_not_searched() -> None:
    assert read("x" * MAX_LINE_CHARS + " loss 1", r"loss (?P<loss>\d)") == []


def test_user_patterns_come_before_the_other_readers() -> None:
    patterns = UserPatterns([r"loss=(?P<my_loss>\S+)"], Search())
    reader = LogReader(readers=(lambda: patterns, *READERS))
    values = reader.feed(b"plain\n\nstep=5 loss=0.5\nstep=6 acc=0.5\nepoch")
    assert [value.metrics for value in values if isinstance(value, Progress)] == [{"my_loss": 0.5}, {"acc": 0.5}]
    assert reader.offset == 38


def test_a_slow_pattern_is_disabled_and_reported_once() -> None:
    patterns = UserPatterns([r"slow(?P<a>\d)", r"loss (?P<loss>\d)"], Search())
    assert len(list(patterns.read("slow1 loss 2", 1))) == 1
    assert patterns.take_switched_off() == [r"slow(?P<a>\d)"]
    assert len(list(patterns.read("slow1 loss 2", 1))) == 1
    assert patterns.take_switched_off() == []


def test_a_pattern_that_this_python_cannot_compile_is_disabled() -> None:
    assert UserPatterns(["(?P<loss>"], Search()).take_switched_off() == ["(?P<loss>"]


@given(st.text(max_size=60))
@pytest.mark.parametrize("pattern", [PATTERN, r"(?P<loss>.+)", r"(?P<step>\S+) (?P<checkpoint>.*)", r"(?P<epoch>.*)"])
def test_no_line_does_harm(pattern: str, line: str) -> None:
    for value in read(line, pattern):
        assert value.step is None or value.step >= 0
