"""The total steps and epochs of a training that a command line, its source or a line of the log names.

Only unambiguous names count: `max_steps` and `num_train_epochs` are totals, `warmup_steps` is none, and `num_steps` may
be the length of a rollout.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from backprop_tui.domain.lazy_dataclass import lazy_dataclass

MAX_TOTAL = 10**12
MAX_SOURCE_CHARS = 1 << 20

_WORDS = re.compile(r"[A-Z]?[a-z]+")
_QUALIFIERS = frozenset(
    ("max", "maximum", "num", "n", "number", "of", "total", "train", "training", "scheduled", "optimization", "the")
)
_NUMBER_OF = frozenset(("n", "num", "number", "of"))  # before `steps` this may be the length of a rollout
_STEP_WORDS = frozenset(("step", "steps", "iter", "iters", "iteration", "iterations", "update", "updates"))
_SOURCE_ARGUMENT = re.compile(r"add_argument\(([^()]{1,1000})\)")
_SOURCE_OPTION = re.compile(r"""["']--?([A-Za-z][\w.-]{1,60})["']""")
_SOURCE_DEFAULT = re.compile(r"\bdefault\s*=\s*([\d_.e]{1,20})\s*(?:,|$)")
_EPOCH_LOOP = re.compile(r"\bfor\s+\w*epoch\w*\s+in\b")
_CONFIGURATION_ENDINGS = (".yaml", ".yml", ".json", ".toml", ".cfg", ".ini", ".gin")


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Steps and epochs of a whole training; each None if it is unknown.

    `has_epochs`: the script loops over epochs, so what a bar counts to may be one of them. `is_given`: an option says
    it, so a configuration that is printed before the option is applied does not count.
    """

    steps: int | None = None
    epochs: int | None = None
    has_epochs: bool = False
    is_given: bool = False


def total_from_name(name: str, value: str, *, qualified: bool = False) -> Totals | None:
    """Returns the total that a name and value give; None if the name has another meaning or the value is no count.

    `qualified` requires a word such as `max` or `total`: a bare `steps` on a line may be the current count.
    """
    number = parse_total(value)
    words = [word.lower() for word in _WORDS.findall(name.rpartition(".")[2])]
    if number is None or not words:
        return None
    *qualifiers, unit = ("n", words[-1][1:]) if words[-1] in ("nepoch", "nepochs") else words
    if not _QUALIFIERS.issuperset(qualifiers) or (not qualifiers and (qualified or not unit.endswith("s"))):
        return None
    if unit in ("epoch", "epochs"):
        return Totals(epochs=number)
    if unit in _STEP_WORDS:
        is_rollout = unit.startswith("step") and qualifiers and _NUMBER_OF.issuperset(qualifiers)
        return None if is_rollout else Totals(steps=number)
    return Totals(steps=number) if unit == "timesteps" and "total" in qualifiers else None


def parse_total(text: str) -> int | None:
    """Returns a positive count such as `5000`, `5_000`, `1,500`, `1e6` or `3.0`; None for anything else."""
    try:
        number = float(text.replace(",", "").replace("_", ""))
    except ValueError:
        return None
    return int(number) if 0 < number <= MAX_TOTAL and number == int(number) else None


def totals_of_command(command: Sequence[str], source: str = "") -> Totals:
    """Returns the totals that the options of a command line set, or else the defaults in the script's source.

    Contradictory options give none. Defaults are ignored if a configuration file may override them.
    """
    source = source[:MAX_SOURCE_CHARS]
    return replace(_named_totals(command, source), has_epochs=_EPOCH_LOOP.search(source) is not None)


def _named_totals(command: Sequence[str], source: str) -> Totals:
    options = list(_options(command))
    given = combined_totals(total for name, value in options if (total := total_from_name(name, value)) is not None)
    if given.steps is not None or given.epochs is not None:
        return replace(given, is_given=True)
    if any(word.lower().endswith(_CONFIGURATION_ENDINGS) for word in command):
        return given
    names = {name.replace("-", "_") for name, _ in options}
    return combined_totals(total for name, total in _defaults(source) if name.replace("-", "_") not in names)


def _options(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yields `--name value`, `--name=value` and `name=value` as name and value, also of a command inside a shell's."""
    for position, word in enumerate(words):
        if " " in word.strip():
            if position > 1 and words[position - 1].endswith("c") and words[position - 2].endswith("sh"):
                yield from _options(_words_of(word))
            continue
        name, equals, value = word.lstrip("-+").partition("=")
        if equals:
            yield name, value
        elif word.startswith("-") and position + 1 < len(words):
            yield name, words[position + 1]


def _words_of(line: str) -> list[str]:
    try:
        return [word for word in shlex.split(line) if " " not in word]
    except ValueError:  # an unfinished quotation
        return []


def _defaults(source: str) -> Iterator[tuple[str, Totals]]:
    for argument in _SOURCE_ARGUMENT.finditer(source):
        option, default = _SOURCE_OPTION.search(argument[1]), _SOURCE_DEFAULT.search(argument[1])
        total = None if option is None or default is None else total_from_name(option[1], default[1])
        if option is not None and total is not None:
            yield option[1], total


def combined_totals(totals: Iterable[Totals]) -> Totals:
    """The totals without contradictions: two different numbers of steps give none."""
    known = list(totals)
    steps = {total.steps for total in known} - {None}
    epochs = {total.epochs for total in known} - {None}
    return Totals(
        steps=steps.pop() if len(steps) == 1 else None,
        epochs=epochs.pop() if len(epochs) == 1 else None,
    )
