"""Stores under odd owners and hosts: every command says in a line what is wrong, ends, and loses nothing."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from backprop_tui.domain.errors import BrokenRecord
from backprop_tui.engine.unfinished_runs import UnfinishedRuns
from backprop_tui.store.home import Home
from backprop_tui.store.locks import try_lock
from backprop_tui.store.run_directory import RunDirectory
from tests.support.runs import Runs

REPOSITORY = Path(__file__).parents[2]
DRIVER = REPOSITORY / "tests" / "support" / "every_command.py"
USER, OTHER_USER = 31001, 31002  # have no accounts, which is no obstacle
IS_ROOT = os.geteuid() == 0
AS_USER = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups") if IS_ROOT else ()
HOST = "here"
SECONDS = 20.0  # a command that waits for nothing takes a fraction of a second, on a busy machine more
LONG_AGO = 1_700_000_000

LOOKING = (
    *("list", "list --json", "list --all", "list --handles", "status", "status --json", "status ended"),
    *("show ended", "logs ended", "logs queued", "export", "queue", "doctor", "doctor --json", "config show"),
    *("wait --all --timeout 0", "compare ended ended2", "--dry-run stop --all", "--dry-run run -- true"),
)
CHANGING = (
    *("edit ended --note x", "edit queued --priority 3", "queue hold", "queue release", "queue move queued --to 1"),
    *("run --detach -- true", "resume ended --detach", "stop queued", "pause queued", "continue queued"),
    *("clean --older-than 1h --yes", "remove ended2 --yes", "remove --lost --yes"),
)


@cache
def python() -> str:
    """A Python that the other user may run; the one of the tests may be in root's home."""
    for path in (sys.executable, shutil.which("python3", path="/usr/bin:/usr/local/bin:/bin")):
        code = "import sys; sys.exit(sys.version_info < (3, 11))"
        if path is None:
            continue
        try:
            if subprocess.run([*AS_USER, path, "-I", "-c", code], check=False, capture_output=True).returncode == 0:
                return path
        except OSError:
            continue
    pytest.skip("no Python 3.11 that another user may run")


@dataclass
class OddStore:
    """A store with an ended run, a queued one and another ended one; the test holds its lease."""

    folder: Path
    home: Home
    runs: Runs
    environment: dict[str, str] = field(default_factory=dict)

    def hand_over(self) -> None:
        """Makes everything the other user's, if the tests run as root."""
        if IS_ROOT:
            for folder, names, files in os.walk(self.folder):
                for name in (".", *names, *files):
                    os.chown(os.path.join(folder, name), USER, USER)

    def obey(self, *lines: str, user: Sequence[str] = AS_USER) -> dict[str, dict[str, Any]]:
        """The results of command lines by the line."""
        command = [
            *user,
            python() if user else sys.executable,
            "-B",
            str(DRIVER),
            str(REPOSITORY),
            json.dumps([line.split() for line in lines]),
        ]
        finished = subprocess.run(
            command, env=self.environment, cwd=self.folder, capture_output=True, text=True, check=False, timeout=120
        )
        assert finished.returncode == 0, finished.stderr
        return {" ".join(result["words"]): result for result in json.loads(finished.stdout)}

    def files(self) -> dict[str, tuple[int, int]]:
        """The owner and the modification time of every file and directory."""
        paths = [
            os.path.join(folder, name) for folder, *both in os.walk(self.home.root) for name in (*both[0], *both[1])
        ]
        return {path: (os.lstat(path).st_uid, os.lstat(path).st_mtime_ns) for path in paths}


def check_all(results: dict[str, dict[str, Any]]) -> None:
    for line, result in results.items():
        printed = result["out"] + result["err"]
        assert result["code"] != 70, (line, printed)
        assert "internal error" not in printed, (line, printed)
        assert "Traceback" not in printed, (line, printed)
        assert "[Errno" not in printed, (line, printed)
        assert result["seconds"] < SECONDS, line


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[OddStore]:
    folder = Path(tempfile.mkdtemp(prefix="odd-store-"))  # pytest's own are closed to other users
    folder.chmod(0o755)
    monkeypatch.setenv("BACKPROP_HOME", str(folder / "home"))
    home = Home(str(folder / "home"), HOST)
    home.prepare()
    config = folder / "config" / "backprop"
    config.mkdir(parents=True)
    (config / "config.toml").write_text('[gpu]\nprobe = "none"\n')
    runs = Runs(home)
    for run_id in ("ended", "ended2"):
        runs.ended(run_id)
        os.unlink(home.marker(run_id))  # as if it were indexed: `remove` waits for that
    runs.queued("queued")
    environment = {
        "PATH": os.defpath,
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "BACKPROP_HOME": home.root,
        "BACKPROP_HOST": HOST,
        "TERM": "dumb",
    }
    lease = try_lock(home.supervisor_lock)
    assert lease is not None
    try:
        with lease:
            yield OddStore(folder, home, runs, environment)
    finally:
        subprocess.run(["chmod", "-R", "u+rwX", str(folder)], check=True)
        shutil.rmtree(folder)


def leave_files_of_root(store: OddStore) -> str | None:
    """As `sudo -E backprop-tui run` left them in earlier versions."""
    if not IS_ROOT:
        return "only root can make files of root"
    Path(store.home.index).write_text("{}")
    Path(store.home.recent).write_text("{}")
    os.mkfifo(store.home.bell)
    for name in ("governor.json", "readings.json", "supervisor.log", "sampler.log", "tokens", "learned.json"):
        Path(store.home.host_file(name)).write_text("{}")
    for folder in (store.home.root, store.home.host_folder, store.home.runs + "/ended"):
        for entry in os.scandir(folder):
            if not entry.is_dir() and entry.name != "run.json":
                os.chown(entry.path, 0, 0)
                os.chmod(entry.path, 0o600)
    return None


def close_files(store: OddStore) -> None:
    Path(store.home.index).write_text("{}")
    for folder in (store.home.root, store.home.host_folder, store.home.runs + "/ended"):
        for entry in os.scandir(folder):
            if not entry.is_dir():
                os.chmod(entry.path, 0)


def leave_a_run_of_root(store: OddStore) -> str | None:
    if not IS_ROOT:
        return "only root can make a run of root"
    store.runs.queued("roots")
    return None


def close_a_run(store: OddStore) -> None:
    os.chmod(store.home.run_folder("queued"), 0)


def close_the_store_for_writing(store: OddStore) -> None:
    for folder, *_ in os.walk(store.home.root):
        os.chmod(folder, 0o500)


def add_runs_of_a_dead_host(store: OddStore) -> None:
    dead_host(store)


def dead_host(store: OddStore) -> RunDirectory:
    """A run that another boot of another host left running, and one that is queued there."""
    there = Runs(Home(store.home.root, "gone"))
    there.home.prepare()
    there.queued("queued-there", created_at=LONG_AGO)
    guardian = there.guarded("far", created_at=LONG_AGO)
    attempt = replace(guardian.run.attempt, boot_id="another")
    guardian.edits(guardian.run.with_attempt(attempt))
    guardian.dies()
    for path in (guardian.directory.live_path, there.home.supervisor_lock):
        Path(path).touch()
        os.utime(path, (LONG_AGO, LONG_AGO))
    return guardian.directory


@pytest.mark.parametrize(
    "spoil",
    [
        leave_files_of_root,
        close_files,
        leave_a_run_of_root,
        close_a_run,
        close_the_store_for_writing,
        add_runs_of_a_dead_host,
    ],
)
def test_every_command_ends_in_words_and_nothing_is_lost(
    store: OddStore, spoil: Callable[[OddStore], str | None]
) -> None:
    leaves_root = spoil in (leave_files_of_root, leave_a_run_of_root)
    if leaves_root:
        store.hand_over()
    reason = spoil(store)
    if reason is not None:
        pytest.skip(reason)
    if not leaves_root:
        store.hand_over()
    results = store.obey(*LOOKING, *CHANGING)
    check_all(results)
    assert results["doctor"]["code"] in (0, 1)
    subprocess.run(["chmod", "-R", "u+rwX", store.home.root], check=True)
    for run_id in ("ended", "queued"):
        assert os.stat(RunDirectory(store.home.run_folder(run_id)).record_path).st_size > 0


def test_files_of_root_are_set_aside_once_and_the_index_is_rebuilt(store: OddStore) -> None:
    store.hand_over()
    if leave_files_of_root(store) is not None:
        pytest.skip("only root can make files of root")
    before = store.obey("doctor")["doctor"]
    assert f"sudo chown -R {USER} {store.home.index}" in before["out"]
    results = store.obey("list --all")
    assert "ended" in results["list --all"]["out"]
    assert results["list --all"]["err"].count("\n") == 1
    assert "experiments.json.of-root" in results["list --all"]["err"]
    results = store.obey("list --all", "remove ended2 --yes", "list")
    assert results["list --all"]["err"] == ""
    assert results["remove ended2 --yes"]["code"] == 0, results
    assert set(json.loads(Path(store.home.index).read_text())["experiments"]) >= {"ended"}
    assert os.stat(store.home.index).st_uid == USER


def test_files_without_any_permission_are_opened_again(store: OddStore) -> None:
    close_files(store)
    store.hand_over()
    results = store.obey("show ended", "list --all")
    assert "run.json: Permission denied, it has mode 000; chmod -R u+rwX" in results["show ended"]["err"]
    assert results["show ended"]["code"] == 73
    assert stat.S_IMODE(os.stat(store.home.index).st_mode) == 0o600


@pytest.mark.parametrize("spoil", [leave_a_run_of_root, close_a_run])
def test_a_closed_run_is_left_out_with_the_command_that_opens_it(
    store: OddStore, spoil: Callable[[OddStore], str | None]
) -> None:
    store.hand_over()
    if spoil(store) is not None:
        pytest.skip("only root can make a run of root")
    results = store.obey("list", "status", "doctor", "run --detach -- true")
    closed = "roots" if spoil is leave_a_run_of_root else "queued"
    command = f"sudo chown -R {USER}" if spoil is leave_a_run_of_root else "chmod -R u+rwX"
    for line in ("list", "status"):
        assert results[line]["code"] == 0
        record = RunDirectory(store.home.run_folder(closed)).record_path
        assert f"1 unreadable record: {record}: Permission denied" in results[line]["err"]
        assert f"{command} {store.home.run_folder(closed)}" in results[line]["err"]
    assert command in results["doctor"]["out"]
    assert results["run --detach -- true"]["code"] == 0


@pytest.mark.skipif(not IS_ROOT, reason="only root can make a directory of root")
@pytest.mark.parametrize(
    ("closed", "command"), [("roots", f"sudo chown -R {USER} "), ("roots/inner", "ask root for access to ")]
)
def test_a_store_in_a_closed_directory_of_root(store: OddStore, closed: str, command: str) -> None:
    folder = store.folder / closed
    folder.mkdir(parents=True)
    shutil.move(store.home.root, folder / "home")
    store.environment["BACKPROP_HOME"] = str(folder / "home")
    store.hand_over()
    for path in (folder, store.folder / "roots"):
        os.chown(path, 0, 0)
    folder.chmod(0o700)
    results = store.obey("list", "run --detach -- true", "doctor")
    assert f"{folder} belongs to root; {command}{folder}, or set BACKPROP_HOME" in results["list"]["err"]
    for result in results.values():
        assert f"{folder} " in result["out"] + result["err"]
        assert "nothing is lost" not in result["out"]
        assert "chown" not in result["out"] + result["err"] or "chown" in command


@pytest.mark.skipif(not IS_ROOT, reason="only root can write into the store of another user")
def test_root_looks_at_the_store_of_another_user_and_changes_nothing(store: OddStore) -> None:
    store.hand_over()
    before = store.files()
    results = store.obey(*LOOKING, *(line for line in CHANGING if line != "clean --older-than 1h --yes"), user=())
    check_all(results)
    assert store.files() == before
    for line in LOOKING:
        assert results[line]["code"] in (0, 1, 75, 124), results[line]
    for line in ("run --detach -- true", "stop queued", "resume ended --detach", "remove ended2 --yes", "queue hold"):
        assert results[line]["code"] == 73
        assert f"belongs to uid {USER}" in results[line]["err"]
        assert f"sudo -u '#{USER}' backprop-tui" in results[line]["err"]
        assert "BACKPROP_HOME" in results[line]["err"]
    assert f"belongs to uid {USER}; as root you can look" in results["doctor"]["out"]
    refused = store.obey("config set max_parallel 3", user=())["config set max_parallel 3"]
    assert refused["code"] == 2
    assert f"belongs to uid {USER}" in refused["err"]


@pytest.mark.skipif(not IS_ROOT, reason="only root can write into the home of another user")
def test_root_makes_no_store_in_the_home_of_another_user_unless_the_variable_names_it(store: OddStore) -> None:
    shutil.rmtree(store.home.root)
    store.hand_over()
    del store.environment["BACKPROP_HOME"]
    results = store.obey("run --detach -- true", "doctor", user=())
    assert (results["run --detach -- true"]["code"], os.path.exists(store.folder / ".local")) == (73, False)
    assert f"belongs to uid {USER}; as root you can look" in results["doctor"]["out"]
    store.environment["BACKPROP_HOME"] = store.home.root
    home = Home(store.home.root, HOST)
    assert home.foreign_owner() is None
    home.prepare()
    assert home.foreign_owner() is None


def test_a_run_of_a_dead_host_is_given_up_with_words(store: OddStore) -> None:
    dead_host(store)
    store.hand_over()
    lines = ("list", "wait far --timeout 0", "stop far", "edit far --max-minutes 5", "remove far --yes")
    results = store.obey(*lines, "stop queued-there", "remove --lost far --yes", "remove --lost", "list")
    check_all(results)
    assert "on gone, not seen since " in results["wait far --timeout 0"]["err"]
    for line in ("stop far", "edit far --max-minutes 5"):
        assert results[line]["code"] == 2
        assert results[line]["seconds"] < 8
        for words in ("on gone, not seen since", "The request is recorded", "BACKPROP_HOST=gone", "remove --lost far"):
            assert words in results[line]["err"]
    assert "backprop-tui remove --lost far" in results["remove far --yes"]["err"]
    assert results["stop queued-there"]["code"] == 0
    assert results["remove --lost far --yes"]["out"].startswith("far far: removed\n")
    assert "no run is lost" in results["remove --lost"]["err"]
    assert "far " not in results["list"]["out"]


def test_all_waits_only_for_hosts_that_are_seen(store: OddStore) -> None:
    dead_host(store)
    os.unlink(store.home.marker("queued"))
    store.hand_over()
    result = store.obey("wait --all")["wait --all"]
    assert result["code"] == 0
    assert "is not waited for" in result["err"]


def test_a_host_that_was_just_seen_is_not_given_up(store: OddStore) -> None:
    directory = dead_host(store)
    os.utime(directory.live_path)
    store.hand_over()
    results = store.obey("remove --lost far --yes", "remove --lost queued --yes", "remove --lost ended --yes", "list")
    assert [result["code"] for result in results.values()] == [2, 2, 2, 0]
    assert "gone was seen" in results["remove --lost far --yes"]["err"]
    assert "it belongs to this machine; stop it first" in results["remove --lost queued --yes"]["err"]
    assert "it has ended (completed)" in results["remove --lost ended --yes"]["err"]
    assert "on gone\n" in results["list"]["out"]


@pytest.mark.parametrize("name", ["../up", ".hidden", "two words", "x" * 65])
def test_a_host_that_cannot_name_a_directory_is_refused(store: OddStore, name: str) -> None:
    store.environment["BACKPROP_HOST"] = name
    result = store.obey("list", user=())["list"]
    assert result["code"] == 2
    assert f"BACKPROP_HOST={name!r}: use 1 to 64 characters" in result["err"]


@pytest.mark.skipif(not IS_ROOT, reason="only root can make a directory of root")
def test_a_directory_of_root_that_can_be_made_again_is_set_aside(store: OddStore) -> None:
    store.hand_over()
    store.environment["BACKPROP_HOST"] = "fresh"
    home = Home(store.home.root, "fresh")
    os.mkdir(home.host_folder, 0o700)
    os.chown(home.new, 0, 0)
    result = store.obey("queue hold")["queue hold"]
    assert result["code"] == 0
    assert f"set aside: {home.new}.of-root, {home.host_folder}.of-root" in result["err"]
    assert os.stat(home.host_folder).st_uid == USER
    os.chown(home.keys, 0, 0)
    result = store.obey("run --detach -- true")["run --detach -- true"]
    assert result["code"] == 73
    assert f"{home.keys} is not writable by you, it belongs to root; sudo chown -R {USER} {home.keys}" in result["err"]


def open_to_all(store: OddStore) -> None:
    os.chmod(store.home.root, 0o777)


def open_the_runs_to_all(store: OddStore) -> None:
    os.chmod(store.home.runs, 0o777)


def lies_in_a_directory_of_another_user(store: OddStore) -> str | None:
    folder = store.folder / "theirs"
    folder.mkdir()
    folder.chmod(0o1777)
    shutil.move(store.home.root, folder / "home")
    store.environment["BACKPROP_HOME"] = str(folder / "home")
    if IS_ROOT:
        os.chown(folder, OTHER_USER, OTHER_USER)
    return None if IS_ROOT else "only root can make a directory of another user"


def is_of_another_user(store: OddStore) -> str | None:
    if IS_ROOT:
        os.chmod(store.home.root, 0o755)
        os.chown(store.home.root, OTHER_USER, OTHER_USER)
    return None if IS_ROOT else "only root can make a directory of another user"


def has_settings_that_all_may_write(store: OddStore) -> None:
    (store.folder / "config" / "backprop" / "config.toml").chmod(0o666)


@pytest.mark.parametrize(
    "spoil",
    [
        open_to_all,
        open_the_runs_to_all,
        lies_in_a_directory_of_another_user,
        is_of_another_user,
        has_settings_that_all_may_write,
    ],
)
def test_what_another_user_could_change_is_refused_unless_a_variable_allows_it(
    store: OddStore, spoil: Callable[[OddStore], str | None]
) -> None:
    store.hand_over()
    problem = spoil(store)
    if problem is not None:
        pytest.skip(problem)
    results = store.obey("list", "run --dry-run -- true", "run --detach -- true", "doctor", "--version")
    is_config = spoil is has_settings_that_all_may_write
    for line in ("list", "run --dry-run -- true", "run --detach -- true"):
        assert results[line]["code"] == (0 if is_config and line == "list" else 76), results[line]
    assert ("chmod go-w" if is_config else "BACKPROP_ALLOW_SHARED=1") in results["run --detach -- true"]["err"]
    assert is_config or results["doctor"]["code"] == 1, results["doctor"]
    assert results["--version"]["code"] == 0
    store.environment["BACKPROP_ALLOW_SHARED"] = "1"
    assert store.obey("list")["list"]["code"] == 0


@pytest.mark.skipif(not IS_ROOT, reason="only root can make a run of another user")
def test_a_run_that_another_user_put_there_is_never_started(store: OddStore) -> None:
    folder = store.home.run_folder("queued")
    os.chown(folder, OTHER_USER, OTHER_USER)
    result = store.obey("status queued", user=())["status queued"]
    assert result["code"] == 76
    assert f"{folder}: belongs to uid {OTHER_USER}, so it is not used" in result["err"]
    unfinished = UnfinishedRuns(store.home)
    unfinished.refresh()
    assert unfinished.runs() == []
    os.chown(folder, 0, 0)
    os.chown(f"{folder}/run.json", OTHER_USER, OTHER_USER)
    with pytest.raises(BrokenRecord, match=f"run.json: belongs to uid {OTHER_USER}"):
        RunDirectory(folder).read()


@pytest.mark.skipif(not IS_ROOT, reason="only root can use the settings of another user")
def test_root_executes_nothing_because_of_the_settings_of_another_user(store: OddStore) -> None:
    os.chown(store.folder / "config" / "backprop" / "config.toml", OTHER_USER, OTHER_USER)
    result = store.obey("run --detach -- true", user=())["run --detach -- true"]
    assert result["code"] == 76
    assert f"config.toml: it belongs to uid {OTHER_USER}" in result["err"]
