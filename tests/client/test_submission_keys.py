"""The same submission key with another command, options or script is refused, with the difference."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from backprop_tui.cli.commands.run import parse_request
from backprop_tui.client.session import ClientSession
from backprop_tui.client.submit import submit
from backprop_tui.domain.errors import UsageError
from tests.support.commands import Commands

KEY = ("--key", "nightly", "--python", sys.executable)
FIRST = (*KEY, "-m", "5", "train.py", "--", "--lr", "0.1", "data")


@pytest.fixture(autouse=True)
def script(workplace: Path) -> Path:
    path = workplace / "train.py"
    path.write_text("print()\n")
    (workplace / "other.py").write_text("print()\n")
    return path


def _submitted(session: ClientSession, *words: str) -> list[str]:
    return submit(session, parse_request(words))


@pytest.mark.parametrize(
    ("words", "difference"),
    [
        ((*FIRST[:-2], "0.2", "data"), "another command: '--lr 0.1' there, '--lr 0.2' here"),
        ((*FIRST[:-1], "more"), "another command: 'data' there, 'more' here"),
        ((*FIRST, "--amp"), "another command: no --amp there, '--amp' here"),
        ((*KEY, "-m", "6", *FIRST[6:]), "other options: max_run_minutes 5 there, max_run_minutes 6 here"),
        ((*KEY, "--priority", "3", *FIRST[4:]), "other options: priority 0 there, priority 3 here"),
        ((*KEY, "--env", "A=1", *FIRST[4:]), "other options: no --env A there, --env A 1 here"),
        ((*KEY, "-m", "5", "other.py", *FIRST[7:]), "another command: script"),
        ((*KEY, "--sweep", "seed=1,2", *FIRST[4:]), "used before for 1 run, and this makes 2"),
        ((*FIRST[:6], "--cwd", "/", *FIRST[6:]), "other options: directory"),
    ],
)
def test_another_request_is_refused(session: ClientSession, words: tuple[str, ...], difference: str) -> None:
    (run_id,) = _submitted(session, *FIRST)
    with pytest.raises(UsageError) as refused:
        _submitted(session, *words)
    assert "--key nightly: used" in str(refused.value)
    assert difference in str(refused.value)
    assert _submitted(session, *FIRST) == [run_id]


def test_another_version_of_the_script_is_refused(session: ClientSession, script: Path) -> None:
    _submitted(session, *FIRST)
    script.write_text("print(2)\n")
    with pytest.raises(UsageError, match="another version of its script"):
        _submitted(session, *FIRST)


def test_the_module_of_a_command_line_is_its_script(session: ClientSession, script: Path) -> None:
    words = ("--key", "k", "--", sys.executable, "-m", "train")
    (run_id,) = _submitted(session, *words)
    assert _submitted(session, *words) == [run_id]
    script.write_text("print(2)\n")
    with pytest.raises(UsageError, match="another version of its script"):
        _submitted(session, *words)


def test_what_changes_by_itself_is_not_compared(
    session: ClientSession, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("--key", "k", "--sweep", "seed=1,2", "--env", "MY_TOKEN=a", "--after", "first", *FIRST[4:])
    (first,) = _submitted(session, "--name", "first", "--", "true")
    run_ids = _submitted(session, *words)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    monkeypatch.setenv("OTHER", "2")
    import shutil

    shutil.rmtree(session.home.run_folder(first))  # what it waited for is gone
    assert _submitted(session, *words) == run_ids


def test_a_key_that_an_older_version_recorded_is_not_compared(session: ClientSession, workplace: Path) -> None:
    import os

    (run_id,) = _submitted(session, *FIRST)
    (path,) = [entry.path for entry in os.scandir(session.home.keys) if not entry.name.endswith(".lock")]
    Path(path).write_text(run_id)
    assert _submitted(session, *FIRST, "--amp") == [run_id]


def test_the_command_exits_with_2_and_an_edited_run_is_still_the_same(
    session: ClientSession, capsys: pytest.CaptureFixture[str]
) -> None:
    obey = Commands(capsys)
    queued = obey("run", "-d", *FIRST)
    run_id = queued.out.strip()
    assert obey("edit", run_id, "--name", "renamed", "--max-minutes", "60").code == 0
    assert obey("run", "-d", *FIRST).out.strip() == run_id
    refused = obey("run", "-d", *FIRST, "--amp")
    assert (refused.code, refused.out) == (2, "")
    assert f"used for run {run_id} with another command: no --amp there, '--amp' here" in refused.err
