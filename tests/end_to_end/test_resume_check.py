"""A resume is checked by what the script prints afterwards: one that continues, and one that restarts."""

from __future__ import annotations

import os

import pytest

from backprop_tui.domain.resume_arguments import resume_template
from backprop_tui.domain.resume_check import ResumeVerdict
from backprop_tui.domain.run import StopPlan
from tests.support.sandbox import SCRIPTS, Sandbox, script


@pytest.mark.parametrize(
    ("extra", "verdict"), [((), ResumeVerdict.CONTINUED), (("--forgetful",), ResumeVerdict.RESTARTED)]
)
def test_a_slice_that_continues_is_distinguished_from_one_that_restarts(
    sandbox: Sandbox, extra: tuple[str, ...], verdict: ResumeVerdict
) -> None:
    with open(os.path.join(SCRIPTS, "learner.py"), encoding="utf-8") as file:
        template = resume_template(file.read())
    assert template == "--resume {path}"
    run = sandbox.submit(
        *script("learner.py", 40, *extra),
        found_resume_arg=template,
        max_run_seconds=1.0,
        total_seconds=1.9,
        stop=StopPlan(stop_signal="SIGTERM"),
    )
    record = run.wait_for_end(seconds=60)
    assert len(record.attempts) == 2
    check = record.resume_check
    assert check is not None
    assert (check.verdict, check.attempt, check.step_before) == (verdict, 2, 40)
    assert check.step_after == (41 if verdict is ResumeVerdict.CONTINUED else 1)
    assert ("resume_doubtful" in run.events()) == (verdict is ResumeVerdict.RESTARTED)
