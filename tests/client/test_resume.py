"""An ended run goes back to the queue with its options, from the newest checkpoint that can be trusted."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from backprop_tui.cli.options import run_options
from backprop_tui.cli.parser import parse
from backprop_tui.client.resume import Resumption, queue_again, resumption_text
from backprop_tui.client.session import ClientSession
from backprop_tui.domain.errors import NotFound, UsageError
from backprop_tui.domain.goals import parse_goal
from backprop_tui.domain.limits import RunLimits
from backprop_tui.domain.requests import StopRequest
from backprop_tui.domain.run import Checkpoint, Dependency, Queued, Run
from backprop_tui.domain.status import Status
from backprop_tui.runner.start import verify_resume_checkpoint
from backprop_tui.store.run_directory import RunDirectory
from tests.support.runs import Runs


def _resumed(session: ClientSession, run_id: str, *words: str) -> tuple[Run, Resumption]:
    options = run_options(parse(["resume", run_id, *words]).arguments)
    resumption, _ = queue_again(session, run_id, options)
    return RunDirectory(session.home.run_folder(run_id)).read(), resumption


def _checkpoint(path: Path, content: bytes, size: int | None = None) -> Checkpoint:
    path.write_bytes(content)
    saved_at = path.stat().st_mtime
    return Checkpoint(path=str(path), step=1, saved_at=saved_at, size_bytes=len(content) if size is None else size)


def _saw(directory: RunDirectory, *checkpoints: Checkpoint) -> None:
    directory.write(replace(directory.read(), checkpoints=checkpoints), durable=False)


def test_it_is_queued_again_from_its_newest_checkpoint(session: ClientSession, runs: Runs, tmp_path: Path) -> None:
    directory = runs.ended("abc")
    _saw(directory, _checkpoint(tmp_path / "old", b"1"), _checkpoint(tmp_path / "new", b"2"))
    run, resumed = _resumed(session, "abc")
    assert isinstance(run.state, Queued)
    assert run.state.resume_from == resumed.checkpoint == str(tmp_path / "new")
    assert resumption_text(resumed) == " from step 1, limit 10m"
    assert len(run.attempts) == 1


def test_a_truncated_checkpoint_is_skipped_for_the_one_before(
    session: ClientSession, runs: Runs, tmp_path: Path
) -> None:
    directory = runs.ended("abc")
    _saw(directory, _checkpoint(tmp_path / "old", b"1"), _checkpoint(tmp_path / "new", b"2", size=100))
    assert _resumed(session, "abc")[1].checkpoint == str(tmp_path / "old")


def test_a_checkpoint_given_by_option_takes_precedence(session: ClientSession, runs: Runs, tmp_path: Path) -> None:
    directory = runs.ended("abc")
    _saw(directory, _checkpoint(tmp_path / "new", b"2"))
    (tmp_path / "mine").write_bytes(b"x")
    assert _resumed(session, "abc", "-r", str(tmp_path / "mine"))[1].checkpoint == str(tmp_path / "mine")


def test_where_the_names_do_not_say_what_to_go_on_from_it_asks(
    session: ClientSession, runs: Runs, tmp_path: Path
) -> None:
    directory = runs.ended("abc")
    names = [tmp_path / "decoder_3.pt", tmp_path / "encoder_3.pt"]
    saved = [_checkpoint(path, b"\x80\x02}.") for path in names]
    _saw(directory, replace(saved[1], candidates=tuple(map(str, names))))
    with pytest.raises(UsageError, match=f"resume abc --resume-from {names[0]}\n"):
        _resumed(session, "abc")
    assert _resumed(session, "abc", "-r", str(names[0]))[1].checkpoint == str(names[0])


def test_a_checkpoint_that_another_training_has_overwritten_is_used_only_if_it_is_given(
    session: ClientSession, runs: Runs, tmp_path: Path
) -> None:
    directory = runs.ended("abc")
    checkpoint = _checkpoint(tmp_path / "last.pt", b"\x80\x02}.")
    _saw(directory, replace(checkpoint, saved_at=checkpoint.saved_at - 0.1))
    with pytest.raises(
        UsageError, match=r"last.pt was changed after the run had saved it, perhaps by another training"
    ):
        _resumed(session, "abc")
    run, resumption = _resumed(session, "abc", "-r", str(tmp_path / "last.pt"))
    assert resumption.checkpoint == str(tmp_path / "last.pt")
    attempt = replace(run.attempt, number=2, ended_at=None, resumed_from=resumption.checkpoint, by_request=True)
    started = replace(run, attempts=(*run.attempts, attempt))
    assert verify_resume_checkpoint(directory, started) == (started, None)
    retried = replace(run, attempts=(*run.attempts, replace(attempt, by_request=False)))
    assert verify_resume_checkpoint(directory, retried)[0].attempt.resumed_from is None


def test_an_announced_checkpoint_that_was_never_written_is_not_used(
    session: ClientSession, runs: Runs, tmp_path: Path
) -> None:
    directory = runs.ended("abc")
    _saw(directory, replace(_checkpoint(tmp_path / "last.pt", b"\x80\x02}."), written=False))
    assert _resumed(session, "abc")[1].checkpoint is None


def test_without_a_sound_checkpoint_it_starts_over(session: ClientSession, runs: Runs) -> None:
    runs.ended("abc", Status.FAILED, exit_code=1)
    assert _resumed(session, "abc")[1].checkpoint is None


def test_options_are_kept_unless_given_again(session: ClientSession, runs: Runs) -> None:
    spec = {"max_run_seconds": 60.0, "retries": 3, "limits": RunLimits(min_free_ram_bytes=7)}
    runs.ended("abc", spec=spec, tags=("a",), note="n", priority=2)
    run, _ = _resumed(session, "abc", "-m", "none", "--tag", "b")
    assert (run.spec.max_run_seconds, run.spec.retries, run.spec.limits.min_free_ram_bytes) == (None, 3, 7)
    assert (run.tags, run.note, run.priority, run.name) == (("b",), "n", 2, "abc")


def test_it_gets_the_environment_of_this_shell(
    session: ClientSession, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = runs.ended("abc")
    assert not os.path.exists(directory.file("environment"))
    monkeypatch.setenv("NEW", "1")
    _resumed(session, "abc", "--env", "MORE=2")
    environment = directory.read_environment()
    assert (environment["NEW"], environment["MORE"]) == ("1", "2")


def test_it_is_marked_again_for_the_supervisor(session: ClientSession, runs: Runs) -> None:
    runs.ended("abc")
    os.unlink(session.home.marker("abc"))
    _resumed(session, "abc")
    assert os.path.exists(session.home.marker("abc"))


def test_it_is_marked_before_it_is_queued(session: ClientSession, runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash between the two must not leave a queued run that nobody looks at."""
    directory = runs.ended("abc")
    os.unlink(session.home.marker("abc"))

    def crash(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(RunDirectory, "write", crash)
    with pytest.raises(KeyboardInterrupt):
        _resumed(session, "abc")
    assert os.path.exists(session.home.marker("abc"))
    assert directory.read().status is Status.COMPLETED


def test_a_late_request_to_the_earlier_attempt_is_not_carried_out(session: ClientSession, runs: Runs) -> None:
    directory = runs.ended("abc")
    directory.append_request(StopRequest(by="person", reason="too late"))
    run, _ = _resumed(session, "abc")
    assert directory.requests_after(run.requests_offset)[0] == []


@pytest.mark.parametrize("state", ["waiting", "running"])
def test_only_ended_runs_can_be_resumed(session: ClientSession, runs: Runs, state: str) -> None:
    if state == "waiting":
        runs.queued("abc")
    else:
        runs.guarded("abc")
    with pytest.raises(UsageError, match=f"run abc is {state}"):
        _resumed(session, "abc")


def test_a_run_whose_directory_is_gone_needs_another(session: ClientSession, runs: Runs, tmp_path: Path) -> None:
    runs.ended("abc", spec={"cwd": "/nowhere/at/all"})
    with pytest.raises(UsageError, match="--cwd DIR names another"):
        _resumed(session, "abc")
    assert _resumed(session, "abc", "--cwd", str(tmp_path))[0].spec.cwd == str(tmp_path)


def test_a_script_that_is_gone_is_not_found(session: ClientSession, runs: Runs) -> None:
    runs.ended("abc", spec={"script": "/nowhere/train.py", "command": ("python3", "/nowhere/train.py")})
    with pytest.raises(NotFound):
        _resumed(session, "abc")


def test_the_interpreter_is_kept_unless_another_is_given(session: ClientSession, runs: Runs, tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text("parser.add_argument('--resume-from')")
    spec = {"script": str(script), "command": ("/bin/sh", str(script), "--lr", "3"), "python_origin": "x"}
    runs.ended("abc", spec=spec)
    run, _ = _resumed(session, "abc")
    assert run.spec.command == ("/bin/sh", str(script), "--lr", "3")
    assert run.spec.understood_flags == ("--resume-from",)
    runs.ended("def", spec=spec)
    assert _resumed(session, "def", "--python", sys.executable)[0].spec.command == (
        sys.executable,
        str(script),
        "--lr",
        "3",
    )


def test_dependencies_that_have_ended_are_dropped(session: ClientSession, runs: Runs) -> None:
    """Its owner wants it to go on although the other failed."""
    runs.ended("failed", Status.FAILED, exit_code=1)
    runs.queued("waits")
    after = (Dependency(run="failed"), Dependency(run="waits"), Dependency(run="removed"))
    runs.ended("abc", spec={"after": after})
    assert _resumed(session, "abc")[0].spec.after == (Dependency(run="waits"),)


def test_a_run_that_has_used_its_time_needs_more(session: ClientSession, runs: Runs) -> None:
    directory = runs.ended("abc", spec={"total_seconds": 60.0})
    run = directory.read()
    directory.write(run.with_attempt(replace(run.attempt, running_seconds=61.0)), durable=False)
    with pytest.raises(UsageError, match="resume abc --total-minutes N"):
        _resumed(session, "abc")
    assert _resumed(session, "abc", "--total-minutes", "2")[0].spec.total_seconds == 120.0


def test_a_run_that_has_reached_its_goal_needs_another(session: ClientSession, runs: Runs) -> None:
    directory = runs.ended("abc", spec={"until": (parse_goal("step=100"), parse_goal("loss<0.1"))})
    directory.write(replace(directory.read(), step=120), durable=False)
    with pytest.raises(UsageError, match="has reached step=100; --until gives it another goal"):
        _resumed(session, "abc")
    assert _resumed(session, "abc", "--until", "step=200")[0].spec.until == (parse_goal("step=200"),)


def test_a_newer_checkpoint_that_is_not_sound_is_skipped_and_named(
    session: ClientSession, runs: Runs, tmp_path: Path
) -> None:
    whole, torn = tmp_path / "1.json", tmp_path / "2.json"
    directory = runs.ended("abc")
    _saw(directory, _checkpoint(whole, b'{"step": 1}'), _checkpoint(torn, b""))
    assert _resumed(session, "abc")[0].state.resume_from == str(whole)  # type: ignore[union-attr]
    events = Path(directory.events_path).read_text()
    assert f"resumed from {whole}; {torn} is empty" in events


def test_given_variables_are_kept_except_secrets(
    session: ClientSession, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = runs.ended("abc", spec={"env": (("LR", "1"), ("SEED", "2"), ("HF_TOKEN", None))})
    monkeypatch.setenv("LR", "9")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    run, resumed = _resumed(session, "abc", "--env", "SEED=3", "--env", "WANDB_API_KEY=k")
    assert resumed.lost_variables == ["HF_TOKEN"]
    environment = directory.read_environment()
    assert (environment["LR"], environment["SEED"], environment["WANDB_API_KEY"]) == ("1", "3", "k")
    assert "HF_TOKEN" not in environment
    assert run.spec.env == (("LR", "1"), ("SEED", "3"), ("HF_TOKEN", None), ("WANDB_API_KEY", None))


def test_a_template_with_a_step_needs_a_checkpoint_whose_step_is_known(
    session: ClientSession, runs: Runs, tmp_path: Path
) -> None:
    runs.ended("abc", spec={"resume_arg": "--from-step={step}"})
    (tmp_path / "mine.pt").write_bytes(b"x")
    (tmp_path / "model_001100.pt").write_bytes(b"x")
    with pytest.raises(UsageError, match=r"the step of \S+/mine\.pt is not known; use \{path\}"):
        _resumed(session, "abc", "-r", str(tmp_path / "mine.pt"))
    run, _ = _resumed(session, "abc", "-r", str(tmp_path / "model_001100.pt"))
    assert isinstance(run.state, Queued)
