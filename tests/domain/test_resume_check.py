"""The resume check: by steps and loss, and without false alarms."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.domain.resume_check import SETTLING_POINTS, BeforeResume, LoggedPoint, check_resume
from backprop_tui.domain.resume_verdict import ResumeCheck, ResumeVerdict


def curve(begin: int, end: int, *, noise: float = 0.0, seed: int = 0, stride: int = 10) -> list[LoggedPoint]:
    """A loss that falls from 4 towards 0.5 with its step."""
    chance = random.Random(seed)
    return [
        LoggedPoint(step=step, loss=(0.5 + 3.5 * math.exp(-step / 400)) * (1 + noise * chance.gauss(0, 1)))
        for step in range(begin, end, stride)
    ]


def after_a_run(end: int = 2000, *, saved: int | None = None, noise: float = 0.0) -> BeforeResume:
    points = curve(0, end, noise=noise)
    return BeforeResume(first=points[:20], last=points[-100:], saved_step=saved)


def verdict_on(before: BeforeResume, after: list[LoggedPoint], *, final: bool = False) -> ResumeCheck | None:
    return check_resume(before, after, attempt=2, metric="loss", final=final)


def renumbered(points: list[LoggedPoint], begin: int = 0) -> list[LoggedPoint]:
    return [LoggedPoint(step=begin + 10 * place, loss=point.loss) for place, point in enumerate(points)]


def test_continuing_steps_and_loss_are_recognised_after_three_points() -> None:
    before = after_a_run(saved=1900)
    assert verdict_on(before, curve(1910, 1930)) is None
    check = verdict_on(before, curve(1910, 1940))
    assert check is not None
    assert check.verdict is ResumeVerdict.CONTINUED
    assert (check.step_before, check.step_after) == (1900, 1910)
    assert not check.is_doubtful
    assert check.message.startswith("continued at step 1910, loss 0.5")


def young_run() -> BeforeResume:
    """Interrupted while its loss still fell quickly."""
    points = [
        LoggedPoint(step=step, epoch=1 + (step - 1) // 20, loss=0.2 + 2.3 * math.exp(-step / 15))
        for step in range(1, 35)
    ]
    return BeforeResume(first=points[:20], last=points, saved_step=32, save_steps=8)


def test_weights_that_were_not_loaded_show_although_the_step_continues() -> None:
    before = young_run()
    anew = [LoggedPoint(step=32 + point.step, loss=point.loss) for point in before.first if point.step]
    check = verdict_on(before, anew)
    assert check is not None
    assert check.verdict is ResumeVerdict.JUMPED


def test_a_counter_that_restarts_while_the_loss_falls_quickly_is_recounted() -> None:
    after = [LoggedPoint(step=step, loss=0.2 + 2.3 * math.exp(-(step + 32) / 15)) for step in range(1, 20)]
    check = verdict_on(young_run(), after)
    assert check is not None
    assert check.verdict is ResumeVerdict.RECOUNTED


def test_a_step_that_is_counted_differently_is_not_where_the_run_continued() -> None:
    after = [LoggedPoint(step=step, epoch=2, loss=0.2 + 2.3 * math.exp(-(step + 16) / 15)) for step in range(17, 20)]
    check = verdict_on(young_run(), after)
    assert check is not None
    assert check.message.startswith("continued at epoch 2, loss 0.4")


def test_a_restart_from_the_beginning_is_detected() -> None:
    check = verdict_on(after_a_run(saved=1900), curve(0, 30))
    assert check is not None
    assert check.verdict is ResumeVerdict.RESTARTED
    assert check.is_doubtful
    assert check.message == (
        "restarted at step 0 after 1900: loss 4, before 0.5318 (first line; before: median of 5 lines)"
    )


def test_a_counter_that_restarts_while_the_loss_continues_is_recounted() -> None:
    check = verdict_on(after_a_run(saved=1900), renumbered(curve(1900, 1940)))
    assert check is not None
    assert check.verdict is ResumeVerdict.RECOUNTED
    assert check.message.startswith("continued, but counts from step 0 again")


def test_a_loss_that_stays_high_has_jumped_and_one_that_comes_back_has_not() -> None:
    before = after_a_run(saved=1900)
    high = [LoggedPoint(step=1900 + 10 * place, loss=2.0) for place in range(SETTLING_POINTS)]
    assert verdict_on(before, high[:10]) is None
    check = verdict_on(before, high)
    assert check is not None
    lines = "median of the newest 3 lines; before: median of 5 lines"
    assert (check.verdict, check.message) == (
        ResumeVerdict.JUMPED,
        f"the loss jumped at the resume: loss 2, before 0.5318 ({lines})",
    )
    restless = [
        LoggedPoint(step=1900 + 10 * place, loss=2.0 if place < 6 else 0.54) for place in range(SETTLING_POINTS)
    ]
    check = verdict_on(before, restless)
    assert check is not None
    assert check.verdict is ResumeVerdict.CONTINUED


def test_an_older_checkpoint_than_the_last_step_is_right() -> None:
    check = verdict_on(after_a_run(saved=1200), curve(1210, 1240))
    assert check is not None
    assert check.verdict is ResumeVerdict.CONTINUED
    unknown = verdict_on(after_a_run(), curve(1210, 1240))
    assert unknown is not None
    assert unknown.verdict is ResumeVerdict.CONTINUED


def test_a_counter_that_restarts_with_each_epoch_leaves_the_verdict_to_the_loss() -> None:
    def epochs(number: int, level: float) -> list[LoggedPoint]:
        return [LoggedPoint(step=step, epoch=float(number), loss=level - step / 1000) for step in range(0, 100, 10)]

    last = [point for number in range(1, 6) for point in epochs(number, 4.0 / number)]
    before = BeforeResume(first=last[:20], last=last, saved_step=90)
    went_on = verdict_on(before, epochs(6, 0.7))
    assert went_on is not None
    assert went_on.verdict is ResumeVerdict.CONTINUED
    restarted = verdict_on(before, epochs(1, 4.0) + epochs(2, 3.0))
    assert restarted is not None
    assert restarted.verdict is ResumeVerdict.RESTARTED


def test_without_a_loss_steps_decide_unless_epochs_continue() -> None:
    before = BeforeResume(
        first=[LoggedPoint(step=0, epoch=0.0)], last=[LoggedPoint(step=s, epoch=s / 100) for s in range(0, 1000, 10)]
    )
    assert verdict_on(before, [LoggedPoint(step=0)]) is None
    assert verdict_on(before, [LoggedPoint(step=s, epoch=s / 100) for s in range(0, 90, 10)]) is None
    restarted = verdict_on(before, [LoggedPoint(step=s, epoch=s / 100) for s in range(0, 100, 10)])
    assert restarted is not None
    assert restarted.message == "restarted at step 0 after 990"
    recounted = verdict_on(before, [LoggedPoint(step=s, epoch=9.9 + s / 100) for s in (0, 10, 20)])
    assert recounted is not None
    assert recounted.verdict is ResumeVerdict.RECOUNTED


def test_a_bar_that_shows_0_before_it_is_advanced_is_not_a_restart() -> None:
    before = BeforeResume(
        first=[LoggedPoint(step=0)], last=[LoggedPoint(step=s) for s in range(0, 1000, 10)], saved_step=900
    )
    steps = (0, 0, 0, 0, 0, 901, 911, 921)
    for count in range(len(steps)):
        assert verdict_on(before, [LoggedPoint(step=s) for s in steps[:count]]) is None
    check = verdict_on(before, [LoggedPoint(step=s) for s in steps])
    assert check is not None
    assert (check.verdict, check.step_after) == (ResumeVerdict.CONTINUED, 901)
    # Batches that are skipped have a bar of their own.
    skipping = [LoggedPoint(step=s) for s in (*range(0, 50, 10), *range(901, 1000, 10))]
    for count in range(len(skipping)):
        check = verdict_on(before, skipping[:count])
        assert check is None or not check.is_doubtful


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (after_a_run(), [], "no step, epoch or loss was read from its output"),
        (after_a_run(), [LoggedPoint()], "no step, epoch or loss was read from its output"),
        (BeforeResume(), curve(0, 30), "nothing to compare with was read before it"),
        (after_a_run(saved=1900), curve(0, 10), "it printed too little since step 1900"),
        (after_a_run(saved=10), curve(0, 300), "it began at step 0, and its checkpoint is of step 10"),
        (after_a_run(saved=1900), curve(600, 900), "it began at step 600, and its checkpoint is of step 1900"),
        (after_a_run(saved=1900), curve(50_000, 50_100), "it began at step 50000, far beyond step 1900"),
        (
            BeforeResume(first=[LoggedPoint(loss=0.7)] * 9, last=[LoggedPoint(loss=0.7)] * 9),
            [LoggedPoint(loss=0.7)] * 9,
            "it printed no step or epoch of the whole training, and its loss alone is not enough",
        ),
    ],
)
def test_without_enough_evidence_the_verdict_is_unknown_and_says_why(
    before: BeforeResume, after: list[LoggedPoint], reason: str
) -> None:
    assert verdict_on(before, after) is None
    check = verdict_on(before, after, final=True)
    assert check is not None
    assert (check.verdict, check.message) == (ResumeVerdict.UNKNOWN, reason)
    assert not check.is_doubtful


def epochs(begin: int, end: int, *, loss: bool = True) -> list[LoggedPoint]:
    """A line an epoch, ten seconds apart."""
    return [
        LoggedPoint(epoch=float(epoch), loss=2.3 * math.exp(-epoch / 6) + 0.2 if loss else None, time=10.0 * epoch)
        for epoch in range(begin, end)
    ]


def timed(begin: int, end: int, *, at: float = 0.0, stride: int = 10) -> list[LoggedPoint]:
    """Ten steps a second, from the wall time `at`, without a loss."""
    return [LoggedPoint(step=step, time=at + (step - begin) / 10) for step in range(begin, end, stride)]


def only_losses(losses: Iterable[float]) -> list[LoggedPoint]:
    return [LoggedPoint(loss=loss) for loss in losses]


def of_epochs(*, loss: bool = True) -> BeforeResume:
    points = epochs(1, 31, loss=loss)
    return BeforeResume(first=points[:20], last=points, saved_at=305.0)


def of_timed(**known: Any) -> BeforeResume:
    """200 seconds of training, ended at 200 s and resumed at 300 s."""
    points = timed(0, 2000)
    return BeforeResume(first=points[:20], last=points, **{"ended_at": 200.0, "resumed_at": 300.0, **known})


FALLING = [0.2 + 2.0 * math.exp(-place / 30) for place in range(200)]
RISING = [4.0 - 3.5 * math.exp(-place / 30) for place in range(200)]
RESETTING = [LoggedPoint(step=step, epoch=float(epoch)) for epoch in range(1, 9) for step in range(0, 100, 10)]
RANKS = [LoggedPoint(step=step + offset) for step in range(0, 2000, 10) for offset in (1, 0)]
CONTINUED, RECOUNTED, RESTARTED = ResumeVerdict.CONTINUED, ResumeVerdict.RECOUNTED, ResumeVerdict.RESTARTED
JUMPED, UNKNOWN = ResumeVerdict.JUMPED, ResumeVerdict.UNKNOWN


@pytest.mark.parametrize(
    ("before", "after", "verdict", "message"),
    [
        # Epochs, where there are no steps.
        (of_epochs(), epochs(1, 4), RESTARTED, "restarted at epoch 1 after 30: loss 2.147, before 0.2"),
        (of_epochs(), epochs(1, 30), RESTARTED, "restarted at epoch 1 after 30"),
        (of_epochs(loss=False), epochs(1, 4, loss=False), RESTARTED, "restarted at epoch 1 after 30"),
        (of_epochs(), epochs(31, 34), CONTINUED, "continued at epoch 31, loss 0.2"),
        (of_epochs(), epochs(31, 32), CONTINUED, "continued at epoch 31"),
        (of_epochs(), epochs(30, 33), CONTINUED, "continued at epoch 30"),  # the interrupted epoch begins again
        (of_epochs(), epochs(29, 33), CONTINUED, "continued at epoch 29"),
        (of_epochs(), epochs(12, 15), RESTARTED, "restarted at epoch 12 after 30"),
        (of_epochs(), epochs(1, 2), RESTARTED, "restarted at epoch 1 after 30"),  # a line with a loss, at the end
        (of_epochs(loss=False), epochs(1, 2, loss=False), UNKNOWN, "too little since epoch 30"),
        # The loss shows that only the counter began again.
        (
            of_epochs(),
            [LoggedPoint(epoch=float(epoch), loss=0.21) for epoch in (1, 2, 3)],
            RECOUNTED,
            "continued, but counts from epoch 1 again, loss 0.21",
        ),
        # The distance between two saves.
        (of_timed(saved_step=100, save_steps=50), timed(60, 90, at=301), CONTINUED, "continued at step 60"),
        (of_timed(saved_step=1500, save_steps=500), timed(1010, 1090, at=301), CONTINUED, "continued at step 1010"),
        (of_timed(saved_step=1500, save_steps=100), timed(1010, 1200, at=301), RESTARTED, "step 1010 after 1500"),
        (of_timed(saved_at=150.0, save_seconds=20.0), timed(1310, 1340, at=301), CONTINUED, "continued at step 1310"),
        (of_timed(saved_at=150.0, save_seconds=20.0), timed(810, 940, at=301), RESTARTED, "step 810 after 1500"),
        (of_timed(), timed(810, 940, at=301), CONTINUED, "continued at step 810"),  # of an unknown checkpoint
        # A checkpoint named after its epoch, in a log that counts steps.
        (of_timed(saved_step=3, saved_at=150.0), timed(1510, 1540, at=301), CONTINUED, "continued at step 1510"),
        (of_timed(saved_step=3, saved_at=150.0), timed(0, 150, at=301), RESTARTED, "restarted at step 0 after 1500"),
        # No training makes so many steps in a second.
        (of_timed(saved_step=1900), timed(50_000, 50_030, at=301), JUMPED, "jumped to step 50000 after 1900"),
        (of_timed(saved_step=1900), timed(2200, 2230, at=330), CONTINUED, "continued at step 2200"),
        # Steps of each epoch, and of several ranks.
        (BeforeResume(first=RESETTING[:20], last=RESETTING), RESETTING[:9], RESTARTED, "restarted at epoch 1 after 8"),
        (BeforeResume(first=RESETTING[:20], last=RESETTING), RESETTING[-9:], CONTINUED, "continued at epoch 8"),
        (BeforeResume(first=RANKS[:20], last=RANKS, saved_step=1900), RANKS[382:], CONTINUED, "at step 1911"),
        (BeforeResume(first=RANKS[:20], last=RANKS, saved_step=1900), RANKS[:20], RESTARTED, "restarted at step 1"),
        # The interrupted epoch is trained again by a script that counts the steps of the whole training.
        (
            BeforeResume(
                last=[LoggedPoint(step=step, epoch=step // 500 + 1.0) for step in range(0, 1900, 10)],
                saved_step=1850,
                save_steps=50,
            ),
            [LoggedPoint(step=step, epoch=4.0) for step in range(1500, 1600, 10)],
            CONTINUED,
            "continued",
        ),
        # A loss alone, falling and rising.
        (
            BeforeResume(first=only_losses(FALLING[:20]), last=only_losses(FALLING)),
            only_losses([0.21] * 4),
            CONTINUED,
            "",
        ),
        (BeforeResume(first=only_losses(RISING[:20]), last=only_losses(RISING)), only_losses([3.9] * 4), CONTINUED, ""),
        (
            BeforeResume(first=only_losses(RISING[:20]), last=only_losses(RISING)),
            only_losses(RISING[:50]),
            RESTARTED,
            "",
        ),
        (
            BeforeResume(first=only_losses(FALLING[:20]), last=only_losses(FALLING)),
            only_losses([2.1, 1.2, 0.9, 0.5, *[0.21] * 40]),
            UNKNOWN,
            "its loss alone is not enough",
        ),
        # A reward, or any other metric that is not a loss, is not compared: steps decide.
        (of_timed(saved_step=1900), timed(1910, 1940, at=301), CONTINUED, "continued at step 1910"),
    ],
)
def test_verdicts(before: BeforeResume, after: list[LoggedPoint], verdict: ResumeVerdict, message: str) -> None:
    check = verdict_on(before, after, final=True)
    assert check is not None
    assert check.verdict is verdict, check
    assert message in check.message
    for count in range(len(after)):
        early = verdict_on(before, after[:count])
        assert early is None or early.verdict is verdict, (count, early)


def test_a_loss_that_rises_while_the_steps_continue_has_not_jumped() -> None:
    points = [LoggedPoint(step=10 * place, loss=loss) for place, loss in enumerate(RISING)]
    before = BeforeResume(first=points[:20], last=points, saved_step=1990)
    check = verdict_on(before, [LoggedPoint(step=2000 + 10 * place, loss=9.0) for place in range(30)])
    assert check is not None
    assert check.verdict is ResumeVerdict.CONTINUED


def test_a_loss_is_compared_with_that_at_the_step_from_which_the_run_continues() -> None:
    """It goes on from the save before the last, when the loss was higher."""
    points = [LoggedPoint(step=step, loss=4.0 * math.exp(-step / 200)) for step in range(400)]
    before = BeforeResume(first=points[:20], last=points, saved_step=399, save_steps=200)
    check = verdict_on(before, points[200:240])
    assert check is not None
    assert check.verdict is ResumeVerdict.CONTINUED


def test_a_checkpoint_step_in_another_unit_is_ignored() -> None:
    counted = [LoggedPoint(step=step) for step in (1, 2, 3)]
    before = BeforeResume(first=counted, last=counted, saved_step=1500)
    check = verdict_on(before, [LoggedPoint(step=3), LoggedPoint(step=4), LoggedPoint(step=5)], final=True)
    assert check is not None
    assert (check.verdict, check.step_before) == (ResumeVerdict.CONTINUED, 3)


def test_a_loss_that_never_fell_is_no_evidence_against_a_restart() -> None:
    flat = [LoggedPoint(step=step, loss=2.3) for step in range(0, 1000, 10)]
    before = BeforeResume(first=flat[:20], last=flat, saved_step=900)
    again = verdict_on(before, flat[:10])
    assert again is not None
    assert again.verdict is ResumeVerdict.RESTARTED
    on = verdict_on(before, flat[-3:])
    assert on is not None
    assert on.verdict is ResumeVerdict.CONTINUED


def test_a_loss_that_is_nan_is_ignored() -> None:
    before = after_a_run(saved=1900)
    broken = [LoggedPoint(step=1900 + 10 * place, loss=math.nan) for place in range(40)]
    check = verdict_on(before, broken, final=True)
    assert check is None or not check.is_doubtful


@given(
    seed=st.integers(0, 10_000), noise=st.sampled_from([0.0, 0.02, 0.1, 0.3]), saved=st.sampled_from([None, 1200, 1990])
)
def test_no_continuing_run_is_suspected_however_noisy(seed: int, noise: float, saved: int | None) -> None:
    before = after_a_run(saved=saved, noise=noise)
    begin = 1990 if saved is None else saved
    after = curve(begin, begin + 300, noise=noise, seed=seed)
    for count in range(len(after) + 1):
        check = verdict_on(before, after[:count])
        if check is not None:
            assert check.verdict is ResumeVerdict.CONTINUED, (count, check)
            return
    raise AssertionError("no verdict")


@given(
    points=st.lists(
        st.builds(
            LoggedPoint,
            step=st.none() | st.integers(0, 10**9),
            epoch=st.none() | st.floats(0, 1e6),
            loss=st.none() | st.floats(allow_nan=True, allow_infinity=True),
        ),
        max_size=60,
    ),
    cut=st.integers(0, 60),
    final=st.booleans(),
)
def test_any_figures_can_be_judged(points: list[LoggedPoint], cut: int, *, final: bool) -> None:
    before = BeforeResume(first=points[:cut][:20], last=points[:cut], saved_step=None)
    check = verdict_on(before, points[cut:], final=final)
    assert check.message if check is not None else not final


def test_a_short_run_that_restarts_shows_its_initial_loss() -> None:
    losses = [LoggedPoint(step=step, loss=3 / step) for step in range(5, 100, 5)]
    check = verdict_on(BeforeResume(first=losses, last=losses, saved_step=80), losses, final=True)
    assert check is not None
    assert check.message.startswith("restarted at step 5 after 80: loss 0.6, before 0.0428")
