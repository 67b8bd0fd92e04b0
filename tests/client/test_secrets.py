"""The secrets of a run are in its environment file alone, and every start gets them."""

from __future__ import annotations

import os
import re
import stat
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from backprop_tui.cli.commands.run import parse_request
from backprop_tui.client.rerun import change_queued, with_secrets_of
from backprop_tui.client.resume import queue_again
from backprop_tui.client.run_request import RunOptions
from backprop_tui.client.session import ClientSession
from backprop_tui.client.submit import submit
from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.run import Ended, Run
from backprop_tui.domain.status import Status
from backprop_tui.store import index
from backprop_tui.store.run_directory import RunDirectory
from tests.support.commands import Commands

ARGUMENTS = ("--password", "sekrit2", "--lr", "1")
WORDS = ("--python", sys.executable, "--env", "MY_PASSPHRASE=sekrit1", "train.py", "--", *ARGUMENTS)

pytestmark = pytest.mark.usefixtures("script")


@pytest.fixture
def script(workplace: Path) -> None:
    (workplace / "train.py").write_text("parser.add_argument('--fast', action='store_true')\n")


@pytest.fixture
def obey(capsys: pytest.CaptureFixture[str]) -> Commands:
    return Commands(capsys)


def _queued(session: ClientSession, *words: str) -> RunDirectory:
    (run_id,) = submit(session, parse_request(words or WORDS))
    return RunDirectory(session.home.run_folder(run_id))


def _end(directory: RunDirectory, session: ClientSession) -> Run:
    run = directory.read().to(Ended(at=1.0, status=Status.STOPPED))
    directory.write(run, durable=False)
    directory.delete_environment(run)
    index.update(session.home, {run.id: directory.shown()})
    return run


def _files_with(session: ClientSession, pattern: str) -> dict[str, int]:
    """The files of the store with such text, and their modes."""
    paths = [path for path in Path(session.home.root).rglob("*") if path.is_file()]
    matching = [path for path in paths if re.search(pattern.encode(), path.read_bytes())]
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in matching}


def _given(directory: RunDirectory) -> tuple[str, str | None]:
    """The secrets that the script gets."""
    command = directory.true_command(directory.read().spec.command)
    return command[command.index("--password") + 1], directory.read_environment().get("MY_PASSPHRASE")


def test_secrets_are_in_the_environment_file_alone(session: ClientSession, obey: Commands) -> None:
    directory = _queued(session)
    assert _files_with(session, "sekrit") == {"environment": 0o600}
    assert directory.read().spec.command[2:] == ("--password", "***", "--lr", "1")
    assert _given(directory) == ("sekrit2", "sekrit1")
    assert "BACKPROP_HIDDEN_WORDS" not in directory.read_environment()
    run = _end(directory, session)
    assert _files_with(session, "sekrit") == {"environment": 0o600}
    assert "PATH" not in directory.read_environment()
    for words in (
        ["list", "--json"],
        ["status", run.id],
        ["show", run.id],
        ["export"],
        ["resume", "--dry-run", run.id],
    ):
        result = obey(*words)
        assert "sekrit" not in result.out + result.err
    assert "--password '***'" in obey("status", run.id).out


def test_a_resumed_run_gets_its_secrets(session: ClientSession) -> None:
    directory = _queued(session)
    for _ in range(2):
        run = _end(directory, session)
        queue_again(session, run.id, RunOptions())
        assert _given(directory) == ("sekrit2", "sekrit1")
    assert _files_with(session, "sekrit") == {"environment": 0o600}


def test_a_secret_that_is_gone_is_asked_for(session: ClientSession) -> None:
    directory = _queued(session)
    run = _end(directory, session)
    os.unlink(directory.environment_path)
    with pytest.raises(UsageError) as refused:
        queue_again(session, run.id, RunOptions())
    assert "the value of --password is not in" in refused.value.message
    assert refused.value.hint == f"give it again: backprop-tui run --like {run.id} -- --password VALUE"
    with pytest.raises(UsageError, match=r"--password: \*\*\* stands for a value"):
        submit(session, parse_request(["--like", run.id]))
    again = _queued(session, "--like", run.id, "--", "--password", "sekrit3")
    assert _given(again)[0] == "sekrit3"


def test_a_run_like_another_gets_its_secrets(session: ClientSession) -> None:
    first = _queued(session)
    for is_ended in (False, True):
        if is_ended:
            _end(first, session)
        second = _queued(session, "--like", first.read().id, "--", "--lr", "2")
        assert _given(second) == ("sekrit2", "sekrit1")
        assert second.read().spec.command[-1] == "2"


def test_a_changed_run_keeps_its_secrets(session: ClientSession) -> None:
    directory = _queued(session)
    words = ["--python", sys.executable, "train.py", "--", "--password", "***", "--lr", "7"]
    change_queued(session, directory.read().id, parse_request(words))
    assert _given(directory) == ("sekrit2", "sekrit1")
    assert directory.read().spec.command[-1] == "7"
    assert _files_with(session, "sekrit") == {"environment": 0o600}


def test_a_record_of_an_earlier_version_is_shown_without_its_secrets_and_starts_with_them(
    session: ClientSession, obey: Commands
) -> None:
    directory = _queued(session)
    run_id = directory.read().id
    record = Path(directory.record_path)
    record.write_text(record.read_text().replace("***", "sekrit2"))
    Path(directory.environment_path).write_text('{"MY_PASSPHRASE": "sekrit1"}')
    assert _given(directory) == ("sekrit2", "sekrit1")
    assert "sekrit" not in obey("status", run_id).out + obey("list", "--json").out
    like = with_secrets_of(session, run_id, parse_request(["train.py", "--", "--password", "***"]))
    assert like.arguments == ("--password", "sekrit2")
    directory.write(replace(directory.read(), priority=1), durable=False)  # as the next guardian does
    assert _given(directory) == ("sekrit2", "sekrit1")
    assert _files_with(session, "sekrit2") == {"environment": 0o600}


def test_an_index_of_an_earlier_version_is_shown_without_secrets(session: ClientSession) -> None:
    run = _end(_queued(session), session)
    for path in map(Path, (session.home.index, session.home.recent)):
        path.write_text(path.read_text().replace("***", "sekrit2"))
    assert "***" in index.read_recent(session.home)[run.id]["command"]
    assert "***" in index.read_newest(session.home)[run.id]["command"]


def test_a_sweep_has_no_secret_in_its_names(session: ClientSession) -> None:
    assert len(submit(session, parse_request(["--sweep", "api_key=sekrit1,sekrit2", "train.py"]))) == 2
    assert _files_with(session, "sekrit") == {"environment": 0o600}


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_dry_run_shows_no_secret(options: tuple[str, ...], obey: Commands) -> None:
    shown = obey("run", "--dry-run", *options, *WORDS).out
    assert "sekrit" not in shown
    assert "***" in shown
