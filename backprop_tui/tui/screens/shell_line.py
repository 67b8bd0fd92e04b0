"""Command lines as people paste them from a shell, which does not read them here."""

from __future__ import annotations

import re
import shlex
from itertools import dropwhile
from typing import NamedTuple

from backprop_tui.domain.arguments import quoted
from backprop_tui.domain.command_lines import SHELL_WORDS, TargetKind, find_target, is_launcher
from backprop_tui.domain.word_set import word_set

_PROMPT = re.compile(r"^\s*(?:\([\w.-]+\)\s*)?(?:\[[^\]]*\]|[\w.-]+@\S*?)?[$>%#]\s")  # (base) me@host:~/x$
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_BEFORE_PROGRAM = re.compile(rf"{VARIABLE.pattern}|nohup$")
_SPACE = r" \t\r\n"
_QUOTED = r"""'[^']*'|"(?:\\.|[^"\\])*"|\\."""
_WORD = rf"""(?:{_QUOTED}|[^{_SPACE}'"\\|&;<>])+"""
_OUTPUT = rf"(?:(?<![^{_SPACE}])\d|&)?>[>|]?[{_SPACE}]*(?:&\d|(?!\(){_WORD}|$)"
_COMMENT = rf"(?<![^{_SPACE}])#.*"
_IDLE = rf"{_OUTPUT}|<[{_SPACE}]*/dev/null|[&;][{_SPACE}]*(?=$|#)|{_COMMENT}"
_PIECE = re.compile(rf"(?P<idle>{_IDLE})|(?P<word>{_WORD})|(?P<operator>[|&;<>]+)", re.DOTALL)
_LITERAL = re.compile(r"""'[^']*'|\\.|"(?P<double>(?:\\.|[^"\\])*)\"""", re.DOTALL)
_EXPANSION = re.compile(r"(?<!\\)(?:\$[A-Za-z_]\w*|\$[{(]|`)")
# A comment, whose quotes mean nothing, a quotation, or one that is not closed.
_QUOTATION = re.compile(rf"""{_COMMENT}|(?s:{_QUOTED}|(?P<open>'[^']*\Z|"(?:\\.|[^"\\])*\\?\Z))""")
NEWLINE = "\N{RETURN SYMBOL}"
# A command is one line: control characters in its quotations are shown by pictures, such as ␉, and are themselves again
# in the words of the command.
PICTURES = {code: 0x2400 + code for code in range(32)} | {ord("\n"): ord(NEWLINE), 127: 0x2421}
CONTROLS = {picture: code for code, picture in PICTURES.items()}
_ENDS_OPEN = re.compile(r"[|&;]$")
_EXPECTS_COMMAND = re.compile(r"(?:[|&;{(]|\b(?:do|then|else))$")
# A first line that begins with one of these is the start of lines for a shell, which no terminal has wrapped.
_SHELL_PROGRAM = SHELL_WORDS | word_set("conda mamba module")


class ShellLine(NamedTuple):
    """The words of a line, and what has no effect on a run: its output is kept, and it goes on by itself."""

    words: list[str]
    idle: list[str]


class NeedsShell(ValueError):
    """A line has syntax that only a shell understands; its text is the `problem` and what to do."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}: {remedy}")
        self.problem = problem


def join_lines(pasted: str, before: str = "") -> str:
    """Joins lines, with or without a backslash at their ends, and drops prompts; `;` is put before another command.

    A blank at either end stays: terminals put one behind the name of a dropped file, and words are typed after it. A
    newline in a quotation stays, too, as its picture, also in one that is open in the text `before`.
    """
    opened = _open_quote(before)
    text = _QUOTATION.sub(_in_one_line, opened + re.sub(r"\r\n?", "\n", pasted))
    lines = text.splitlines()
    if not all(line.lstrip().startswith("#") for line in lines if line.strip()):
        lines = [line for line in lines if not line.lstrip().startswith("#")]
    joined, is_program, glue = "", False, ""
    for line in filter(str.strip, lines):
        rest = _PROMPT.sub("", line)
        part = rest.strip().removesuffix("\\").strip()
        is_program = is_program or (not joined and part.partition(" ")[0] in _SHELL_PROGRAM)
        begins = not part.startswith("-") and (is_program or _is_another(joined.rpartition(" ; ")[2], part))
        if joined and begins and glue == "\n":
            joined += " " if _EXPECTS_COMMAND.search(joined) else " ; "
        elif joined:
            joined += " " if glue or rest[0].isspace() else ""
        joined, glue = joined + part, _glue(rest)
    first, last = (" " if joined and end in (" ", "\t") else "" for end in (text[:1], text[-1:]))
    return (first + joined + last).removeprefix(opened)


def _open_quote(before: str) -> str:
    """The mark of the quotation that a text ends in; empty if it ends in none."""
    return next((match["open"][0] for match in _QUOTATION.finditer(before) if match["open"]), "")


def _in_one_line(match: re.Match[str]) -> str:
    """A quotation without newlines, and no comment behind a command that another line follows."""
    quotation = match[0]
    if quotation[0] == "#":  # it would take the next line in
        begins_line = not match.string[: match.start()].rpartition("\n")[2].strip()
        return quotation if begins_line or not match.string[match.end() :].strip() else ""
    if quotation[0] not in "'\"":
        return quotation
    continued = quotation.replace("\\\n", "") if quotation[0] == '"' else quotation
    return continued.translate(PICTURES)


def _glue(line: str) -> str:
    """What is between a line and the next: a backslash at its end joins the words, as in a shell."""
    is_continued = re.search(r"(?<!\\)(?:\\\\)*\\\s*$", line) is not None
    before = line.rstrip().removesuffix("\\")
    return "\n" if not is_continued else " " if before[-1:].isspace() or line[-1:].isspace() else ""


def _is_another(before: str, line: str) -> bool:
    """Whether a line is a command by itself, and not the rest of the one before it, which a terminal has wrapped."""
    words, following = (list(dropwhile(_BEFORE_PROGRAM.match, text.split())) for text in (before, line))
    if not words or not following or _ENDS_OPEN.search(before):
        return False
    begins = is_launcher(following[0]) or following[0].endswith((".py", ".sh"))
    is_whole = words[0] in SHELL_WORDS or find_target(words).kind in (TargetKind.SCRIPT, TargetKind.MODULE)
    return following[0] == words[0] or (begins and is_whole)


def split_commands(line: str) -> list[str]:
    """The commands that `;` and `&` separate, each of which can be a run; the whole line if it is not so."""
    ends = [piece.span() for piece in _PIECE.finditer(line) if piece["operator"] in (";", "&")]
    begins = (0, *(end for _, end in ends))
    commands = [line[begin:end].strip() for begin, (end, _) in zip(begins, (*ends, (len(line), 0)), strict=True)]
    programs = [next(dropwhile(_BEFORE_PROGRAM.match, command.split()), "") for command in commands]
    needs_shell = any(not program or program in _SHELL_PROGRAM or program[0] in "({" for program in programs)
    return [line] if needs_shell else commands


def split_line(line: str) -> ShellLine:
    """Splits a line at its spaces, as a shell does.

    Raises:
        NeedsShell: only a shell could carry it out.
        ValueError: a quotation is not closed.
    """
    shlex.split(line)
    split = ShellLine([], [])
    for piece in _PIECE.finditer(line):
        if piece["idle"]:
            split.idle.append(piece[0].strip())
        elif piece["operator"]:
            raise _refusal(piece[0], line)
        elif expansion := _EXPANSION.search(_LITERAL.sub(lambda part: part["double"] or "", piece[0])):
            raise _refusal(expansion[0], line)
        else:
            split.words.extend(shlex.split(piece[0]))
    if split.words[:1] == ["nohup"]:
        split.idle.insert(0, split.words.pop(0))
    return split


def _refusal(syntax: str, line: str) -> NeedsShell:
    in_shell = f"bash -c {shlex.quote(line)}"
    if syntax in (";", "&") and line.split(maxsplit=1)[0] not in SHELL_WORDS:
        queue = "queue one at a time, ctrl+n keeps the form open; or all of them as one run"
        return NeedsShell("a run has one command, and this line has several", f"{queue}: {in_shell}")
    problem = f"{syntax} needs a shell, and none reads this line"
    return NeedsShell(problem, f"quote it if it is part of an argument, else: {in_shell}")


def line_word(word: str) -> str:
    """A word as `split_line` reads it again."""
    is_special = re.search(r"[|&;<>]|^#", word) or _EXPANSION.search(word)
    return shlex.quote(word) if is_special else quoted(word)
