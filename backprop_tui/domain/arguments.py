"""The arguments of a script as rows of a name and a value; what is not changed keeps its words exactly."""

from __future__ import annotations

import re
import shlex
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from functools import lru_cache
from itertools import chain

from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.formatting import counted
from backprop_tui.domain.lazy_dataclass import lazy_dataclass

LITERAL = "--"  # all words after it are positional
POSITIONAL = "argument "  # before the number of an argument without a name
_OPTION = r"(?s)[-–—]+[A-Za-z].*"  # with more dashes, or those of a typesetter, it is misspelled
_ATTACHED = r"(-[A-Za-z])(\d[\d.e+-]*)"  # -b8
_ASSIGNMENT = r"(?s)([+~]*[A-Za-z_@][\w.@/-]*)=.*"  # lr=0.1, of Hydra also +lr=0.1


Identity = tuple[str, int]  # the key of an argument, and how many of the same key come before it


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class OptionSyntax:
    """What the source of a script says about its options: which take no value, which several, and which only some.

    `options` are all that it defines.
    """

    options: frozenset[str] = frozenset()
    switches: frozenset[str] = frozenset()
    lists: frozenset[str] = frozenset()
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """A row: an option or the key of a `key=value`, with the words of its value; without a name it is positional.

    `joint` joins name and value: a blank between words, `=`, or nothing for `-b8`.
    """

    name: str = ""
    values: tuple[str, ...] = ()
    joint: str = " "

    @property
    def words(self) -> tuple[str, ...]:
        if not self.name:
            return self.values
        if self.joint == "=" and not self.values and not self.name.startswith("-"):
            return (f"{self.name}=",)
        if self.joint == " " or len(self.values) != 1:
            return (self.name, *self.values)
        return (f"{self.name}{self.joint}{self.values[0]}",)

    @property
    def text(self) -> str:
        """The value as it is typed; only what needs quotes has some."""
        return " ".join(map(quoted, self.values))

    @property
    def key(self) -> str:
        """Equal for the same option, however it is spelled: --batch_size is --batch-size, +lr is lr."""
        return self.name.replace("_", "-") if self.name.startswith("-") else self.name.lstrip("+")


def quoted(word: str) -> str:
    """A word in quotes if it needs them to stay as it is; `*` and `[1,2]` do not, since no shell reads it."""
    return word if re.fullmatch(r"[^\s'\"\\~][^\s'\"\\]*", word) else shlex.quote(word)


def parse_arguments(words: Sequence[str], syntax: OptionSyntax | None = None) -> list[Argument]:
    """Returns the rows of the arguments; their words joined are the words given."""
    known = OptionSyntax() if syntax is None else syntax
    end = words.index(LITERAL) if LITERAL in words else len(words)
    arguments: list[Argument] = []
    index = 0
    while index < end:
        argument = _named(words[index]) or Argument(values=(words[index],))
        index += 1
        if argument.name and not argument.values and argument.name not in known.switches:
            is_list = argument.name in known.lists
            first, most = index, end if is_list else min(end, index + 1)
            while index < most and _may_be_value(words[index], is_list=is_list):
                index += 1
            argument = replace(argument, values=tuple(words[first:index]))
        arguments.append(argument)
    if end < len(words):
        arguments.append(Argument(name=LITERAL))
    return [*arguments, *(Argument(values=(word,)) for word in words[end + 1 :])]


@lru_cache(maxsize=1 << 15)  # the whole history is sorted and filtered again with each key
def named_values(words: tuple[str, ...]) -> Mapping[str, str]:
    """The values of options and of `key=value` by name: a switch is `yes`, a repeated option has all its values.

    Arguments without a name are numbered.
    """
    named: dict[str, str] = {}
    position = 0
    for argument in parse_arguments(words):
        if argument.name == LITERAL:
            continue
        position += not argument.name
        name = argument.name.lstrip("+") or f"{POSITIONAL}{position}"
        value = " ".join(argument.values) if argument.values else "yes"
        named[name] = f"{named[name]}, {value}" if name in named else value
    return named


def varying(runs: Sequence[Mapping[str, str]]) -> list[str]:
    """The names whose values are not the same in all of these, in their first order, paths last."""
    different = list({id(arguments): arguments for arguments in runs}.values())
    names = dict.fromkeys(chain.from_iterable(different))
    values = {name: {arguments.get(name) for arguments in different} for name in names}
    return sorted((name for name in names if len(values[name]) > 1), key=lambda name: has_path(values[name]))


def has_path(values: Iterable[str | None]) -> bool:
    """Whether a value is a path, which often repeats the other arguments: `--out runs/lr1e-3`."""
    return any("/" in value for value in values if value is not None)


def plain_name(name: str) -> str:
    """The name of an argument: `--batch-size` and `batch_size` are the same."""
    return name.lstrip("-").replace("-", "_")


def is_seed_name(name: str) -> bool:
    """`--seed`, `--random-seed`, `trainer.seed`, `--random-state`."""
    plain = plain_name(name.strip()).replace(".", "_").lower()
    return any(f"_{seed}_" in f"_{plain}_" for seed in ("seed", "random_state"))


def _may_be_value(word: str, *, is_list: bool) -> bool:
    """Whether a word after an option belongs to it; a `key=value` does so only in a list."""
    return re.fullmatch(_OPTION, word) is None and (is_list or re.fullmatch(_ASSIGNMENT, word) is None)


def _named(word: str) -> Argument | None:
    """An option or `key=value`, with the value that is in the same word; None for any other word."""
    attached = re.fullmatch(_ATTACHED, word)
    if attached is not None:
        return Argument(name=attached[1], values=(attached[2],), joint="")
    if re.fullmatch(_OPTION, word) is None and re.fullmatch(_ASSIGNMENT, word) is None:
        return None
    name, equals, value = word.partition("=")
    return Argument(name=name, values=(value,), joint="=") if equals else Argument(name=name)


def words_of_arguments(arguments: Iterable[Argument]) -> list[str]:
    return [word for argument in arguments for word in argument.words]


def compare_arguments(
    before: Sequence[Argument], now: Sequence[Argument]
) -> list[tuple[Argument | None, Argument | None]]:
    """Pairs of an argument before and now, in the order of now; one that was removed follows its predecessor.

    The second `--data` is paired with the second one, the third positional word with the third.
    """
    left = dict(zip(identities(before), before, strict=True))
    right = dict(zip(identities(now), now, strict=True))
    removed: dict[Identity | None, list[Argument]] = defaultdict(list)  # by the one before them that is still there
    last: Identity | None = None
    for identity, argument in left.items():
        if identity in right:
            last = identity
        else:
            removed[last].append(argument)
    pairs: list[tuple[Argument | None, Argument | None]] = [(argument, None) for argument in removed[None]]
    for identity, argument in right.items():
        pairs += [(left.get(identity), argument), *((gone, None) for gone in removed[identity])]
    return pairs


def identities(arguments: Sequence[Argument]) -> list[Identity]:
    counts: Counter[str] = Counter()
    identities: list[Identity] = []
    for argument in arguments:
        identities.append((argument.key, counts[argument.key]))
        counts[argument.key] += 1
    return identities


def change_arguments(arguments: Sequence[str], changes: Sequence[str], syntax: OptionSyntax | None = None) -> list[str]:
    """The arguments with others replaced or added.

    An option or `key=value` that is there already gets the new value in its own style; of an option that is repeated
    all are replaced. Positional words replace all positional words, and must be as many. Everything else is added at
    the end, before a `--`.

    Raises UsageError if there is another number of positional words, or an option is spelled in another way.
    """
    before, given = parse_arguments(arguments, syntax), parse_arguments(changes, syntax)
    _check_positional(before, given)
    _check_spelling(before, given)
    keys = {argument.key for argument in given}
    replacements = dict(zip(identities(given), given, strict=True))
    changed: list[Argument] = []
    for identity, argument in zip(identities(before), before, strict=True):
        replacement = replacements.pop(identity, None)
        if replacement is not None:
            changed.append(replace(replacement, name=argument.name, joint=argument.joint))
        elif argument.key not in keys:
            changed.append(argument)
    place = next((index for index, argument in enumerate(changed) if argument.name == LITERAL), len(changed))
    return words_of_arguments([*changed[:place], *replacements.values(), *changed[place:]])


def _check_positional(before: Sequence[Argument], given: Sequence[Argument]) -> None:
    old, new = ([word for argument in rows if not argument.name for word in argument.words] for rows in (before, given))
    if old and new and len(old) != len(new):
        raise UsageError(
            f"{shlex.join(new)}: the run has {counted(len(old), 'argument')} without an option ({shlex.join(old)}), "
            f"and here {'is' if len(new) == 1 else 'are'} {len(new)}",
            "give all of them, or none",
        )


def _check_spelling(before: Sequence[Argument], given: Sequence[Argument]) -> None:
    """`batch_size=64` would be added to a `--batch-size 32`, which the script goes on to read."""
    spelled = {_bare(argument): argument for argument in before if argument.name}
    for argument in given:
        known = spelled.get(_bare(argument)) if argument.name else None
        if known is not None and known.key != argument.key:
            use = shlex.join(replace(argument, name=known.name, joint=known.joint).words)
            raise UsageError(f"{shlex.join(argument.words)}: the run has {shlex.join(known.words)}", f"use {use}")


def _bare(argument: Argument) -> str:
    return argument.key.lstrip("-").replace("_", "-")


def with_placeholder(arguments: Sequence[str], key: str, syntax: OptionSyntax | None = None) -> list[str]:
    """The arguments with `{key}` as the value of the option of that name; unchanged if there is none."""
    placeholder = f"{{{key}}}"
    if any(placeholder in word for word in arguments):
        return list(arguments)
    rows = parse_arguments(arguments, syntax)
    return words_of_arguments(
        replace(row, values=(placeholder,)) if row.values and row.key.lstrip("-") == key.replace("_", "-") else row
        for row in rows
    )
