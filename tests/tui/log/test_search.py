"""Searching a log, and classifying its lines."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backprop_tui.tui.log import search as search_module
from backprop_tui.tui.log.file import LogFile
from backprop_tui.tui.log.page import ERROR_PATTERN, LineKind, Problem, classify_line, is_traceback_step
from backprop_tui.tui.log.problems import ProblemMap, ProblemMatcher
from backprop_tui.tui.log.search import LineMatcher, MatchCounts, Matcher, MatchSearch, compile_pattern

LINE = st.sampled_from([b"loss 1", b"", b"\x1b[31mlo\x1b[0mss", b"other", b"a" * 40, b"loss\rgone", b"\rx\rloss"])


def opened(path: Path, content: bytes) -> LogFile:
    path.write_bytes(content)
    file = LogFile(str(path))
    file.poll()
    return file


def all_matches(matcher: LineMatcher, file: LogFile) -> list[int]:
    starts: list[int] = []
    position = -1
    while True:
        seek = MatchSearch(matcher, position, forward=True, wrap=False)
        while seek.step(file):
            pass
        if seek.start is None:
            return starts
        position = seek.start
        starts.append(position)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=80)
@given(lines=st.lists(LINE, max_size=30), end=st.sampled_from([b"", b"\n"]), stretch=st.integers(3, 50))
def test_all_lines_with_a_visible_match_are_found_whatever_the_stretch(
    tmp_path: Path, lines: list[bytes], end: bytes, stretch: int
) -> None:
    expected, start = [], 0
    for line in lines:
        if line in (b"loss 1", b"\x1b[31mlo\x1b[0mss", b"\rx\rloss"):
            expected.append(start)
        start += len(line) + 1
    file = opened(tmp_path / "log", b"\n".join(lines) + end)
    matcher = Matcher(re.compile("loss"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search_module, "STRETCH_BYTES", stretch)
        assert all_matches(matcher, file) == expected
        counts = MatchCounts(matcher)
        while counts.step(file):
            pass
        assert counts.count == len(expected)
        assert [counts.ordinal(start, file) for start in expected] == list(range(1, len(expected) + 1))
    file.close()


def test_counting_matches_continues_when_the_file_grows_within_a_line(tmp_path: Path) -> None:
    path = tmp_path / "log"
    file = opened(path, b"loss\nlo")
    counts = MatchCounts(Matcher(re.compile("loss")))
    counts.step(file)
    assert counts.count == 1
    with path.open("ab") as end:
        end.write(b"ss\n")
    file.poll()
    assert counts.share(file) is not None
    counts.step(file)
    assert (counts.count, counts.share(file)) == (2, None)


def test_a_backward_search_wraps_to_the_other_end(tmp_path: Path) -> None:
    file = opened(tmp_path / "log", b"hit 1\nx\nhit 2\n")
    matcher = Matcher(re.compile("hit"))
    back = MatchSearch(matcher, 8, forward=False)
    while back.step(file):
        pass
    assert (back.start, back.wrapped) == (0, False)
    wrapping = MatchSearch(matcher, 0, forward=False)
    while wrapping.step(file):
        pass
    assert (wrapping.start, wrapping.wrapped) == (8, True)


def test_case_is_ignored_unless_the_expression_has_capitals() -> None:
    small, capital = compile_pattern("error"), compile_pattern("Error")
    assert isinstance(small, re.Pattern)
    assert isinstance(capital, re.Pattern)
    assert small.search("ERROR")
    assert not capital.search("ERROR")


@given(
    expression=st.lists(
        st.sampled_from(["a", "b", "A", " ", "a*", "b?", "a{0}", "b+", ".", "[ab]", "(a|b)", "^", "$"])
    ),
    lines=st.lists(st.text("abAB ", max_size=6), max_size=8),
)
def test_the_literal_prefix_rules_out_no_match(expression: list[str], lines: list[str]) -> None:
    pattern = compile_pattern("".join(expression))
    assert isinstance(pattern, re.Pattern)
    content = "".join(f"{line}\n" for line in lines)
    if any(pattern.search(line) for line in lines):
        assert Matcher(pattern)._may_match(content)


def test_an_invalid_regular_expression_says_why() -> None:
    assert compile_pattern("(") == "missing ), unterminated subpattern at position 0"


CLASSIFIED = [
    ("Traceback (most recent call last):", LineKind.ERROR),
    ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.50 GiB.", LineKind.ERROR),
    ("KeyboardInterrupt", LineKind.ERROR),
    ("2026-01-01 12:00:00 ERROR worker died", LineKind.ERROR),
    ("RuntimeError: CUDA error: device-side assert triggered", LineKind.ERROR),
    ("Killed", LineKind.ERROR),
    ("iter 10: loss nan, time 12 ms", LineKind.ERROR),
    ("Loss is nan, stopping training", LineKind.ERROR),
    ("OSError: [Errno 28] No space left on device", LineKind.ERROR),
    ("train.py: error: unrecognized arguments: --lrr 0.1", LineKind.ERROR),
    ("train.py fit: error: argument --opt: invalid choice: 'adm' (choose from 'adam', 'sgd')", LineKind.ERROR),
    ("src/ops.cu:12:5: fatal error: cuda.h: No such file or directory", LineKind.ERROR),
    ("bash: line 1: torchrun: command not found", LineKind.ERROR),
    ("python: can't open file '/data/trian.py': [Errno 2] No such file or directory", LineKind.ERROR),
    ("/usr/bin/python3: No module named tain", LineKind.ERROR),
    ("╭─ Error ──────────────────────────────────╮", LineKind.ERROR),
    ("Epoch 3: error: 0.31 loss: 2.1", LineKind.PLAIN),
    ("usage: train.py [-h] [--lr LR] [--on-error {stop,skip}]", LineKind.PLAIN),
    ("x.py:3: UserWarning: deprecated", LineKind.WARNING),
    ("WARNING:root:slow", LineKind.WARNING),
    ("WARNING NCCL timeout on communicator, retrying", LineKind.WARNING),
    ("[rank0] WARN: CUDA out of memory, halving the batch", LineKind.WARNING),
    ("train.py:7: UserWarning: loss is nan, skipping the batch", LineKind.WARNING),
    ("2026-01-01 12:00:00 ERROR 3 x WARNING before", LineKind.ERROR),
    ("ValueError: unknown level WARNING", LineKind.ERROR),
    ("[rank0]: Traceback (most recent call last):", LineKind.ERROR),
    ("[rank0]: ValueError: x", LineKind.ERROR),
    ("2026-01-01 12:00:00 INFO loss=nan, skipped", LineKind.ERROR),
    ("[W socket.cpp:601] [c10d] CUDA error: will retry", LineKind.WARNING),
    ('{"level": "warning", "msg": "CUDA out of memory, retrying"}', LineKind.WARNING),
    ("2026-01-01 12:00:00 | warning | NCCL timeout", LineKind.WARNING),
    ("INFO:absl:no CUDA error", LineKind.PLAIN),
    ("[INFO] protection against out of memory enabled", LineKind.PLAIN),
    ("2026-01-01 12:00:00 INFO finished with 0 errors", LineKind.PLAIN),
    ("DEBUG ERROR count 0", LineKind.PLAIN),
    ("train ERROR 0.12 val ERROR 0.2", LineKind.PLAIN),
    ("Error: 0.123", LineKind.PLAIN),
    ("error_rate=0.1", LineKind.PLAIN),
    ("saving checkpoint to out/ckpt_1.pt", LineKind.CHECKPOINT),
    ("Saved model to best.safetensors", LineKind.CHECKPOINT),
    ('{"event": "checkpoint", "path": "a"}', LineKind.CHECKPOINT),
    ("iter 10: loss 2.1, mean absolute error 0.2", LineKind.PLAIN),
    ("val_error: 0.31 top-1 error: 0.2", LineKind.PLAIN),
    ("loading finances and banana data", LineKind.PLAIN),
    ("resuming from checkpoint ckpt.pt", LineKind.PLAIN),
]


@pytest.mark.parametrize(("line", "kind"), CLASSIFIED)
def test_lines_are_classified_by_their_text(line: str, kind: LineKind) -> None:
    assert classify_line(line) is kind


def test_searching_errors_in_many_lines_at_once_finds_the_same_as_one_by_one(tmp_path: Path) -> None:
    content = b"fine\n  Killed\nKilled\n\nValueError: x\nloss\nnan\nno ERRORS\n"
    file = opened(tmp_path / "log", content)
    assert (
        all_matches(ProblemMatcher(Problem.ERROR, ProblemMap()), file)
        == all_matches(Matcher(ERROR_PATTERN), file)
        == [14, 22]
    )


def test_only_indented_lines_below_a_traceback_are_steps_of_it() -> None:
    assert is_traceback_step('  File "a.py", line 1, in f', after_frame=False)
    assert is_traceback_step("    x = 1", after_frame=True)
    assert not is_traceback_step("    x = 1", after_frame=False)
