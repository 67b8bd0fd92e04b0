"""Kinds of setting values."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.config.keys import KEYS
from backprop_tui.config.kinds import MAX_NUMBER, WrongValue, parse_memory_limit, parse_signal, parse_warning
from backprop_tui.domain.limits import MemoryLimit

anything = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.text() | st.integers()), st.binary()
)


@given(name=st.sampled_from(sorted(KEYS)), raw=anything)
def test_a_key_rejects_invalid_values_and_reads_its_own_output(name: str, raw: object) -> None:
    kind = KEYS[name].kind
    try:
        value = kind.read(raw)
    except WrongValue:
        return
    assert kind.read(value) == value
    assert not (isinstance(value, float) and not math.isfinite(value))


@pytest.mark.parametrize("name", sorted(KEYS))
def test_every_default_is_a_value_of_its_own_kind(name: str) -> None:
    key = KEYS[name]
    assert key.kind.read(key.default) == key.default
    assert type(key.kind.read(key.default)) is type(key.default)


@pytest.mark.parametrize("word", ["INT", "SIGINT", "sigint", " int ", "2"])
def test_a_signal_is_read_by_name_short_name_or_number(word: str) -> None:
    assert parse_signal(word) == "SIGINT"


@pytest.mark.parametrize("word", ["", "SIG", "0", "99", "HUPP", "__doc__", "_IGN"])
def test_unknown_signals_are_rejected(word: str) -> None:
    with pytest.raises(WrongValue):
        parse_signal(word)


def test_a_warning_is_a_signal_and_when_before_the_limit() -> None:
    assert parse_warning("usr1@1.5") == ("SIGUSR1", 1.5)
    for word in ("USR1", "USR1@", "USR1@0", "USR1@-1", "USR1@soon", "@5", "USR9@5"):
        with pytest.raises(WrongValue):
            parse_warning(word)


def test_a_memory_limit_is_a_share_or_gigabytes() -> None:
    assert parse_memory_limit("80%") == MemoryLimit(fraction=0.8)
    assert parse_memory_limit("500MB") == MemoryLimit(bytes=500 << 20)
    assert parse_memory_limit("100 %") == MemoryLimit(fraction=1.0)
    for word in ("8", "8GB", "8 g", "8.0"):
        assert parse_memory_limit(word) == MemoryLimit(bytes=8 << 30)
    for word in ("", "0", "0%", "101%", "8 parsecs", "8%8", "-8", "1.2.3", "eight", "nan"):
        with pytest.raises(WrongValue):
            parse_memory_limit(word)


def test_a_limit_too_large_to_count_in_bytes_is_refused() -> None:
    with pytest.raises(WrongValue, match="at most"):
        parse_memory_limit("1" + "0" * 305)


@pytest.mark.parametrize(
    ("name", "raw", "value"),
    [
        ("max_run_minutes", "1h30m", 90.0),
        ("max_run_minutes", "45 s", 0.75),
        ("checkpoint_every_minutes", "2 hours", 120.0),
        ("governor.max_pause_minutes", "0s", 0.0),
        ("run.grace_seconds", "1m30s", 90.0),
        ("run.warn_signal", "USR1@2m", "USR1@120"),
        ("dashboard.refresh_seconds", "2sec", 2.0),
        ("min_free_ram_gb", "512MB", 0.5),
        ("governor.min_free_disk_gb", "1 GiB", 1.073741824),
        ("gpu.min_free_vram_mb", "4G", 4096.0),
    ],
)
def test_durations_and_sizes_have_units(name: str, raw: str, value: object) -> None:
    assert KEYS[name].kind.read(raw) == value


@pytest.mark.parametrize("name", ["max_run_minutes", "run.grace_seconds", "min_free_ram_gb", "max_parallel"])
@pytest.mark.parametrize("raw", [1e308, "1e308", "9" * 400, 10**400])
def test_a_huge_number_is_refused_with_the_bound(name: str, raw: object) -> None:
    with pytest.raises(WrongValue, match=f"at most {MAX_NUMBER:.0f}"):
        KEYS[name].kind.read(raw)


@pytest.mark.parametrize(
    ("name", "most", "advice"),
    [
        ("gpu.max_temp_c", 110, "; 0 switches the check off"),
        ("gpu.resume_margin_c", 50, ""),
        ("governor.sample_seconds", 600, " seconds"),
        ("dashboard.refresh_seconds", 600, " seconds"),
    ],
)
def test_a_number_that_cannot_be_meant_is_refused(name: str, most: int, advice: str) -> None:
    assert KEYS[name].kind.read(most) == most
    with pytest.raises(WrongValue) as refusal:
        KEYS[name].kind.read(most + 1)
    assert str(refusal.value) == f"must be at most {most}{advice}"


def test_none_is_read_where_there_may_be_no_value() -> None:
    for name in ("max_run_minutes", "gpu_memory_limit", "run.warn_signal", "run.python", "notify.command"):
        assert KEYS[name].kind.read("None") is None
    for name in ("max_parallel", "gpu.max_temp_c", "framework"):
        with pytest.raises(WrongValue):
            KEYS[name].kind.read("none")


@pytest.mark.parametrize(
    ("word", "value"), [("1", True), ("yes", True), ("ON", True), ("0", False), ("no", False), ("Off", False)]
)
def test_booleans_accept_common_words(word: str, value: bool) -> None:  # noqa: FBT001 - a parameter
    assert KEYS["notify.bell"].kind.read(word) is value


def test_patterns_are_one_per_line_in_a_variable_since_they_contain_commas() -> None:
    assert KEYS["readers.patterns"].kind.read("a{1,2}(?P<loss>.)\n\n(?P<step>.)") == (
        "a{1,2}(?P<loss>.)",
        "(?P<step>.)",
    )


def test_a_pattern_has_a_bound() -> None:
    with pytest.raises(WrongValue, match="at most 1000 characters"):
        KEYS["readers.patterns"].kind.read(["(?P<loss>" + "a" * 1000 + ")"])


def test_lists_are_separated_by_commas_in_a_variable() -> None:
    assert KEYS["run.checkpoint_globs"].kind.read("a/*.pt, b.ckpt,") == ("a/*.pt", "b.ckpt")
