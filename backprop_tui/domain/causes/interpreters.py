"""Causes: a program that cannot be started, because of its first line, its line endings or its permissions."""

from __future__ import annotations

import re
import shlex

from backprop_tui.domain.causes.cause import build_cause
from backprop_tui.domain.causes.clues import Clues
from backprop_tui.domain.causes.tracebacks import LogLine
from backprop_tui.domain.run import Cause

_ELF = b"\x7fELF"


def cause_of_failed_start(path: str, problem: str, *, not_found: bool, first_line: bytes | None) -> Cause:
    """Returns why the system refused to start `path`; `first_line` is None if there is no such file."""
    reason = f"cannot start {path}: {problem}"
    if first_line is not None and problem == "No such file or directory":
        return _bad_interpreter(path, first_line, evidence=reason)
    if problem == "Exec format error":
        if first_line is not None and first_line.startswith(_ELF):
            detail, advice = "it is damaged or built for another kind of machine", "install a build for this machine"
        elif first_line is not None and not first_line.isascii():
            detail, advice = "it is neither a script nor a program", "check that it was downloaded or copied as a whole"
        else:
            detail, advice = "it names no interpreter", f"begin it with #!/bin/bash, or run it with: bash {path}"
        summary = f"cannot start {path}: {detail}"
        return build_cause("bad_interpreter", evidence=reason, summary=summary, advice=advice)
    if problem == "Permission denied":
        advice = f"chmod +x {shlex.quote(path)}; its file system and its interpreter must permit it too"
        return build_cause("not_executable", evidence=reason, summary=reason, advice=advice)
    return build_cause(
        "file_not_found" if not_found else "unknown",
        evidence=reason,
        summary=reason,
        advice="check that it exists and is executable; --cwd and --python choose others",
        retryable=not not_found,
    )


def _bad_interpreter(path: str, first_line: bytes, *, evidence: str | None = None, at: LogLine | None = None) -> Cause:
    """The file exists, but the interpreter in its first line does not."""
    named = first_line.decode("utf-8", "replace").removeprefix("#!").strip(" \n")
    program = named.split(" ")[0]
    if named.endswith("\r"):
        return _line_ends(path, f"its first line names {named!r}", evidence=evidence, at=at)
    if not first_line.startswith(b"#!"):
        summary = f"cannot start {path}: the loader it needs is missing"
        advice = "it is built for another system: install a build for this one"
    else:
        summary = f"cannot start {path}: its interpreter {program} does not exist"
        advice = f"correct its first line, or name another interpreter before it: python3 {path}"
    return build_cause("bad_interpreter", at=at, evidence=evidence, summary=summary, advice=advice)


def _line_ends(path: str, detail: str, *, evidence: str | None = None, at: LogLine | None = None) -> Cause:
    return build_cause(
        "bad_interpreter",
        at=at,
        evidence=evidence,
        summary=f"{path} has Windows line endings" + (f": {detail}" if detail else ""),
        advice=rf"sed -i 's/\r$//' {shlex.quote(path)}",
    )


_SHELL_ERROR = r"^(?P<path>[^\s:]+): (?:line )?\d+: "
_NOT_STARTED = (
    r"(?P<path>[^\s:]*/[^\s:]+): (?:cannot execute: required file not found|not found$|No such file or directory$)"
    r"|(?P<refused>[^\s:]+): (?P<interpreter>[^:]+): bad interpreter:"
)
_ENV = r"\benv: ['‘](?P<program>[^'’]+)['’]: No such file or directory"
_CARRIAGE_RETURN = r"\\r['’]: (?:command not found|No such file|\[Errno 2\])|\^M: bad interpreter"


def interpreter(clues: Clues) -> Cause | None:
    """Recognises the messages of shells and env about a missing interpreter or Windows line ends."""
    if clues.exceptions or clues.exit_code in (None, 0):
        return None
    for line in reversed(clues.last[-8:]):
        path = _path_in(line.text)
        first_line = None if path is None else clues.facts.first_line(path)
        if path is not None and first_line is not None and first_line.endswith(b"\r"):
            return _line_ends(path, "", at=line)
    hit = clues.find_last(_CARRIAGE_RETURN)
    if hit is not None:
        return _line_ends(_script_of(clues), "", at=hit.line)
    hit = clues.find_last(_ENV)
    if hit is not None:
        program = hit.match["program"]
        advice = "correct the first line (python3 instead of python?), or add its directory to PATH before queueing"
        summary = f"the interpreter {program} was not found: env searches PATH for it"
        return build_cause("bad_interpreter", at=hit.line, summary=summary, advice=advice)
    hit = clues.find_last(_NOT_STARTED)
    if hit is not None and hit.match["refused"]:
        return _bad_interpreter(hit.match["refused"], f"#!{hit.match['interpreter']}".encode(), at=hit.line)
    if hit is not None:
        first_line = clues.facts.first_line(hit.match["path"])
        if first_line is not None and first_line.startswith(b"#!"):
            return _bad_interpreter(hit.match["path"], first_line, at=hit.line)
    return None


def _path_in(text: str) -> str | None:
    match = re.match(_SHELL_ERROR, text)
    return None if match is None else match["path"]


def _script_of(clues: Clues) -> str:
    """The script of the run, as far as its command names one."""
    words = clues.facts.command
    first_lines = {word: clues.facts.first_line(word) for word in words}
    with_line_ends = [word for word, line in first_lines.items() if line is not None and line.endswith(b"\r")]
    scripts = [word for word in words if word.endswith(".sh")]
    return next(iter([*with_line_ends, *scripts]), "the script")
