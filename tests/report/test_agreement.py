"""Ranks stop at the same step, whichever rank sees the stop first."""

from __future__ import annotations

import pytest

from backprop_tui import report
from backprop_tui.callbacks import agreement
from backprop_tui.callbacks.agreement import Agreement, Answer


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


class Ranks:
    """Two ranks in lockstep; the second gets the last answer of the first."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.first = Agreement(self._say)
        self.second = Agreement(lambda _own: self.answers[-1])

    def _say(self, answer: Answer) -> Answer:
        self.answers.append(answer)
        return answer

    def step(self) -> tuple[bool, bool]:
        return self.first.reached(), self.second.reached()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(agreement, "time", made)
    return made


@pytest.fixture
def wishes(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Answers of `should_stop`, in the order in which ranks ask; the last one stays."""
    answers = [False]
    monkeypatch.setattr(report, "should_stop", lambda: answers.pop(0) if len(answers) > 1 else answers[0])
    return answers


def test_a_single_rank_checks_at_each_step(wishes: list[bool]) -> None:
    alone = Agreement()
    assert not alone.reached()
    wishes[:] = [True]
    assert alone.reached()


def test_the_first_ranks_answer_counts_for_both(clock: Clock, wishes: list[bool]) -> None:
    wishes[:] = [False, True, True]  # the second hears it first, and trains on
    ranks = Ranks()
    assert ranks.step() == (False, False)
    clock.now += 1.0
    assert ranks.step() == (False, False)
    assert ranks.step() == (True, True)


def test_a_quick_first_step_does_not_delay_the_next_check(clock: Clock, wishes: list[bool]) -> None:
    ranks = Ranks()
    ranks.step()
    wishes[:] = [True]
    for _ in range(2):
        clock.now += 10.0
        stopped = ranks.step()
    assert stopped == (True, True)


@pytest.mark.parametrize("step_seconds", [0.001, 0.02, 0.3, 5.0])
def test_ranks_communicate_about_once_a_second(clock: Clock, wishes: list[bool], step_seconds: float) -> None:
    ranks = Ranks()
    steps = max(30, int(20 / step_seconds))
    for _ in range(steps):
        clock.now += step_seconds
        ranks.step()
    seconds = steps * step_seconds
    assert len(ranks.answers) <= seconds + 10
    assert len(ranks.answers) >= min(steps, seconds / 2)
