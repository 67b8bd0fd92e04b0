"""Reads the commands of a Markdown page and the output it shows. CONTRIBUTING.md describes the marks for authors."""

from __future__ import annotations

import re
import shutil
import subprocess
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_BLOCK = re.compile(r"^((?: *<!-- .*? -->\n)*)( *)```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_MARK = re.compile(r"<!-- (before|file|exit|not run|needs): (.*?) -->")
_PROMPT = "$ "

# What differs from run to run. On pages an id has a digit, so that words of eight letters are no ids.
_ID_ON_PAGE = re.compile(r"\b(?=[a-z]*\d)[a-z][a-z0-9]{7}\b")
_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?(\.\d+)?Z?|\b\d+:\d\d(:\d\d)?\b|\b\d+(\.\d+)? ?(ms|s|m|h|min)( \d+(s|m))?\b"
)
_ANYTHING = {"...": ".*", "\n...": "(\n.*)?"}


@dataclass(frozen=True, slots=True)
class Step:
    """A command of a page; `output` None: not compared; `runs` false: its backprop-tui part is only parsed."""

    line: int
    command: str
    codes: frozenset[int] = frozenset({0})
    output: str | None = None
    runs: bool = True


def steps_of(text: str) -> Iterator[Step]:
    """The commands of all `sh` and `console` blocks, and one step for each file that the page shows."""
    for block in _BLOCK.finditer(text):
        marks = dict(_MARK.findall(block[1]))
        line = text.count("\n", 0, block.start(4)) + 1
        body = textwrap.dedent(block[4])
        if "before" in marks:
            yield Step(line, marks["before"])
        if "file" in marks:
            yield Step(line, _writing(marks["file"], body))
        elif block[3] in ("sh", "console"):
            codes = frozenset({0, *map(int, marks.get("exit", "").split())})
            runs = "not run" not in marks and all(map(shutil.which, marks.get("needs", "").split()))
            for offset, command, output in _console(body) if block[3] == "console" else _script(body):
                yield Step(line + offset, command, codes, output, runs)


def _writing(path: str, body: str) -> str:
    return f"mkdir -p \"$(dirname {path})\" && cat > {path} <<'END OF FILE'\n{body}END OF FILE"


def _script(body: str) -> Iterator[tuple[int, str, None]]:
    command, start = "", 0
    for number, line in enumerate(body.splitlines()):
        start = start if command else number
        command += line + "\n"
        if _is_complete(command):
            if not command.lstrip().startswith("#") and command.strip():
                yield start, command.rstrip(), None
            command = ""
    if command:
        yield start, command, None  # bash names the error


def _is_complete(command: str) -> bool:
    if "\n" not in command.rstrip("\n") and not re.search(r"\\$|<<|^(for|while|if|case) |\{$|['\"]", command.strip()):
        return True  # most lines: no process to ask
    check = subprocess.run(["bash", "-n"], input=command, capture_output=True, text=True, check=False)
    return not check.stderr and not command.endswith("\\\n")


def _console(body: str) -> Iterator[tuple[int, str, str]]:
    lines = body.splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith(_PROMPT)]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        length = 1
        while lines[start + length - 1].endswith("\\"):
            length += 1
        command = "\n".join(lines[start : start + length]).removeprefix(_PROMPT)
        yield start, command, "\n".join(lines[start + length : end])


def matches(shown: str, printed: str, ids: Sequence[str]) -> bool:
    """Whether the output is as shown: ids and times may differ, and `...` stands for any text or lines."""
    shown = _ID_ON_PAGE.sub("ID", shown)
    if ids:
        printed = re.sub("|".join(map(re.escape, ids)), "ID", printed)
    shown, printed = (_normalised(text) for text in (shown, printed))
    pattern = "".join(_ANYTHING.get(part) or re.escape(part) for part in re.split(r"(\n\.\.\.(?=\n|$)|\.\.\.)", shown))
    return re.fullmatch(pattern, printed, re.DOTALL) is not None


def _normalised(text: str) -> str:
    lines = [re.sub(r" {2,}", " ", _TIME.sub("TIME", line)).strip() for line in text.strip().splitlines()]
    return "\n".join(lines)
