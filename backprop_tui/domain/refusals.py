"""Recognizes that a script refused an option that this program added."""

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
# The option with its dashes, its name in quotes, or its name at the end: `resume` alone is a common word.
_NAMED = (
    r"(?<![\w/.-])(?:--?|\+{{1,2}}){name}(?![\w/-]|\.\w)|(?P<quote>['\"`]){name}(?P=quote)"
    r"|\b(?:key|option|flag|argument|parameter)s?:? {name}\W*$"
)
# argparse refuses the value: the option exists, but takes no path.
_REFUSED_VALUE = r"argument (?:-\w\S*/)*(?:--?){name}(?:/\S+)*: (?:invalid|ignored explicit argument|expected)"


def find_refused_option(lines: Sequence[LogLine], options: Sequence[str]) -> tuple[str, LogLine] | None:
    """Returns the first of the options that the end of a failed script's log refuses, and the line that says so."""
    newest = lines[: -LAST_LINES - 1 : -1]
    for option in options:
        # Some parsers exchange dashes and underscores.
        name = "[-_]".join(map(re.escape, re.split(r"[-_]", option.lstrip("-+"))))
        named, refused_value = (
            re.compile(pattern.format(name=name), re.IGNORECASE) for pattern in (_NAMED, _REFUSED_VALUE)
        )
        for line in newest:
            is_refusal = _REFUSALS.search(line.text) and _ABOUT_ARGUMENTS.search(line.text) and named.search(line.text)
            if is_refusal or refused_value.search(line.text):
                return option, line
    return None


def explain_refusal(outcome: Outcome, lines: Sequence[LogLine], options: Sequence[str]) -> Outcome:
    """The outcome with this cause if the script refused one of the options that this program added."""
    refusal = find_refused_option(lines, options)
    if refusal is None:
        return outcome
    option, line = refusal
    summary = f"backprop-tui added {option}, which the script does not accept"
    advice = "the next attempt leaves it out; if the script takes its checkpoint another way, use --resume-arg"
    cause = build_cause("python_error", at=line, summary=summary, advice=advice, retryable=True)
    return replace(outcome, reason=cause.summary, cause=cause, refused_option=option)
