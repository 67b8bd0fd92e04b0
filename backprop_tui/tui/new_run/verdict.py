"""The result of a dry run in one line: whether the runs would start now, and what they would wait for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.presentation.run_details import with_tilde

if TYPE_CHECKING:
    from backprop_tui.client.command_line import Program
    from backprop_tui.client.dry_run import RunPreview

_VERDICT, _INTERPRETER = "verdict", "interpreter"


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How many of so many `runs` would start now.

    `words` are about the first that would not, else about the first. `python` is the interpreter with how it was
    found, None if there is no script.
    """

    starts: int
    runs: int
    words: str
    python: str | None = None


def verdict_from(program: Program, previews: Sequence[RunPreview]) -> Verdict:
    """The verdict about at least one run."""
    held = [preview for preview in previews if not preview.starts]
    interpreter = program.interpreter
    python = None if interpreter is None else f"{with_tilde(interpreter.path)}: {with_tilde(interpreter.origin)}"
    if held:
        words = "; ".join(held[0].hold_messages)
    else:
        gpus = ", ".join(map(str, previews[0].gpu_indices))
        words = f"starts now on GPU {gpus}" if gpus else "starts now"
    return Verdict(
        starts=len(previews) - len(held),
        runs=len(previews),
        words=sanitize(words),
        python=None if python is None else sanitize(python),
    )


def verdict_of(lines: Sequence[str]) -> Verdict | None:
    """The verdict in the output of `run --dry-run`; None if the command was refused."""
    verdicts = [line.removeprefix(_VERDICT).strip() for line in lines if line.startswith(f"{_VERDICT} ")]
    if not verdicts:
        return None
    held = [words for words in verdicts if words.startswith("held")]
    python = next((line.removeprefix(_INTERPRETER).strip() for line in lines if line.startswith(_INTERPRETER)), None)
    python = None if python is None else ": ".join(map(with_tilde, python.split(": ")))
    words = (held or verdicts)[0].removeprefix("held: ")
    return Verdict(starts=len(verdicts) - len(held), runs=len(verdicts), words=words, python=python)


def sentence(verdict: Verdict) -> str:
    """As the dialog says it."""
    if verdict.runs == 1:
        return verdict.words if verdict.starts else f"would wait: {verdict.words}"
    if verdict.starts == verdict.runs:
        return f"all {verdict.runs} would start now"
    return f"{verdict.starts} of {verdict.runs} would start now; {verdict.runs - verdict.starts} wait: {verdict.words}"
