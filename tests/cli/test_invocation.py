"""Every error becomes one line and its documented code."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from backprop_tui import __version__
from backprop_tui.cli import diagnostics, output
from backprop_tui.cli.invocation import run_program
from backprop_tui.cli.reports import print_outcomes
from backprop_tui.cli.session import Session
from backprop_tui.client.control import Refusal, stop_requests, wait_for_all
from backprop_tui.domain.errors import (
    BrokenRecord,
    ConfigError,
    HeldByGovernor,
    Interrupted,
    NotFound,
    StateUnavailable,
    StorageFailed,
    UnknownRun,
    UsageError,
)
from backprop_tui.domain.status import Status
from tests.support.commands import ALL_RAM
from tests.support.runs import Runs

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def fails(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Makes `wait` raise."""

    def arrange(error: BaseException) -> None:
        def raise_it(*_: object) -> int:
            raise error

        monkeypatch.setattr("backprop_tui.cli.commands.wait.execute", raise_it)

    return arrange


ERRORS = pytest.mark.parametrize(
    ("error", "code", "kind"),
    [
        (UsageError("m"), 2, "usage"),
        (UnknownRun("m"), 2, "unknown_run"),
        (ConfigError("/config.toml:3", "m"), 2, "configuration"),
        (NotFound("m"), 66, "not_found"),
        (StateUnavailable("m"), 73, "state_unavailable"),
        (StorageFailed("m"), 74, "storage"),
        (OSError(errno.ENOSPC, "No space left on device", "/some/file"), 74, "storage"),
        (HeldByGovernor("m"), 75, "held"),
        (Interrupted("m"), 130, "interrupted"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (BrokenRecord("/run.json", "m"), 74, "broken_record"),
        (RuntimeError("m"), 70, "internal"),
    ],
)


@ERRORS
def test_an_error_has_its_code(
    session: Session,
    capsys: Capture,
    fails: Callable[[BaseException], None],
    error: BaseException,
    code: int,
    kind: str,
) -> None:
    fails(error)
    assert run_program(["wait", "x"]) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == (0 if isinstance(error, KeyboardInterrupt) else 1)
    assert "Traceback" not in printed.err


@ERRORS
def test_with_json_it_is_also_one_object_on_stdout(
    session: Session,
    capsys: Capture,
    fails: Callable[[BaseException], None],
    error: BaseException,
    code: int,
    kind: str,
) -> None:
    fails(error)
    assert run_program(["--json", "wait", "x"]) == run_program(["wait", "x", "--json"]) == code
    before, after = capsys.readouterr().out.splitlines()
    assert json.loads(before)["error"].items() >= {"kind": kind, "exit_code": code}.items()
    assert json.loads(after)["error"].keys() == {"kind", "message", "hint", "exit_code"}


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        (["--json", "lisst"], ["error"]),
        (["stop", "--nonsense", "--json"], ["error"]),
        (["run", "--json", "--", "nosuchprogram", "--verbose"], ["error"]),
        (["run", "--", "nosuchprogram", "--json"], []),
    ],
)
def test_a_command_line_that_is_wrong_is_answered_in_json_if_json_is_ours(
    session: Session, workplace: Path, capsys: Capture, words: list[str], keys: list[str]
) -> None:
    assert run_program(words) in (2, 66)
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1
    assert [key for line in printed.out.splitlines() for key in json.loads(line)] == keys


def test_the_hint_follows_the_message_and_is_a_field_of_its_own(
    capsys: Capture, fails: Callable[[BaseException], None]
) -> None:
    fails(UsageError("what is wrong", "what to do"))
    run_program(["wait", "x", "--json"])
    printed = capsys.readouterr()
    assert printed.err == "backprop-tui: what is wrong; what to do\n"
    assert json.loads(printed.out)["error"].items() >= {"message": "what is wrong", "hint": "what to do"}.items()


def test_a_run_that_is_held_and_must_not_wait_is_an_error_after_its_event(
    session: Session, workplace: Path, capsys: Capture
) -> None:
    assert run_program(["run", "--json", "--no-wait", "--min-free-ram", ALL_RAM, "--", "true"]) == 75
    event, error = map(json.loads, capsys.readouterr().out.splitlines())
    assert event["event"] == "held"
    assert error["error"]["kind"] == "held"


def test_what_was_done_to_other_runs_is_shown_beside_the_error(session: Session, runs: Runs, capsys: Capture) -> None:
    from dataclasses import replace

    runs.queued("abc")
    runs.queued("def")
    outcomes = [Refusal("abc", UsageError("m")), *wait_for_all(stop_requests(session, ["def"]))]
    assert print_outcomes(replace(session, json=True), outcomes, "stopped") == 2
    printed = json.loads(capsys.readouterr().out)
    assert printed["error"]["message"] == "m"
    assert [record["id"] for record in printed["runs"]] == ["def"]


def test_a_full_disk_is_reported_with_the_file(
    session: Session, capsys: Capture, fails: Callable[[BaseException], None]
) -> None:
    fails(OSError(errno.ENOSPC, "No space left on device", "/some/file"))
    run_program(["wait", "x"])
    assert capsys.readouterr().err.startswith("backprop-tui: /some/file: No space left on device; ")


def test_the_traceback_of_an_internal_error_is_kept_in_a_file(
    session: Session, capsys: Capture, fails: Callable[[BaseException], None]
) -> None:
    fails(RuntimeError("what went wrong"))
    run_program(["wait", "x"])
    path = session.home.faults
    assert path in capsys.readouterr().err
    assert "RuntimeError: what went wrong" in Path(path).read_text()


def test_the_traceback_of_an_internal_error_is_shown_with_verbose(
    session: Session, capsys: Capture, fails: Callable[[BaseException], None]
) -> None:
    fails(RuntimeError("what went wrong"))
    run_program(["--verbose", "wait", "x"])
    assert "Traceback" in capsys.readouterr().err


def test_the_version_is_printed(capsys: Capture) -> None:
    assert run_program(["--version"]) == 0
    assert capsys.readouterr().out == f"backprop-tui {__version__}\n"


@pytest.mark.parametrize(
    ("words", "terminals", "term", "obstacle"),
    [
        ([], (), "xterm", "standard input is not a terminal"),
        ([], (0,), "xterm", "standard output is not a terminal"),
        ([], (0, 1), "dumb", "TERM is dumb"),
        ([], (0, 1), "", "TERM is not set"),
        (["--no-ui"], (0, 1), "xterm", "--no-ui was given"),
        (["top", "--dry-run"], (0, 1), "xterm", "--dry-run was given"),
    ],
)
def test_where_the_dashboard_cannot_open_it_says_why_and_what_to_use(
    home: Path,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    terminals: tuple[int, ...],
    term: str,
    obstacle: str,
) -> None:
    monkeypatch.setenv("TERM", term)
    monkeypatch.setattr("backprop_tui.cli.session.os.isatty", lambda descriptor: descriptor in terminals)
    assert run_program(words, lambda *_: 0) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"backprop-tui: the dashboard cannot open: {obstacle}")
    assert "backprop-tui status" in printed.err


@pytest.mark.parametrize("words", [[], ["top"]])
def test_without_a_command_the_dashboard_opens(home: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("backprop_tui.cli.session.os.isatty", lambda _: True)
    assert run_program(words, lambda *_: 7) == 7


def test_wrong_usage_is_2_and_names_the_option(capsys: Capture) -> None:
    assert run_program(["run", "x.py", "-m", "0"]) == 2
    assert "-m/--max-run-minutes" in capsys.readouterr().err


def test_a_config_file_that_is_named_and_missing_is_wrong_usage(
    session: Session, workplace: Path, capsys: Capture
) -> None:
    assert run_program(["run", "--config", "nowhere.toml", "--", "true"]) == 2
    assert "--config" in capsys.readouterr().err


def test_a_config_file_that_is_wrong_is_named_with_its_key(session: Session, workplace: Path, capsys: Capture) -> None:
    (workplace / "backprop.toml").write_text("max_run_minuts = 3\n")
    assert run_program(["run", "--", "true"]) == 2
    printed = capsys.readouterr().err
    assert "backprop.toml:1" in printed
    assert "did you mean 'max_run_minutes'?" in printed


def test_a_state_directory_that_cannot_be_made_is_73(
    workplace: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workplace / "file").write_text("")
    monkeypatch.setenv("BACKPROP_HOME", str(workplace / "file/home"))
    assert run_program(["run", "-d", "--", "true"]) == 73
    assert "BACKPROP_HOME" in capsys.readouterr().err


def test_a_held_queue_submits_and_prints_the_id_alone(session: Session, workplace: Path, capsys: Capture) -> None:
    assert run_program(["run", "-d", "-m", "5", "--run-id", "abc", "--", "true"]) == 0
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("abc\n", "")


def test_detached_with_json_it_is_the_run_and_for_a_sweep_the_array(
    session: Session, workplace: Path, capsys: Capture
) -> None:
    run_program(["--json", "run", "-d", "--run-id", "abc", "--", "true"])
    assert json.loads(capsys.readouterr().out)["id"] == "abc"
    run_program(["--json", "run", "-d", "--sweep", "x=1..2", "--", "true"])
    assert len(json.loads(capsys.readouterr().out)) == 2


def test_a_dry_run_writes_nothing_and_says_what_would_happen(
    session: Session, workplace: Path, capsys: Capture
) -> None:
    assert run_program(["run", "--dry-run", "--min-free-ram", "0", "--env", "A=1", "--", "sh", "-c", "exit 3"]) in (
        0,
        75,
    )
    printed = capsys.readouterr().out
    assert "command      sh -c 'exit 3'" in printed
    assert "A=1" in printed
    assert "verdict" in printed
    assert os.listdir(session.home.runs) == []


def test_a_dry_run_of_a_sweep_counts_its_own_runs(session: Session, workplace: Path, capsys: Capture) -> None:
    Path("backprop.toml").write_text("[governor]\nmax_load_per_core = 0\nmin_free_disk_gb = 0\n")
    options = ["--gpus", "0", "--min-free-ram", "0", "-p", "2", "--sweep", "x=1..3"]
    assert run_program(["run", "--dry-run", "--json", *options, "--", "true"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [preview["verdict"] for preview in printed] == ["start", "start", "held"]
    assert [reason["check"] for reason in printed[2]["reasons"]] == ["parallel"]


def test_a_dry_run_of_a_sweep_says_once_what_its_runs_share(session: Session, workplace: Path, capsys: Capture) -> None:
    Path("backprop.toml").write_text("[governor]\nmax_load_per_core = 0\nmin_free_disk_gb = 0\n")
    options = ["--gpus", "0", "--min-free-ram", "0", "-p", "2", "--env", "A=1"]
    sweep = ["--sweep", "lr=0.1,0.2", "--sweep", "seed=1..3"]
    assert run_program(["run", "--dry-run", *options, *sweep, "--", "sh", "-c", "true"]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = {line[:12].strip(): line[13:] for line in lines if line[:12].strip()}
    assert rows["sweep"] == "6 runs in one group"
    assert rows["command"] == "sh -c true --lr ... --seed ..."
    assert rows["environment"] == "A=1"
    assert rows["verdict"] == "2 of 6: starts now"
    assert lines[-7].strip() == "4 of 6: waits: 2 runs active (max_parallel 2 of this run)"
    assert lines[-6].startswith("runs ")
    names = [f"true lr={lr} seed={seed}" for lr in ("0.1", "0.2") for seed in (1, 2, 3)]
    assert [line[13:] for line in lines[-6:]] == names


def test_a_queued_sweep_names_its_group_and_how_to_follow_it(
    session: Session, workplace: Path, capsys: Capture
) -> None:
    run_program(["run", "-d", "--group", "mine", "--sweep", "x=1..2", "--", "true"])
    assert capsys.readouterr().err.startswith("2 runs in group mine; backprop-tui list mine shows them\n")


def test_a_dry_run_that_would_be_held_exits_with_75_and_says_why(
    session: Session, workplace: Path, capsys: Capture
) -> None:
    assert run_program(["run", "--dry-run", "--min-free-ram", ALL_RAM, "--", "true"]) == 75
    assert "(min_free_ram_gb" in capsys.readouterr().out
    assert run_program(["run", "--dry-run", "--json", "--min-free-ram", ALL_RAM, "--", "true"]) == 75
    printed = json.loads(capsys.readouterr().out)
    assert printed["verdict"] == "held"
    assert "ram" in [reason["check"] for reason in printed["reasons"]]


def test_a_run_that_would_be_held_with_no_wait_leaves_no_record(
    session: Session, workplace: Path, capsys: Capture
) -> None:
    assert run_program(["run", "--no-wait", "--min-free-ram", ALL_RAM, "--", "true"]) == 75
    assert "not started, it would wait: " in capsys.readouterr().err
    assert os.listdir(session.home.runs) == os.listdir(session.home.active) == []


def test_a_dry_run_of_resume_changes_nothing(session: Session, runs: Runs, capsys: Capture) -> None:
    directory = runs.ended("abc", Status.FAILED, exit_code=1)
    run_program(["resume", "abc", "--dry-run"])
    assert "verdict" in capsys.readouterr().out
    assert directory.read().status is Status.FAILED
    assert run_program(["resume", "abc", "--no-wait", "--min-free-ram", ALL_RAM]) == 75
    assert directory.read().status is Status.FAILED


def test_a_name_that_is_not_valid_utf_8_is_printed_as_its_bytes(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    run_program(["--version"])
    output.line("caf\udce9")
    output.flush()
    assert b"caf\xe9\n" in capfdbinary.readouterr().out


def test_a_closed_stderr_does_not_end_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as closed, monkeypatch.context() as patched:
        patched.setattr("sys.stderr", closed)
        diagnostics.say("x" * 100_000)
        diagnostics.say("still alive")
        sys.stderr.close()
        os.dup2(os.open(os.devnull, os.O_WRONLY), closed.fileno())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--demo", "list"], "--demo shows a dashboard of its own; leave out 'list'"),
        (["list", "--demo"], "--demo shows a dashboard of its own; leave out 'list'"),
        (["--demo"], "--demo needs a terminal"),
        (["--read-only", "list"], "--read-only is for the dashboard; leave out 'list'"),
        (["--read-only"], "the dashboard cannot open"),
        (["--demo", "--no-ui"], "--demo needs a terminal"),
    ],
)
def test_the_demo_is_refused_where_it_cannot_be_shown(capsys: Capture, words: list[str], message: str) -> None:
    assert run_program(words, lambda *_: 0, lambda *_: 0) == 2
    assert message in capsys.readouterr().err


def test_the_log_of_internal_errors_is_private_and_has_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "faults.log"
    log.touch(mode=0o644)
    monkeypatch.setattr(
        sys, "argv", ["backprop-tui", "run", "--env", "HF_TOKEN=sekrit", "t.py", "--password", "sekrit"]
    )
    before = os.umask(0)
    try:
        assert diagnostics.keep_trace(ValueError("x"), str(log)) == str(log)
        assert diagnostics.keep_trace(ValueError("x"), str(tmp_path / "new")) == str(tmp_path / "new")
    finally:
        os.umask(before)
    assert [path.stat().st_mode & 0o777 for path in (log, tmp_path / "new")] == [0o600, 0o600]
    assert "HF_TOKEN=*** t.py --password ***" in log.read_text()
    assert "sekrit" not in log.read_text()
