"""Changes of a run's code since it was queued are reported: of its script, and of the commit of its directory."""

from __future__ import annotations

import hashlib
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from backprop_tui.domain.run import Code, Git
from backprop_tui.store.code_state import changes_since_queued, code_of, commit_of, digest_of
from tests.domain.runs import queued


def _git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    process = subprocess.run(["git", "-C", folder, *who, *words], capture_output=True, text=True, check=True)
    return process.stdout.strip()


def _commit(folder: Path, content: str) -> str:
    (folder / "train.py").write_text(content)
    _git(folder, "add", ".")
    _git(folder, "commit", "-q", "-m", content)
    return _git(folder, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    place = tmp_path / "repository"
    place.mkdir()
    _git(place, "init", "-q")
    return place


def test_the_script_of_a_command_line_is_the_first_file_with_a_script_extension(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("print(1)\n")
    command = ("torchrun", "--nproc-per-node", "2", "gone.py", "train.py", "other.py")
    code = code_of(None, command, str(tmp_path))
    assert code is not None
    assert code.path == str(tmp_path / "train.py")
    assert code.sha256 == hashlib.sha256(b"print(1)\n").hexdigest()
    assert code == code_of("train.py", ("python", "train.py"), str(tmp_path))
    assert code_of(None, ("true",), str(tmp_path)) is None


def test_pipes_directories_and_missing_files_have_no_digest(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.py")
    assert digest_of(str(tmp_path)) is None
    assert digest_of(str(tmp_path / "gone.py")) is None
    assert digest_of(str(tmp_path / "pipe.py")) is None  # at once


def test_a_changed_script_and_a_new_commit_are_reported(repository: Path) -> None:
    first = _commit(repository, "one")
    code = code_of("train.py", (), str(repository))
    assert code is not None
    run = replace(queued(), code=code, git=Git(commit=first, dirty=False))
    run = replace(run, spec=replace(run.spec, cwd=str(repository)))
    assert changes_since_queued(run) is None
    second = _commit(repository, "two")
    assert changes_since_queued(run) == (
        f"train.py changed since it was queued, git was at {first[:7]} when it was queued, is at {second[:7]}"
    )
    (repository / "train.py").unlink()
    assert changes_since_queued(replace(run, git=None)) is None


def test_nothing_known_means_nothing_changed() -> None:
    assert changes_since_queued(queued()) is None
    assert changes_since_queued(replace(queued(), code=Code(path="/gone", sha256="0"))) is None


def test_the_commit_is_read_without_git_however_it_is_stored(repository: Path, tmp_path: Path) -> None:
    assert commit_of(str(repository)) is None
    commit = _commit(repository, "one")
    (repository / "deep").mkdir()
    assert commit_of(str(repository / "deep")) == commit
    _git(repository, "pack-refs", "--all")
    assert commit_of(str(repository)) == commit
    _git(repository, "worktree", "add", "-q", str(tmp_path / "other"))
    assert commit_of(str(tmp_path / "other")) == commit
    _git(repository, "checkout", "-q", "--detach")
    assert commit_of(str(repository)) == commit
    _git(tmp_path, "init", "-q", "super")
    _git(tmp_path / "super", "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(repository), "inner")
    assert commit_of(str(tmp_path / "super" / "inner")) == commit


def test_a_damaged_repository_has_no_commit(repository: Path) -> None:
    (repository / ".git" / "HEAD").write_bytes(b"ref: \xff")
    assert commit_of(str(repository)) is None
    (repository / ".git" / "HEAD").write_text("ref: refs/heads/gone")
    assert commit_of(str(repository)) is None
