"""Every option of `run` takes what it should and refuses everything else, naming itself."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.cli.parser import parse
from backprop_tui.client.run_request import NO_LIMIT, SweepAxis, WarningSignal
from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.limits import MemoryLimit
from backprop_tui.domain.thresholds import MACHINES_LIMIT

GOOD: list[tuple[list[str], str, Any]] = [
    (["-m", "0.5"], "max_run_seconds", 30.0),
    (["--max-run-minutes", "none"], "max_run_seconds", NO_LIMIT),
    (["--max-minutes", "1h"], "max_run_seconds", 3600.0),
    (["--total-minutes", "120"], "total_seconds", 7200.0),
    (["--total-minutes", "12h"], "total_seconds", 43200.0),
    (["-c", "1.5"], "checkpoint_every_seconds", 90.0),
    (["-c", "90s"], "checkpoint_every_seconds", 90.0),
    (["-p", "0"], "max_parallel", 0),
    (["-p", "auto"], "max_parallel", MACHINES_LIMIT),
    (["--min-free-ram", "0.5"], "min_free_ram_bytes", 2**29),
    (["--min-free-ram", "0"], "min_free_ram_bytes", 0.0),
    (["--min-free-ram", "8G"], "min_free_ram_bytes", 2**33),
    (["--gpus", "2"], "gpus", 2),
    (["--gpu-ids", "0, GPU-abc"], "gpu_ids", ("0", "GPU-abc")),
    (["-g", "80%"], "gpu_memory_limit", MemoryLimit(fraction=0.8)),
    (["-g", "8"], "gpu_memory_limit", MemoryLimit(bytes=2**33)),
    (["--gpu-min-vram", "2500"], "gpu_min_free_vram_bytes", 2500 * 2**20),
    (["--gpu-max-temp", "85"], "gpu_max_temp_celsius", 85.0),
    (["--priority", "-3"], "priority", -3),
    (["--retries", "2"], "retries", 2),
    (["--stop-signal", "term"], "stop_signal", "SIGTERM"),
    (["--stop-signal", "10"], "stop_signal", "SIGUSR1"),
    (["--grace-seconds", "0"], "grace_seconds", 0.0),
    (["--grace-seconds", "2m"], "grace_seconds", 120.0),
    (["--leftovers", "kill"], "leftovers", "kill"),
    (["--warn-signal", "USR1@60"], "warn_signal", WarningSignal(name="SIGUSR1", seconds=60.0)),
    (["--warn-signal", "USR1@90s"], "warn_signal", WarningSignal(name="SIGUSR1", seconds=90.0)),
    (["--warn-signal", "none"], "warn_signal", WarningSignal(name=None, seconds=0.0)),
    (["--env", "A=b=c", "--env", "D="], "env", [("A", "b=c"), ("D", "")]),
    (["--tag", "one", "--tag", "two"], "tags", ["one", "two"]),
    (["--resume-arg", "--resume={path}"], "resume_arg", None),
    (["--sweep", "lr=1e-3,1e-4"], "sweep", [SweepAxis(key="lr", values=("1e-3", "1e-4"))]),
    (["--sweep", "seed=8..10"], "sweep", [SweepAxis(key="seed", values=("8", "9", "10"))]),
]

BAD: list[tuple[str, str]] = [
    *(
        ("--max-run-minutes", text)
        for text in ("0", "-1", "ten", "nan", "inf", "", "0s", "1h1h", "1m1h", "1h30", "+30", "5 fortnights", "9" * 400)
    ),
    *(("--total-minutes", text) for text in ("0", "none", "x")),
    *(("--checkpoint-every-minutes", text) for text in ("0", "often")),
    *(("--max-parallel", text) for text in ("-1", "1.5", "two")),
    *(("--min-free-ram", text) for text in ("-1", "4 parsecs", "nan", "1e308")),
    *(("--gpus", text) for text in ("-1", "all")),
    *(("--gpu-ids", text) for text in ("", "0,,1", "1,1")),
    *(("--gpu-memory-limit", text) for text in ("0", "101%", "half", "-8", "1.2.3")),
    *(("--gpu-min-vram", text) for text in ("-1", "lots")),
    *(("--gpu-max-temp", text) for text in ("-5", "hot", "300")),
    ("--gpu-probe", "magic"),
    ("--framework", "jax"),
    ("--launcher", "cloud"),
    *(("--priority", text) for text in ("high", "1.5")),
    *(("--retries", text) for text in ("-1", "x")),
    *(("--stop-signal", text) for text in ("HALT", "STOP", "CONT", "WINCH", "0", "99")),
    *(("--grace-seconds", text) for text in ("-1", "soon")),
    ("--leftovers", "never"),
    *(("--warn-signal", text) for text in ("USR1", "USR1@", "USR1@-5", "NOPE@60", "WINCH@60", "@60")),
    *(("--env", text) for text in ("A", "=b", "")),
    *(("--name", text) for text in ("", "  ", "@last", "two\nlines")),
    *(("--group", text) for text in ("", "@x")),
    *(("--tag", text) for text in ("", "a\tb")),
    *(("--note", text) for text in ("", "a\nb")),
    *(("--resume-arg", text) for text in ("", "'open")),
    *(
        ("--sweep", text)
        for text in ("lr", "lr=", "lr=1,,2", "=1,2", "1x=2", "s=3..1", "lr=1,1", "s=1..3,2", "s=0..99999")
    ),
    ("--key", ""),
]


@pytest.mark.parametrize(("words", "name", "value"), GOOD, ids=str)
def test_an_option_accepts_its_values(words: list[str], name: str, value: object) -> None:
    option, *rest = words
    joined = [f"{option}={rest[0]}"] if option.startswith("--") and len(rest) == 1 else words
    parsed = getattr(parse(["run", "train.py", *joined]).arguments, name)
    assert parsed == value if value is not None else parsed


@pytest.mark.parametrize(("option", "text"), BAD)
def test_a_bad_value_is_refused_and_the_option_named(option: str, text: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse(["run", "train.py", f"{option}={text}"])
    assert option in str(refused.value)


@given(st.floats(min_value=1e-3, max_value=1e6))
def test_minutes_may_have_fractions(minutes: float) -> None:
    assert parse(["run", "x.py", f"--total-minutes={minutes!r}"]).arguments.total_seconds == pytest.approx(minutes * 60)


@given(st.text(max_size=20))
def test_no_text_makes_an_option_raise_anything_but_a_usage_error(text: str) -> None:
    for option in ("-m", "-g", "--warn-signal", "--sweep", "--gpu-ids", "--env", "--stop-signal"):
        try:
            parse(["run", "x.py", f"{option}{'=' if option.startswith('--') else ''}{text}"])
        except (UsageError, SystemExit):
            continue
