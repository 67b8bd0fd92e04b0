"""The version of a run's code: a digest of its script, the git commit, and what has changed since it was queued."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from backprop_tui.domain.run import Code, Run
from backprop_tui.processes.regular_files import read_regular

try:
    # As `random` does: hashlib loads OpenSSL, which a guardian does not need otherwise.
    from _sha256 import sha256  # type: ignore[import-not-found]
except ImportError:
    from hashlib import sha256

MAX_BYTES = 4 << 20  # of a script; the rest is ignored
_MAX_REFS_BYTES = 4 << 20
_SCRIPTS = (".py", ".sh")


def code_of(script: str | None, command: Sequence[str], cwd: str) -> Code | None:
    """Returns the script, or the first script in a command line; None if there is none that can be read."""
    scripts = [word for word in command if word.endswith(_SCRIPTS)] if script is None else [script]
    for name in scripts:
        path = os.path.join(cwd, name)
        digest = digest_of(path)
        if digest is not None:
            return Code(path=path, sha256=digest)
    return None


def digest_of(path: str) -> str | None:
    """Returns the SHA-256 of the beginning of a file in hexadecimal; None if it cannot be read."""
    try:
        digest: str = sha256(read_regular(path, MAX_BYTES, cut=True)).hexdigest()
    except OSError:
        return None
    return digest


def changes_since_queued(run: Run) -> str | None:
    """Returns what has changed since the run was queued, as text; None if nothing, or nothing is known."""
    return ", ".join(_changes(run)) or None


def _changes(run: Run) -> Iterator[str]:
    if run.code is not None:
        now = digest_of(run.code.path)
        if now is not None and now != run.code.sha256:
            yield f"{os.path.basename(run.code.path)} changed since it was queued"
    if run.git is not None:
        commit = commit_of(run.spec.cwd)
        if commit is not None and commit != run.git.commit:
            yield f"git was at {run.git.commit[:7]} when it was queued, is at {commit[:7]}"


def commit_of(folder: str) -> str | None:
    """Returns the commit of a working tree without running git; None if there is none or it is not in plain files.

    See gitrepository-layout(5): `.git` may be a file that names the directory, as in worktrees and submodules.
    """
    try:
        directory = _git_directory(folder)
        return None if directory is None else _resolved(directory, _text(os.path.join(directory, "HEAD")))
    except (OSError, UnicodeDecodeError):
        return None


def executes_programs(folder: str) -> bool:
    """Whether `git status` may execute a program that the repository names: a filter, or something in another file.

    A repository that was unpacked or copied has the configuration of somebody else. See git-config(1).
    """
    try:
        directory = _git_directory(folder)
        texts = [] if directory is None else [_text(path).lower() for path in _configurations(directory)]
    except (OSError, UnicodeDecodeError):
        return True
    return any(section in text for text in texts for section in ("[filter", "[include"))


def _configurations(directory: str) -> list[str]:
    folders = [directory]
    common = os.path.join(directory, "commondir")
    if os.path.exists(common):
        folders.append(os.path.join(directory, _text(common)))
    paths = (os.path.join(folder, name) for folder in folders for name in ("config", "config.worktree"))
    return [path for path in paths if os.path.exists(path)]


def _git_directory(folder: str) -> str | None:
    while not os.path.exists(path := os.path.join(folder, ".git")):
        if folder == os.path.dirname(folder):
            return None
        folder = os.path.dirname(folder)
    if os.path.isdir(path):
        return path
    return os.path.join(folder, _text(path).removeprefix("gitdir:").strip())


def _resolved(directory: str, head: str) -> str | None:
    if not head.startswith("ref:"):
        return head if _is_commit(head) else None
    name = head.removeprefix("ref:").strip()
    folders = [directory]
    common = os.path.join(directory, "commondir")
    if os.path.exists(common):
        folders.append(os.path.join(directory, _text(common)))
    for folder in folders:
        loose = os.path.join(folder, name)
        if os.path.exists(loose):
            return commit if _is_commit(commit := _text(loose)) else None
        packed = os.path.join(folder, "packed-refs")
        if os.path.exists(packed):
            refs = (line.split() for line in _text(packed).splitlines() if line.endswith(f" {name}"))
            return next((ref[0] for ref in refs if _is_commit(ref[0])), None)
    return None


def _is_commit(word: str) -> bool:
    return len(word) in (40, 64) and all(letter in "0123456789abcdef" for letter in word)


def _text(path: str) -> str:
    return read_regular(path, _MAX_REFS_BYTES, cut=True).decode().strip()
