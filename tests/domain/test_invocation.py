"""The command line and environment of a script."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.invocation import (
    ORIGINAL_FLAGS,
    find_original_flags,
    script_command_line,
    script_environment,
)
from backprop_tui.domain.run import Checkpoint, Queued, Run
from tests.domain.runs import queued, running

RESUMED = Queued(since=1.0, resume_from="/a dir/c.pt")


def environment(run: Run) -> dict[str, str]:
    return script_environment(run, "/home/runs/r1", {"PATH": "/bin", "BACKPROP_RESUME_FROM": "stale"})


def test_a_strict_script_gets_no_flag_it_does_not_mention() -> None:
    assert script_command_line(running(queued(understood_flags=()))) == ("python3", "train.py")


def test_flags_that_the_source_mentions_are_passed_unless_given_already() -> None:
    run = running(
        queued(
            command=("python3", "train.py", "--run-id=mine"),
            understood_flags=("--run-id", "--max-minutes", "--resume-from", "--checkpoint-every-seconds"),
            state=RESUMED,
        )
    )
    assert script_command_line(run)[3:] == ("--max-minutes", "10", "--resume-from", "/a dir/c.pt")


def test_the_resume_argument_keeps_a_path_with_a_space_in_one_word() -> None:
    run = running(queued(resume_arg="--init resume --ckpt={path}", state=RESUMED, understood_flags=("--resume-from",)))
    assert script_command_line(run)[2:] == ("--init", "resume", "--ckpt=/a dir/c.pt")


def test_a_first_attempt_gets_no_checkpoint_whatever_the_shell_has() -> None:
    assert "BACKPROP_RESUME_FROM" not in environment(running())


def test_the_environment_contains_the_deadline_of_this_timebox() -> None:
    run = running(queued(max_run_seconds=90.0), now=1000.0)
    variables = environment(run)
    assert (variables["BACKPROP_DEADLINE"], variables["BACKPROP_MAX_MINUTES"]) == ("1090.000", "1.5")
    assert (variables["PYTHONUNBUFFERED"], variables["PATH"]) == ("1", "/bin")


def test_an_empty_variable_keeps_output_buffered() -> None:
    assert script_environment(running(), "/r", {"PYTHONUNBUFFERED": ""})["PYTHONUNBUFFERED"] == ""


def test_no_limit_has_no_deadline() -> None:
    assert not {"BACKPROP_DEADLINE", "BACKPROP_MAX_MINUTES"} & environment(running(queued(max_run_seconds=None))).keys()


def test_gpu_variables_override_the_captured_environment() -> None:
    run = running()
    run = run.with_attempt(replace(run.attempt, variables={"CUDA_VISIBLE_DEVICES": "GPU-1"}))
    assert script_environment(run, "/r", {"CUDA_VISIBLE_DEVICES": "0"})["CUDA_VISIBLE_DEVICES"] == "GPU-1"


@pytest.mark.parametrize("flag", ORIGINAL_FLAGS)
def test_a_flag_counts_as_mentioned_only_as_a_whole_word_in_quotes(flag: str) -> None:
    assert find_original_flags(f'parser.add_argument("{flag}")') == (flag,)
    assert find_original_flags(f"# {flag} is not understood; '{flag}s' neither") == ()


def test_the_step_of_the_checkpoint_replaces_its_place_in_the_template() -> None:
    saved = (Checkpoint(path="/a dir/c.pt", step=1100, saved_at=1.0),)
    run = running(queued(resume_arg="--resume-from-step={step} --dir {path}", state=RESUMED, checkpoints=saved))
    assert script_command_line(run)[2:] == ("--resume-from-step=1100", "--dir", "/a dir/c.pt")
    by_name = queued(resume_arg="--from {step}", state=Queued(since=1.0, resume_from="/w/model_001100.pt"))
    assert script_command_line(running(by_name))[2:] == ("--from", "1100")


def test_a_step_that_is_not_known_is_an_error() -> None:
    run = running(queued(resume_arg="--from {step}", state=RESUMED))
    with pytest.raises(UsageError, match=r"the step of /a dir/c\.pt is not known"):
        script_command_line(run)
    assert script_command_line(running(queued(resume_arg="--from {step}"))) == ("python3", "train.py")


def test_a_resumed_attempt_gets_the_detected_argument_unless_one_was_given() -> None:
    state = Queued(since=1.0, resume_from="/a dir/c.pt")
    detected = queued(
        state=state, found_resume_arg="--resume {path}", command=("python3", "t.py", "--resume", "old.pt")
    )
    assert script_command_line(running(detected))[2:] == ("--resume", "old.pt", "--resume", "/a dir/c.pt")
    asked = queued(state=state, found_resume_arg="--resume {path}", resume_arg="--from={path}")
    assert script_command_line(running(asked))[2:] == ("--from=/a dir/c.pt",)
    original = queued(state=state, found_resume_arg="--resume {path}", understood_flags=("--resume-from",))
    assert script_command_line(running(original))[2:] == ("--resume-from", "/a dir/c.pt")
    assert script_command_line(running(queued(found_resume_arg="--resume {path}"))) == ("python3", "train.py")


def test_a_newer_checkpoint_replaces_one_given_on_the_command_line() -> None:
    state = Queued(since=1.0, resume_from="/new.pt")
    run = queued(state=state, understood_flags=("--resume-from",), command=("python3", "t.py", "--resume-from=/old.pt"))
    assert script_command_line(running(run))[2:] == ("--resume-from=/old.pt", "--resume-from", "/new.pt")
