"""Causes that need a fix: wrong arguments, syntax errors and missing files."""

from __future__ import annotations

import posixpath
import re
import shlex

from backprop_tui.domain.causes.cause import build_cause
from backprop_tui.domain.causes.clues import Clues, Hit
from backprop_tui.domain.causes.tracebacks import SYNTAX_ERRORS, LoggedException
from backprop_tui.domain.command_lines import TargetKind, find_target
from backprop_tui.domain.run import Cause

_ARGPARSE = r"^[\w./ -]+: error: (.+)$"
_CLICK = r"^Error: ((?:No such (?:option|command)|Missing (?:option|argument|parameter)|Invalid value).*)$"
_FLAGS = (
    r"FATAL Flags parsing error:|Unknown command line flag|Some specified arguments are not used by the HfArgument"
    r"|^Could not override '.*|^Error parsing override .*|^ERROR: Could not consume arg: .*"
)
_USAGE_ADVICE = "correct the arguments: N in the dashboard reruns it with a change, as does backprop-tui run --like"


def usage(clues: Clues) -> Cause | None:
    """Recognizes the messages of argparse, click, absl and Hugging Face."""
    hit = _find_usage_error(clues)
    if hit is None:
        return None
    message = hit.match[1] if hit.match.lastindex else hit.line.text
    return build_cause("python_error", at=hit.line, summary=f"wrong arguments: {message}", advice=_USAGE_ADVICE)


def _find_usage_error(clues: Clues) -> Hit | None:
    if clues.root is None and clues.exit_code == 2:
        return clues.find(_ARGPARSE) or clues.find(_CLICK)
    return clues.find(_FLAGS)


_LAUNCHED = "RANK|LOCAL_RANK|WORLD_SIZE|LOCAL_WORLD_SIZE|MASTER_ADDR|MASTER_PORT"
_NOT_LAUNCHED = rf"environment variable ({_LAUNCHED}) expected, but not set|^KeyError: '({_LAUNCHED})'"


def launcher(clues: Clues) -> Cause | None:
    """Recognizes a distributed script that was started without its launcher."""
    hit = clues.find(_NOT_LAUNCHED) if clues.exceptions else None
    if hit is None:
        return None
    facts = clues.facts
    target = find_target(facts.command)
    program = [facts.interpreter or "python3", "-m", "torch.distributed.run", "--standalone"]
    script = ["-m", target.word] if target.kind is TargetKind.MODULE else [target.word]
    line = [*program, f"--nproc-per-node={len(facts.gpu_indices) or 1}", *script, *target.arguments]
    return build_cause(
        "python_error",
        at=hit.line,
        summary=f"{hit.match[1] or hit.match[2]} is not set: the script expects to be started by torchrun",
        advice=shlex.join(["backprop-tui", "run", "--", *line]),
    )


def syntax(clues: Clues) -> Cause | None:
    """Recognizes syntax errors, which no retry can fix."""
    root = clues.root
    if root is None or root.name not in SYNTAX_ERRORS:
        return None
    may_be_newer = re.search(r"invalid syntax|f-string", root.line.text) is not None
    advice = "fix the script, then resume" + ("; it may need a newer Python (--python)" if may_be_newer else "")
    return build_cause("python_error", at=root.line, summary=_with_place(root), advice=advice)


def _with_place(error: LoggedException) -> str:
    where = "" if not error.frames else f" in {error.frames[-1][0]} line {error.frames[-1][1]}"
    return re.sub(r"^(?:\w+\.)+", "", error.line.text) + where


_PYTHON_2 = (
    r"^SyntaxError: (?:Missing parentheses in call to '(?:print|exec)'|multiple exception types must be parenthesized"
    r"|leading zeros in decimal integer literals)"
    r"|^NameError: name '(?:xrange|raw_input|unicode|basestring|unichr|execfile|long)' is not defined"
    r"|^AttributeError: 'dict' object has no attribute '(?:iter(?:items|keys|values)|has_key)'"
    r"|^ModuleNotFoundError: No module named '(?:urllib2|urlparse|cPickle|ConfigParser|StringIO|Queue)'"
)


def python_2(clues: Clues) -> Cause | None:
    """Recognizes errors that Python 3 reports in code for Python 2."""
    root = clues.root
    if root is None or re.search(_PYTHON_2, root.line.text) is None:
        return None
    advice = "this looks like Python 2 code: convert it to Python 3, or name a Python 2 with --python"
    return build_cause("python_error", at=root.line, summary=_with_place(root), advice=advice)


_QUOTED_NAME = r"['\"]([^'\"\n]+)['\"]"
_MISSING = (
    rf"No such file or directory: b?{_QUOTED_NAME}",
    rf"can't open file {_QUOTED_NAME}",
    rf"name = {_QUOTED_NAME}, errno = 2",
    rf"(?:file|directory|path) {_QUOTED_NAME} (?:not found|does not exist)",
    r"^\S*?: (?:(?:line )?\d+: )?(?P<shell>[^:\s][^:\n]*): (?:No such file or directory|command not found|not found)$",
)


def missing_file(clues: Clues) -> Cause | None:
    """Recognizes Python's exception, and messages of other programs and shells."""
    root = clues.root
    if root is not None and root.name != "FileNotFoundError":
        # h5py, torch and others raise their own exceptions.
        if re.search(r"\bNo such file or directory\b|errno = 2\b", root.text) is None:
            return None
    elif root is None and clues.exit_code not in (1, 2, 126, 127):
        return None
    for pattern in _MISSING:
        hit = clues.find(pattern)
        if hit is not None:
            return _missing_file_cause(clues, hit, hit.match[1])
    if root is None:
        return None
    summary = re.sub(r"^(?:\w+\.)+(?=\w)", "", root.line.text)
    return build_cause("file_not_found", at=root.line, summary=summary, advice=f"relative paths start at {_cwd(clues)}")


def _missing_file_cause(clues: Clues, hit: Hit, path: str) -> Cause:
    if "command not found" in hit.text or clues.exit_code == 127:
        advice = "install it, or give its full path; PATH is that of the shell in which the run was queued"
        return build_cause("file_not_found", at=hit.line, summary=f"command not found: {path}", advice=advice)
    if path.startswith("/") and not path.startswith(f"{_cwd(clues)}/"):
        advice = "check the path; is it on a disk that is not mounted here?"
    else:
        advice = f"it was expected at {posixpath.join(_cwd(clues), path)}; --cwd sets where relative paths start"
    return build_cause("file_not_found", at=hit.line, summary=f"FileNotFoundError: {path}", advice=advice)


def _cwd(clues: Clues) -> str:
    return clues.facts.cwd.rstrip("/")
