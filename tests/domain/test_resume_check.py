"""The resume check: by steps and loss, and without false alarms."""

from __future__ import annotations

import math
import random

from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.domain.resume_check import (
    SETTLING_POINTS,
    BeforeResume,
    LoggedPoint,
    ResumeCheck,
    ResumeVerdict,
    check_resume,
)


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


def test_a_restart_from_the_beginning_is_detected() -> None:
    check = verdict_on(after_a_run(saved=1900), curve(0, 30))
    assert check is not None
    assert check.verdict is ResumeVerdict.RESTARTED
    assert check.is_doubtful
    assert check.message == "restarted at step 0 after 1900: loss 3.914, before 0.5384"


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
    assert (check.verdict, check.message) == (
        ResumeVerdict.JUMPED,
        "the loss jumped at the resume: loss 2, before 0.5384",
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
    steps = (0, 0, 0, 0, 0, 901, 911)
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


def test_a_run_that_had_hardly_started_or_prints_nothing_gives_no_verdict() -> None:
    hardly = BeforeResume(first=curve(0, 30), last=curve(0, 30), saved_step=20)
    assert verdict_on(hardly, curve(0, 300), final=True) is None
    assert verdict_on(BeforeResume(first=(), last=()), [], final=True) is None
    assert verdict_on(after_a_run(), [], final=True) is None


def test_a_checkpoint_step_in_another_unit_is_ignored() -> None:
    epochs = [LoggedPoint(step=step) for step in (1, 2, 3)]
    before = BeforeResume(first=epochs, last=epochs, saved_step=1500)
    assert verdict_on(before, [LoggedPoint(step=3), LoggedPoint(step=4), LoggedPoint(step=5)], final=True) is None


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
            assert not check.is_doubtful, (count, check)
            return
    assert verdict_on(before, after, final=True) is not None


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
    assert check is None or check.message


def test_a_short_run_that_restarts_shows_its_initial_loss() -> None:
    losses = [LoggedPoint(step=step, loss=3 / step) for step in range(5, 100, 5)]
    check = verdict_on(BeforeResume(first=losses, last=losses, saved_step=80), losses, final=True)
    assert check is not None
    assert check.message.startswith("restarted at step 5 after 80: loss 0.3, before 0.07")
