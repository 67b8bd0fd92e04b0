"""The time limit of a user's regular expressions."""

from __future__ import annotations

import re
import signal
import time

import pytest

from backprop_tui.readers.user_patterns import RegexTimeout, UserPatterns
from backprop_tui.runner.log_follower import REGEX_LINES, RegexLimit

ENDLESS = r"(?P<loss>(a+)+)b"


@pytest.fixture(autouse=True)
def _signals() -> object:
    before = signal.getsignal(signal.SIGVTALRM)
    yield
    signal.signal(signal.SIGVTALRM, before)


def test_a_quick_pattern_finds_its_match() -> None:
    match = RegexLimit().search(re.compile(r"loss (\d)"), "loss 5")
    assert match is not None
    assert match[1] == "5"


def test_an_endless_search_is_ended() -> None:
    began = time.process_time()
    with pytest.raises(RegexTimeout):
        RegexLimit(0.1).search(re.compile(ENDLESS), "a" * 4000)
    assert time.process_time() - began < 2.0


def test_many_slightly_slow_lines_use_up_the_limit_too() -> None:
    limit, pattern = RegexLimit(0.05), re.compile(ENDLESS)
    used_up = False
    for _ in range(REGEX_LINES):
        try:
            limit.search(pattern, "a" * 18)
        except RegexTimeout:
            used_up = True
            break
    assert used_up


def test_the_limit_is_renewed_after_a_thousand_lines() -> None:
    limit, pattern = RegexLimit(10.0), re.compile("x")
    for _ in range(2 * REGEX_LINES + 1):
        limit.search(pattern, "y")
    assert limit._spent[pattern][1] == 1


def test_no_timer_is_left_running() -> None:
    patterns = UserPatterns([ENDLESS, r"loss (?P<loss>\d)"], RegexLimit(0.05))
    assert len(list(patterns.read("a" * 4000 + "loss 5", 1))) == 1
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0.0, 0.0)
    assert patterns.take_switched_off() == [ENDLESS]
