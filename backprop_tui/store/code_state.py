"""The code of a run at one moment: a digest of its script, the commit its directory is at, and what changed since."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from backprop_tui.domain.run import Code, Run

try:
    # As `random` does: the usual door loads OpenSSL, for which a guardian has no other use.
    from _sha256 import sha256  # type: ignore[import-not-found]
except ImportError:
    from hashlib import sha256

MOST_BYTES = 4 << 20  # of a script; what lies behind does not count
_MOST_REFS_BYTES = 4 << 20
_SCRIPTS = (".py", ".sh")


def code_of(script: str | None, command: Sequence[str], cwd: str) -> Code | None:
    """The script, or the first file of a command line that looks like one; None where there is none to read."""
    words = [word for word in command if word.endswith(_SCRIPTS)] if script is None else [script]
    for word in words:
        path = os.path.join(cwd, word)
        digest = digest_of(path)
        if digest is not None:
            return Code(path=path, sha256=digest)
    return None


def digest_of(path: str) -> str | None:
    """SHA-256 of the beginning of a file in hexadecimal; None where it cannot be read."""
    try:
        with open(path, "rb", opener=_at_once) as file:
            digest: str = sha256(file.read(MOST_BYTES)).hexdigest()
    except OSError:
        return None
    return digest


def _at_once(path: str, flags: int) -> int:
    """A pipe of that name must not be waited for."""
    return os.open(path, flags | os.O_NONBLOCK)


def changes_since_queued(run: Run) -> str | None:
    """In words, what is another now than when the run was queued; None where nothing is, or nothing is known."""
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
    """The commit a working tree is at, without a process; None where there is none or it is not kept in plain files.

    See gitrepository-layout(5): `.git` may be a file that names the directory, as in worktrees and submodules.
    """
    try:
        directory = _git_directory(folder)
        return None if directory is None else _resolved(directory, _text(os.path.join(directory, "HEAD")))
    except (OSError, UnicodeDecodeError):
        return None


def _git_directory(folder: str) -> str | None:
    while not os.path.exists(place := os.path.join(folder, ".git")):
        if folder == os.path.dirname(folder):
            return None
        folder = os.path.dirname(folder)
    if os.path.isdir(place):
        return place
    return os.path.join(folder, _text(place).removeprefix("gitdir:").strip())


def _resolved(directory: str, head: str) -> str | None:
    if not head.startswith("ref:"):
        return head if _is_commit(head) else None
    name = head.removeprefix("ref:").strip()
    places = [directory]
    common = os.path.join(directory, "commondir")
    if os.path.exists(common):
        places.append(os.path.join(directory, _text(common)))
    for place in places:
        loose = os.path.join(place, name)
        if os.path.exists(loose):
            return commit if _is_commit(commit := _text(loose)) else None
        packed = os.path.join(place, "packed-refs")
        if os.path.exists(packed):
            found = (line.split() for line in _text(packed).splitlines() if line.endswith(f" {name}"))
            return next((words[0] for words in found if _is_commit(words[0])), None)
    return None


def _is_commit(word: str) -> bool:
    return len(word) in (40, 64) and all(letter in "0123456789abcdef" for letter in word)


def _text(path: str) -> str:
    with open(path, "rb", opener=_at_once) as file:
        return file.read(_MOST_REFS_BYTES).decode().strip()
