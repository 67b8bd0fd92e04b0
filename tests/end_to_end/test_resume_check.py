"""A resume is checked by what the script prints afterwards: one that continues, and others that begin again."""

from __future__ import annotations

import os

import pytest

from backprop_tui.domain.resume_arguments import resume_template
from backprop_tui.domain.resume_verdict import ResumeVerdict
from backprop_tui.domain.run import Ended, StopPlan
from backprop_tui.domain.status import Status
from tests.support.sandbox import SCRIPTS, Sandbox, python, script

TERM = StopPlan(stop_signal="SIGTERM")

EPOCHS = """
import json, math, os, time
for epoch in range(1, 31):
    loss = 2.3 * math.exp(-epoch / 6) + 0.2
    print(f"Epoch {epoch}/100, loss: {loss:.4f}, val_loss: {loss * 1.1:.4f}", flush=True)
    with open("new.json", "w") as file:
        json.dump({"epoch": epoch}, file)
    os.replace("new.json", f"epoch_{epoch}.json")
    print(json.dumps({"event": "checkpoint_saved", "path": f"epoch_{epoch}.json"}), flush=True)
time.sleep(60)
"""

SILENT = """
import json, time
json.dump({}, open("ckpt.json", "w"))
print(json.dumps({"event": "checkpoint_saved", "path": "ckpt.json", "step": 1}), flush=True)
time.sleep(60)
"""

STRICT = """
import argparse, json, os, sys, time
parser = argparse.ArgumentParser()
parser.add_argument("--lr")
parser.parse_args()
resumed = os.environ.get("BACKPROP_RESUME_FROM")
begin = json.load(open(resumed))["step"] if resumed else 0
for step in range(begin + 1, begin + 41):
    print(json.dumps({"step": step, "loss": 4 - step / 40}))
json.dump({"step": begin + 40}, open(f"ckpt-{begin}.json", "w"))
print(json.dumps({"event": "checkpoint_saved", "path": f"ckpt-{begin}.json", "step": begin + 40}), flush=True)
time.sleep(60)
"""


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
        stop=TERM,
    )
    record = run.wait_for_end(seconds=60)
    assert len(record.attempts) == 2
    check = record.resume_check
    assert check is not None
    assert (check.verdict, check.attempt, check.step_before) == (verdict, 2, 40)
    assert check.step_after == (41 if verdict is ResumeVerdict.CONTINUED else 1)
    assert ("resume_doubtful" in run.events()) == (verdict is ResumeVerdict.RESTARTED)


def test_slices_end_when_an_epoch_begins_again_although_the_loss_came_down(sandbox: Sandbox) -> None:
    run = sandbox.submit(*python(EPOCHS), max_run_seconds=5.0, total_seconds=50.0, stop=TERM)
    record = run.wait_for_end(seconds=60)
    assert (record.status, len(record.attempts)) == (Status.TIMEBOXED, 2)
    check = record.resume_check
    assert check is not None
    assert (check.verdict, check.epoch_before, check.epoch_after) == (ResumeVerdict.RESTARTED, 30.0, 1.0)
    assert check.message.startswith("restarted at epoch 1 after 30: loss 2.147, before 0.2")
    assert isinstance(record.state, Ended)
    assert "slice 2 restarted at epoch 1 after 30" in (record.state.reason or "")
    assert "--resume-arg" in (record.state.reason or "")


def test_a_resume_without_figures_is_unknown_and_the_next_slice_follows(sandbox: Sandbox) -> None:
    run = sandbox.submit(*python(SILENT), max_run_seconds=0.6, total_seconds=1.8, stop=TERM)
    record = run.wait_for_end(seconds=60)
    assert len(record.attempts) >= 2
    check = record.resume_check
    assert check is not None
    assert check.verdict is ResumeVerdict.UNKNOWN
    assert check.message == "no step, epoch or loss was read from its output"
    assert "resume_unconfirmed" in run.events()


def test_an_option_of_ours_that_the_script_refuses_is_left_out_once(sandbox: Sandbox) -> None:
    run = sandbox.submit(
        *python(STRICT), found_resume_arg="--ckpt_path {path}", max_run_seconds=1.0, total_seconds=5.0, stop=TERM
    )
    record = run.wait_for_end(seconds=60)
    assert [attempt.status for attempt in record.attempts[:3]] == [Status.TIMEBOXED, Status.FAILED, Status.TIMEBOXED]
    refused, again = record.attempts[1:3]
    assert refused.refused_option == "--ckpt_path"
    assert again.resumed_from == refused.resumed_from is not None
    assert run.events().count("refused_option") == 1
    assert record.status is Status.TIMEBOXED
    check = record.resume_check
    assert check is not None
    assert check.verdict is ResumeVerdict.CONTINUED
