"""Recognises that a script did not start because it does not accept an option that this program added."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from backprop_tui.domain.causes.cause import build_cause
from backprop_tui.domain.causes.tracebacks import LogLine
from backprop_tui.domain.lifecycle import Outcome

LAST_LINES = 200  # a launcher such as torchrun prints its own traceback after that of the script

# argparse, click and typer, getopt, absl, fire, Hugging Face, jsonargparse, OmegaConf and Hydra, clap, Python itself
_REFUSALS = re.compile(
    r"un(?:recogni[sz]ed|expected|known|supported|supplied)"
    r"|(?:no such|invalid|illegal|bad|ambiguous) (?:\w+ ){0,2}(?:option|argument|flag|parameter|key)"
    r"|not (?:\w+ ){0,2}(?:recogni[sz]ed|expected|used by|accepted|supported|allowed|a valid|in struct|defined)"
    r"|could not (?:override|consume|parse)|does not (?:accept|support|take|have|exist)|extra inputs",
    re.IGNORECASE,
)
_ABOUT_ARGUMENTS = re.compile(
    r"argument|option|flag|parameter|struct|override|consume|param|key\b|field|hfargumentparser|usage|inputs",
    re.IGNORECASE,
)
# argparse refuses the value: the option exists, but takes no path.
_VALUE = r"argument (?:-\w\S*/)*{option}(?:/\S+)*: (?:invalid|ignored explicit argument|expected)"


def find_refused_option(lines: Sequence[LogLine], options: Sequence[str]) -> tuple[str, LogLine] | None:
    """Returns the first of the options that the end of a failed script's log refuses, and the line that says so."""
    newest = lines[: -LAST_LINES - 1 : -1]
    for option in options:
        spelled = _spellings(option)
        line = next((line for line in newest if _refuses(line.text, spelled)), None)
        if line is not None:
            return option, line
    return None


def _spellings(option: str) -> str:
    """A pattern for an option: some parsers print its name alone, or exchange dashes and underscores."""
    words = re.split(r"[-_]", option.lstrip("-+"))
    return r"(?:--?|\+{1,2})?" + "[-_]".join(map(re.escape, words))


def _refuses(text: str, option: str) -> bool:
    """Whether a message refuses an option, given as a pattern, or its value."""
    if re.search(_VALUE.format(option=option), text, re.IGNORECASE) is not None:
        return True
    is_named = re.search(rf"(?<![\w/.-]){option}(?![\w/-]|\.\w)", text, re.IGNORECASE) is not None
    return is_named and _REFUSALS.search(text) is not None and _ABOUT_ARGUMENTS.search(text) is not None


def explain_refusal(outcome: Outcome, lines: Sequence[LogLine], options: Sequence[str]) -> Outcome:
    """The outcome of a failure, as our doing if the script refused one of the options that this program added."""
    refusal = find_refused_option(lines, options)
    if refusal is None:
        return outcome
    option, line = refusal
    summary = f"backprop-tui added {option}, which the script does not accept"
    advice = "the next start leaves it out; if the script takes its checkpoint in another way, --resume-arg says how"
    cause = build_cause("python_error", at=line, summary=summary, advice=advice, retryable=True)
    return replace(outcome, reason=cause.summary, cause=cause, refused_option=option)
