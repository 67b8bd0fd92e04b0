"""What every refusal has in common, as text and as JSON."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from tests.support.commands import CommandOutput

PROGRAM = "backprop-tui: "
_DOCUMENTED = Path(__file__).parents[2] / "docs/json.md"


@dataclass(frozen=True)
class Refusal:
    """What a command answered that could not do what was asked; `text` is the whole line on stderr."""

    kind: str
    message: str
    hint: str | None
    code: int
    text: str


def check(plain: CommandOutput, as_json: CommandOutput) -> Refusal:
    """The refusal, if it is tidy and the same as text and as JSON."""
    lines = [line for line in plain.err.splitlines() if line.startswith(PROGRAM)]
    assert "Traceback" not in plain.err + as_json.err
    assert len(lines) == 1, plain
    text = lines[0].removeprefix(PROGRAM)
    assert plain.err.endswith("\n")
    # Ends tidily: no mark is left over or missing between message and hint.
    assert text == text.strip()
    assert re.search(r"[;:,]$|[.?!];|[;,.] ?[;,.] |  |\bNone\b|Errno", text) is None, text

    (line,) = as_json.out.splitlines()
    answer = json.loads(line)
    assert list(answer) == ["error"]
    error = answer["error"]
    assert set(error) == {"kind", "message", "hint", "exit_code"}
    assert error["exit_code"] == as_json.code == plain.code
    assert (error["kind"], plain.code) in documented_kinds()
    both = error["message"] if error["hint"] is None else f"{error['message']}; {error['hint']}"
    assert as_json.err.splitlines()[-1] == f"{PROGRAM}{both}"
    return Refusal(error["kind"], error["message"], error["hint"], plain.code, text)


def documented_kinds() -> set[tuple[str, int]]:
    """The rows of the table in docs/json.md."""
    rows = re.findall(r"^\| (\w+) \| (\d+) \|", _DOCUMENTED.read_text(encoding="utf-8"), re.MULTILINE)
    return {(kind, int(code)) for kind, code in rows}
