"""A file that is not there: which one, and where a relative path started."""

from __future__ import annotations

import re

from backprop_tui.domain.causes.clues import Clues, Hit
from backprop_tui.domain.causes.making import made
from backprop_tui.domain.run import Cause

_PATH = r"['\"]([^'\"\n]+)['\"]"
_MISSING = (
    rf"No such file or directory: b?{_PATH}",
    rf"can't open file {_PATH}",
    rf"name = {_PATH}, errno = 2",
    rf"(?:file|directory|path) {_PATH} (?:not found|does not exist)",
    r"^\S*?: (?:line \d+: )?(?P<shell>[^:\s][^:\n]*): (?:No such file or directory|command not found|not found)$",
)


def missing_file(clues: Clues) -> Cause | None:
    """By Python's exception, by a program's word, or by a shell's."""
    root = clues.root
    if root is not None and root.name != "FileNotFoundError":
        # h5py, torch and others say it in an exception of their own.
        if re.search(r"\bNo such file or directory\b|errno = 2\b", root.text) is None:
            return None
    elif root is None and clues.facts.exit_code not in (1, 2, 126, 127):
        return None
    for pattern in _MISSING:
        hit = clues.find(pattern)
        if hit is not None:
            return _cause(clues, hit, hit.match[1])
    if root is None:
        return None
    summary = _bare(root.line.text)
    return made("file_not_found", at=root.line, summary=summary, advice=f"relative paths start at {_cwd(clues)}")


def _cause(clues: Clues, hit: Hit, path: str) -> Cause:
    if "command not found" in hit.text or clues.facts.exit_code == 127:
        advice = "install it, or give its whole path; PATH is that of where the run was queued"
        return made("file_not_found", at=hit.line, summary=f"command not found: {path}", advice=advice)
    if path.startswith("/"):
        advice = "check the path; what lies on another machine or mount is not there"
    else:
        advice = f"it was looked for at {_cwd(clues)}/{path}; --cwd chooses where relative paths start"
    return made("file_not_found", at=hit.line, summary=f"FileNotFoundError: {path}", advice=advice)


def _cwd(clues: Clues) -> str:
    return clues.facts.cwd.rstrip("/")


def _bare(text: str) -> str:
    return re.sub(r"^(?:\w+\.)+(?=\w)", "", text)
