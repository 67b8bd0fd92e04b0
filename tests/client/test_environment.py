"""What a run captures of the shell in which it is queued."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from backprop_tui.client.environment import GitQuery, captured_environment, captured_process, visible_gpus
from backprop_tui.domain.run import Git


def test_the_environment_is_that_of_this_shell_with_additions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEPT", "1")
    monkeypatch.setenv("CHANGED", "old")
    captured = captured_environment(os.environ, [("CHANGED", "new"), ("ADDED", "2")], "/some/where")
    assert (captured["KEPT"], captured["CHANGED"], captured["ADDED"], captured["PWD"]) == (
        "1",
        "new",
        "2",
        "/some/where",
    )


def test_the_umask_is_captured_and_not_changed() -> None:
    before = os.umask(0o027)
    try:
        assert captured_process().umask == 0o027
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)


def test_every_limit_is_captured_under_one_name() -> None:
    limits = {name: (soft, hard) for name, soft, hard in captured_process().rlimits}
    assert limits["RLIMIT_NOFILE"] == resource.getrlimit(resource.RLIMIT_NOFILE)
    assert "RLIMIT_OFILE" not in limits


def test_niceness_is_captured() -> None:
    code = "import os; os.nice(3); from backprop_tui.client.environment import captured_process as c; print(c().nice)"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(finished.stdout) == os.nice(0) + 3


@pytest.mark.parametrize(
    ("value", "seen"),
    [(None, None), ("", ()), ("0,2", ("0", "2")), ("GPU-a, 1", ("GPU-a", "1")), ("0,-1,2", ("0",)), ("-1", ())],
)
def test_an_inherited_choice_of_gpus_is_read_as_by_cuda(value: str | None, seen: tuple[str, ...] | None) -> None:
    assert visible_gpus({} if value is None else {"CUDA_VISIBLE_DEVICES": value}) == seen


def _git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    finished = subprocess.run(["git", "-C", folder, *who, *words], capture_output=True, text=True, check=True)
    return finished.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    _git(tmp_path, "init", "-q")
    (tmp_path / "train.py").write_text("1")
    (tmp_path / "inner").mkdir()
    _git(tmp_path, "add", ".")
    _git(tmp_path, "commit", "-q", "-m", "one")
    return tmp_path


def test_the_commit_is_known_anywhere_in_a_repository(repository: Path) -> None:
    git = GitQuery(str(repository / "inner")).answer()
    assert git is not None
    assert (git.commit, git.dirty) == (_git(repository, "rev-parse", "HEAD"), False)


def test_changes_are_detected_and_untracked_files_ignored(repository: Path) -> None:
    (repository / "new").write_text("")
    assert (git := GitQuery(str(repository)).answer()) is not None
    assert not git.dirty
    (repository / "train.py").write_text("22")
    assert (git := GitQuery(str(repository)).answer()) is not None
    assert git.dirty


def test_without_repository_commit_or_git_there_is_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert GitQuery(str(tmp_path)).answer() is None
    _git(tmp_path, "init", "-q")
    assert GitQuery(str(tmp_path)).answer() is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert GitQuery(str(tmp_path)).answer() is None


def test_a_git_that_hangs_is_killed(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = repository / "tools"
    tools.mkdir()
    (tools / "git").write_text("#!/bin/sh\nexec sleep 60\n")
    (tools / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setattr("backprop_tui.client.environment.GIT_SECONDS", 0.05)
    head = (repository / ".git" / "refs" / "heads").iterdir()
    commit = next(head).read_text().strip()
    assert GitQuery(str(repository)).answer() == Git(commit=commit, dirty=None)


def test_without_git_the_commit_is_known_and_changes_are_not(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = _git(repository, "rev-parse", "HEAD")
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    assert GitQuery(str(repository)).answer() == Git(commit=commit, dirty=None)


def test_a_changed_submodule_is_a_change(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outer = tmp_path_factory.mktemp("outer")
    _git(outer, "init", "-q")
    _git(outer, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(repository), "lib")
    _git(outer, "commit", "-q", "-m", "with lib")
    assert (git := GitQuery(str(outer)).answer()) is not None
    assert git == Git(commit=_git(outer, "rev-parse", "HEAD"), dirty=False)
    (outer / "lib" / "train.py").write_text("22")
    assert (git := GitQuery(str(outer)).answer()) is not None
    assert git.dirty


@pytest.mark.parametrize("where", ["fsmonitor", "hooks", "filter", "include", "submodule"])
def test_what_a_repository_names_is_not_executed(repository: Path, tmp_path: Path, where: str) -> None:
    evil, trace = tmp_path / "evil.sh", tmp_path / "executed"
    evil.write_text(f"#!/bin/sh\ntouch {trace}\n")
    evil.chmod(0o755)
    commit = _git(repository, "rev-parse", "HEAD")
    if where == "fsmonitor":
        _git(repository, "config", "core.fsmonitor", str(evil))
    elif where == "hooks":
        (repository / ".git" / "hooks" / "post-index-change").symlink_to(evil)
    elif where == "filter":
        _git(repository, "config", "filter.x.clean", str(evil))
        (repository / ".git" / "info" / "attributes").write_text("* filter=x\n")
    elif where == "include":
        (repository / "more").write_text(f'[filter "x"]\nclean = {evil}\n')
        _git(repository, "config", "include.path", str(repository / "more"))
        (repository / ".git" / "info" / "attributes").write_text("* filter=x\n")
    else:
        inner = repository / "module"
        inner.mkdir()
        _git(inner, "init", "-q")
        (inner / "a").write_text("1")
        _git(inner, "add", ".")
        _git(inner, "commit", "-q", "-m", "inner")
        _git(repository, "-c", "advice.addEmbeddedRepo=false", "add", "module")
        _git(inner, "config", "filter.x.clean", str(evil))
        (inner / ".git" / "info" / "attributes").write_text("* filter=x\n")
        os.utime(inner / "a", (1, 1))
    os.utime(repository / "train.py", (1, 1))  # git has to look at its content
    answer = GitQuery(str(repository)).answer()
    assert answer is not None
    assert answer.commit == commit
    assert not trace.exists()
    _git(repository, "status", "--ignore-submodules=none")
    assert trace.exists() or where == "hooks", "git itself executes it"


def test_variables_of_git_do_not_reach_it(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    assert GitQuery(str(repository)).answer() is not None
