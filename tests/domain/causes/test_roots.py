"""The root exception: in chains, among ranks, behind bars and colors; survived tracebacks do not count."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.domain.causes.registry import cause_of_failure
from backprop_tui.domain.causes.tracebacks import split_log_lines
from tests.domain.causes.failures import cause_of, clues_of, raised

DIRECT = "\nThe above exception was the direct cause of the following exception:\n\n"
DURING = "\nDuring handling of the above exception, another exception occurred:\n\n"
CHILD_FAILED = raised("torch.distributed.elastic.multiprocessing.errors.ChildFailedError: ") + (
    "============================================================\n"
    "train.py FAILED\n"
    "------------------------------------------------------------\n"
    "Root Cause (first observed failure):\n"
    "[0]:\n"
    "  time      : 2026-11-20_14:31:22\n"
    "  host      : ada\n"
    "  rank      : {rank} (local_rank: {rank})\n"
    "  exitcode  : {code} (pid: 4711)\n"
    "  error_file: <N/A>\n"
    "  traceback : To enable traceback see: https://pytorch.org/docs/stable/elastic/errors.html\n"
    "============================================================\n"
)


def rank(number: int, text: str) -> str:
    return "".join(f"[rank{number}]: {line}\n" for line in text.splitlines())


def test_the_last_exception_of_a_chain_ended_the_script() -> None:
    log = raised("KeyError: 'lr'") + DURING + raised("ValueError: no config")
    cause = cause_of(log)
    assert (cause.summary, cause.line) == ("ValueError: no config (KeyError: 'lr')", 11)


def test_an_exception_raised_from_the_root_is_shown_before_it() -> None:
    cause = cause_of(raised("KeyError: 'lr'") + DIRECT + raised("my.ConfigError: config.yaml has no lr"))
    assert cause.summary == "ConfigError: config.yaml has no lr (KeyError: 'lr')"
    assert (cause.evidence, cause.line) == ("my.ConfigError: config.yaml has no lr", 11)
    same = cause_of(raised("KeyError: 3") + DIRECT + raised("KeyError: 3"))
    assert same.summary == "KeyError: 3"


def test_an_exhausted_resource_explains_a_chain_from_any_position() -> None:
    log = raised("KeyError: 'x'") + DURING + raised("OSError: [Errno 28] No space left on device") + DURING
    assert cause_of(log + raised("RuntimeError: cannot close")).kind == "disk_full"


def test_a_workers_exception_is_the_root_of_the_exception_that_reports_it() -> None:
    reported = raised("RuntimeError: Caught FileNotFoundError in DataLoader worker process 0.") + (
        "Original "
        + raised("FileNotFoundError: [Errno 2] No such file or directory: 'data/7.png'", path="/w/data.py", line=12)
    )
    cause = cause_of(reported)
    assert (cause.kind, cause.summary) == ("file_not_found", "FileNotFoundError: data/7.png")
    spawned = raised("torch.multiprocessing.spawn.ProcessRaisedException: ") + (
        "\n-- Process 1 terminated with the following error:\n" + raised("ValueError: bad rank") + "\n"
    )
    assert cause_of(spawned).summary == "ValueError: bad rank"
    remote = 'multiprocessing.pool.RemoteTraceback: \n"""\n' + raised("KeyError: 3") + '"""\n' + DIRECT
    assert cause_of(remote + raised("KeyError: 3", path="/w/other.py")).line == 6


def test_among_ranks_the_one_named_by_the_launcher_counts() -> None:
    log = rank(0, raised("RuntimeError: bad batch")) + rank(1, raised("ValueError: rank 1 broke"))
    log += CHILD_FAILED.format(rank=1, code=1)
    assert cause_of(log).summary == "ValueError: rank 1 broke"


def test_interleaved_ranks_are_parsed_separately_and_consequences_are_skipped() -> None:
    rank_1 = rank(1, raised("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.")).splitlines()
    lost = "torch.distributed.DistBackendError: NCCL error: remote process exited"
    rank_0 = rank(0, raised(lost)).splitlines()
    woven = "\n".join(line for pair in zip(rank_1, rank_0, strict=True) for line in pair)
    assert cause_of(woven + "\n").kind == "cuda_oom"


def test_a_rank_that_was_killed_is_a_signal() -> None:
    log = "loss 1.2\n" + CHILD_FAILED.format(rank=1, code=-9)
    assert cause_of(log).kind == "killed_by_signal"
    assert cause_of(log, memory_kill="oom_kill went from 0 to 1").kind == "host_oom"


def test_a_traceback_that_was_survived_is_not_the_cause() -> None:
    log = raised("torch.OutOfMemoryError: CUDA out of memory.") + "".join(f"step {n} loss 1\n" for n in range(200))
    assert cause_of(log, exit_code=3).kind == "unknown"
    assert cause_of(log + raised("KeyError: 'x'")).summary == "KeyError: 'x'"


def test_bars_and_colours_do_not_hide_a_traceback() -> None:
    bar = "".join(f"\rEpoch 1:  {n}%|███  | {n}/100 [00:01<00:02, 1.4it/s]" for n in range(90))
    coloured = 'Traceback (most recent call last):\n  File \x1b[35m"/w/t.py"\x1b[0m, line \x1b[35m3\x1b[0m, in f\n'
    log = "begin\n" + bar + coloured + "\x1b[1;35mValueError\x1b[0m: \x1b[35mbad\x1b[0m\n"
    cause = cause_of(log)
    assert (cause.kind, cause.summary, cause.line) == ("python_error", "ValueError: bad", 4)
    overwritten = "begin\n" + bar + "\r" + raised("ValueError: bad")
    assert cause_of(overwritten).summary == "ValueError: bad"


def test_lines_of_another_process_between_frames_are_no_exception() -> None:
    log = (
        'Traceback (most recent call last):\n  File "/w/a.py", line 1, in <module>\n    f()\nloss: 0.5\n'
        '  File "/w/b.py", line 2, in f\n    g()\nValueError: bad\n'
    )
    assert cause_of(log).summary == "ValueError: bad"


def test_advice_names_the_persons_own_line_not_a_librarys() -> None:
    library = '  File "/w/.venv/lib/python3.11/site-packages/torch/nn.py", line 900, in forward\n    x\n'
    log = raised("RuntimeError: shapes").replace("RuntimeError", library + "RuntimeError")
    assert "/w/train.py line 3" in (cause_of(log).advice or "")


def test_text_from_the_log_is_sanitised_and_bounded() -> None:
    cause = cause_of(raised("ValueError: \x1b]0;owned\x07 \u202ebad " + "x" * 5000))
    for text, length in ((cause.summary, 300), (cause.evidence, 4_000), (cause.advice, 300)):
        assert text is not None
        assert len(text) <= length
        assert "\x1b" not in text
        assert "\u202e" not in text


WORDS = st.sampled_from(
    [
        raised("KeyError: 1"),
        "Traceback (most recent call last):\n",
        '  File "/w/a.py", line 1, in f\n',
        DIRECT,
        DURING,
        "Original ",
        "ValueError: x\n",
        "[rank1]: ",
        "| ",
        "+-+---- 1 ----\n",
        "Root Cause (first observed failure):\n",
        "  exitcode  : -9 (pid: 1)\n",
        "\r",
        "\x1b[1m",
        "CUDA out of memory. Tried to allocate . GiB\n",
        "OSError: [Errno 28]\n",
        "nan\n",
    ]
)


@given(
    log=st.one_of(st.binary(max_size=400), st.lists(WORDS, max_size=30).map(lambda words: "".join(words).encode())),
    exit_code=st.one_of(st.none(), st.integers(0, 255)),
    signal=st.sampled_from([None, None, "SIGKILL", "SIGABRT"]),
)
def test_every_log_has_a_cause(log: bytes, exit_code: int | None, signal: str | None) -> None:
    cause = cause_of_failure(clues_of(log, exit_code=exit_code, signal=signal))
    assert cause.kind
    assert cause.evidence is not None
    assert cause.advice
    assert cause.line is None or 1 <= cause.line <= log.count(b"\n") + 1


def test_line_numbers_continue_from_the_first_one() -> None:
    assert [(line.number, line.text) for line in split_log_lines(b"a\nb\rc\nd", 7)] == [
        (7, "a"),
        (8, "b"),
        (8, "c"),
        (9, "d"),
    ]


def test_a_malicious_log_is_not_slow() -> None:
    words = ("loss ", "nan ", "CUDA ", "RESOURCE_EXHAUSTED: ", "a.", "add: ", "Error ", "OOM when allocating [1,2] ")
    for word in words:
        line = word * (8000 // len(word))
        log = raised(f"ValueError: {line}") + (line + "\n") * 30
        began = time.process_time()
        cause_of(log)
        cause_of((line + "\n") * 30)
        assert time.process_time() - began < 5.0


def test_a_log_full_of_tracebacks_is_not_slow() -> None:
    log = raised("ValueError: skipped a file") * 4_000
    began = time.process_time()
    assert cause_of(log + raised("KeyError: 'x'")).summary == "KeyError: 'x'"
    assert time.process_time() - began < 5.0
