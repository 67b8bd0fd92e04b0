"""What `run --dry-run` said, in one line: whether it would start now, and what it waits for."""

from __future__ import annotations

from collections.abc import Sequence

from backprop_tui.domain.values import dataclass
from backprop_tui.presentation.run_details import with_tilde

_VERDICT, _INTERPRETER = "verdict", "interpreter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How many of so many `runs` would start now.

    `words` are of the first that would not, else of the first. `python` is the interpreter with how it was found, None
    for what is no script.
    """

    starts: int
    runs: int
    words: str
    python: str | None = None


def verdict_of(lines: Sequence[str]) -> Verdict | None:
    """None where there is no verdict among the lines: the command was refused."""
    said = [line.removeprefix(_VERDICT).strip() for line in lines if line.startswith(f"{_VERDICT} ")]
    if not said:
        return None
    held = [words for words in said if words.startswith("held")]
    python = next((line.removeprefix(_INTERPRETER).strip() for line in lines if line.startswith(_INTERPRETER)), None)
    python = None if python is None else ": ".join(map(with_tilde, python.split(": ")))
    words = (held or said)[0].removeprefix("held: ")
    return Verdict(starts=len(said) - len(held), runs=len(said), words=words, python=python)


def sentence(verdict: Verdict) -> str:
    """As the dialog says it."""
    if verdict.runs == 1:
        return verdict.words if verdict.starts else f"would wait: {verdict.words}"
    if verdict.starts == verdict.runs:
        return f"all {verdict.runs} would start now"
    return f"{verdict.starts} of {verdict.runs} would start now; {verdict.runs - verdict.starts} wait: {verdict.words}"
