"""A command line whose arguments are changed one by one: what differs from where it began, and what makes a sweep."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from math import prod

from backprop_tui.client.run_request import parse_axis
from backprop_tui.domain.arguments import (
    LITERAL,
    Argument,
    Identity,
    OptionSyntax,
    compare_arguments,
    identities,
    parse_arguments,
    quoted,
    words_of_arguments,
)
from backprop_tui.domain.formatting import counted
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.resume_arguments import misspelled_arguments, outdated_output
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.tui.screens.draft import COMMAND, SWEEP, SWEPT, Draft, line_of, parse_command, split_command, words_in

_NOT_LISTED = re.compile(r"[\[\](){}<>'\"\\]")


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class ArgumentRow:
    """An argument before and now, None if it was added or removed; `place` counts the present arguments before it.

    `sweep` are the values of a sweep, empty for one value; `listed` how many values a sweep would have.
    """

    place: int
    before: Argument | None
    now: Argument | None
    sweep: tuple[str, ...] = ()
    listed: int = 0

    @property
    def differs(self) -> bool:
        return (self.before and self.before.words) != (self.now and self.now.words)

    @property
    def name(self) -> str:
        argument = self.now or self.before
        return "" if argument is None else argument.name


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class RefusedValue:
    """A value that is none of those that the source of the script lists for its option."""

    option: str
    value: str
    choices: tuple[str, ...]
    is_one_of_several: bool = False

    @property
    def reason(self) -> str:
        return f"none of {', '.join(self.choices)}"

    @property
    def is_begun(self) -> bool:
        """Whether the value may become one of the choices when it is typed to its end."""
        return any(choice.startswith(self.value) for choice in self.choices)

    def __str__(self) -> str:
        return f"{self.option} {self.value}: {self.reason}"


def listed_values(text: str) -> tuple[str, ...]:
    """The values of `a,b,c` or `1..3`; empty for one value, which may have commas in quotes or brackets."""
    if _NOT_LISTED.search(text) or not re.search(r",|\.\.", text):
        return ()
    try:
        values = parse_axis(f"value={text}").values
    except ValueError:
        return ()
    return values if len(values) > 1 else ()


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class EditedCommand:
    """`text` is the whole command line; `origin` are the arguments it began with: those of `source` if there is one.

    `a,b,c` and `1..3` are sweeps if they were typed as the value of an argument that was no list before; `chosen`
    overrides that.
    """

    text: str = ""
    origin: tuple[Argument, ...] = ()
    has_source: bool = False
    syntax: OptionSyntax = field(default_factory=OptionSyntax)
    typed: frozenset[Identity] = frozenset()
    chosen: Mapping[Identity, bool] = field(default_factory=dict)

    @classmethod
    def of(cls, draft: Draft, syntax: OptionSyntax | None = None, *, has_source: bool = False) -> EditedCommand:
        known = OptionSyntax() if syntax is None else syntax
        text = draft.get(COMMAND, "")
        origin = tuple(_arguments_of(text, known))
        swept = {_identity(word): True for word in draft.get(SWEPT, "").split()}
        return cls(text=text, origin=origin, has_source=has_source, syntax=known, chosen=swept)

    def with_text(self, text: str) -> EditedCommand:
        """The command line was typed or pasted as a whole: commas in it are no sweep, but those that were stay."""
        kept = {identity: True for identity, argument in self._named() if self._is_swept(identity, argument)}
        origin = self.origin if self.has_source else tuple(_arguments_of(text, self.syntax))
        return replace(self, text=text, origin=origin, typed=frozenset(), chosen=kept)

    def with_syntax(self, syntax: OptionSyntax) -> EditedCommand:
        if syntax == self.syntax:
            return self
        origin = tuple(parse_arguments(words_of_arguments(self.origin), syntax))
        return replace(self, syntax=syntax, origin=origin)

    @property
    def arguments(self) -> list[Argument]:
        return _arguments_of(self.text, self.syntax)

    @property
    def names(self) -> list[str]:
        return [argument.name for argument in self.arguments]

    def rows(self) -> list[ArgumentRow]:
        rows: list[ArgumentRow] = []
        place = 0
        names = dict(zip(map(id, arguments := self.arguments), identities(arguments), strict=True))
        for before, now in compare_arguments(self.origin, arguments):
            values = () if now is None else listed_values(now.text)
            is_swept = now is not None and self._is_swept(names[id(now)], now)
            sweep = values if is_swept else ()
            rows.append(ArgumentRow(place=place, before=before, now=now, sweep=sweep, listed=len(values)))
            place += now is not None
        return rows

    def differences(self) -> int:
        return sum(row.differs for row in self.rows())

    def refused_values(self) -> dict[int, RefusedValue]:
        """The first such value of each argument, by its place."""
        refused = {}
        for row in self.rows():
            choices = self.syntax.choices.get(row.name, ())
            values = () if row.now is None else row.sweep or row.now.values
            wrong = [value for value in values if not _is_choice(value, choices)]
            if choices and wrong:
                several = len(values) > 1
                refused[row.place] = RefusedValue(
                    option=row.name, value=wrong[0], choices=choices, is_one_of_several=several
                )
        return refused

    def misspelled(self) -> list[str]:
        """The options that the script does not define, each with a similar one that it does."""
        unknown = misspelled_arguments(self.arguments, self.syntax)
        if not unknown:
            return []
        script = os.path.basename(parse_command(self.text).script or "") or "the script"
        return [f"{script} defines no {given}, but {meant}" for given, meant in unknown.items()]

    @property
    def doubt(self) -> str:
        """What the verdict about the runs is limited by; empty if nothing is known against the arguments."""
        if self.refused_values():
            return "the script does not take these arguments"
        return "an option may be misspelled" if self.misspelled() else ""

    def refusals(self, *, asks: bool = False) -> list[str]:
        """What the script is likely to refuse. `asks`: enter queues it nevertheless."""
        texts = [sanitize(str(each)) for each in (*self.misspelled(), *self.refused_values().values())]
        before = "enter again queues it as it is: " if asks else ""
        return [f"{before}{texts[0]}", *texts[1:]] if texts else []

    def outdated_output(self) -> str:
        """Where an output, such as `ck/256-1`, has the old value of a changed argument in its name; else empty."""
        return outdated_output([(row.before, row.now) for row in self.rows() if not row.sweep])

    def with_value(self, place: int, text: str) -> EditedCommand:
        """Changes the value of an argument. Raises ValueError if a quotation is not closed.

        A value that would be read as an option, and an empty one before a positional argument, are joined by `=`.
        """
        arguments = self.arguments
        arguments[place] = changed = replace(arguments[place], values=words_in(text))
        is_joinable = changed.name.startswith("--") and len(changed.values) <= 1
        if is_joinable and parse_arguments(words_of_arguments(arguments), self.syntax) != arguments:
            arguments[place] = replace(changed, values=changed.values or ("",), joint="=")
        identity = identities(arguments)[place]
        typed = self.typed - {identity} if _NOT_LISTED.search(text) else self.typed | {identity}
        return replace(self._with_arguments(arguments), typed=typed)

    def with_change(self, place: int | None, text: str) -> EditedCommand:
        """Changes the value at a place; without one, `text` are arguments to add. Raises ValueError as both do."""
        return self.with_added(text) if place is None else self.with_value(place, text)

    def with_added(self, text: str) -> EditedCommand:
        """Adds arguments before a `--`. Raises ValueError if a quotation is not closed."""
        arguments, added = self.arguments, parse_arguments(words_in(text), self.syntax)
        place = next((index for index, argument in enumerate(arguments) if argument.name == LITERAL), len(arguments))
        arguments[place:place] = added
        new = identities(arguments)[place : place + len(added)]
        return replace(self._with_arguments(arguments), typed=self.typed.union(new))

    def with_advice(self, option: str, value: str, better: str) -> EditedCommand:
        """Gives an option the better value in place of this one, which is its default if the command has none."""
        row = next((row for row in self.rows() if row.name == option), None)
        if row is None:
            return self.with_added(f"{option} {better}")
        is_same = row.now is not None and row.now.text == value
        return self.with_value(row.place, better) if is_same else self

    def without(self, place: int) -> EditedCommand:
        arguments = self.arguments
        del arguments[place]
        return self._with_arguments(arguments)

    def with_restored(self, row: ArgumentRow) -> EditedCommand:
        """Puts an argument that was removed back to its place."""
        arguments = self.arguments
        arguments[row.place : row.place] = [row.before] if row.before is not None else []
        return self._with_arguments(arguments)

    def switched(self, place: int) -> EditedCommand:
        """Takes a value with commas for a sweep, or for one value."""
        identity, argument = self._named()[place]
        return replace(self, chosen={**self.chosen, identity: not self._is_swept(identity, argument)})

    def all_switched(self) -> EditedCommand:
        """Takes every list of values for a sweep; if all of them are, each for one value."""
        lists, named = self._lists(), self._named()
        are_sweeps = not all(row.sweep for row in lists)
        return replace(self, chosen={**self.chosen, **{named[row.place][0]: are_sweeps for row in lists}})

    def sweep_hint(self, *, asks: bool = False) -> str:
        """What ctrl+s makes of lists that are one value each; empty if there are none. `asks`: enter waits for it."""
        lists = self._lists()
        runs, total = counted(prod(len(row.sweep) or 1 for row in lists), "run"), prod(row.listed for row in lists)
        if all(row.sweep for row in lists):
            return ""
        if asks:
            return f"enter again: {runs} with this text, ctrl+s: sweep of {total}"
        return f"{runs}; ctrl+s makes it a sweep of {total}"

    @property
    def is_undecided(self) -> bool:
        """Whether there is a list that is one value because nobody chose, with ctrl+s or in the other run."""
        named = self._named()
        return any(
            not (row.sweep or named[row.place][0] in self.chosen or (self.has_source and _has_list(row.before)))
            for row in self._lists()
        )

    def _lists(self) -> list[ArgumentRow]:
        """Lists of values, but not those that the other run took as one value."""
        return [row for row in self.rows() if row.listed and (row.sweep or row.differs or not self.has_source)]

    def kept(self) -> dict[str, str]:
        """The fields of a draft that it is restored from."""
        swept = [identity for identity, argument in self._named() if self._is_swept(identity, argument)]
        return {COMMAND: self.text, SWEPT: " ".join(f"{number}:{key}" for key, number in swept)}

    def placed(self, draft: Draft) -> dict[str, str]:
        """The draft with this command line, the values of each sweep replaced by a `{KEY}` for them."""
        arguments = self.arguments
        sweeps: list[str] = []
        for place, (identity, argument) in enumerate(self._named()):
            if self._is_swept(identity, argument):
                key = re.sub(r"[^\w.-]", "_", argument.name.lstrip("-+~")) or "argument"
                sweeps.append(f"{key}={','.join(listed_values(argument.text))}")
                arguments[place] = replace(argument, values=(f"{{{key}}}",))
        sweep = " ".join([draft.get(SWEEP, ""), *map(quoted, sweeps)]).strip()
        text = self._with_arguments(arguments).text if sweeps else self.text
        return {**draft, COMMAND: text, SWEEP: sweep}

    def _named(self) -> list[tuple[Identity, Argument]]:
        arguments = self.arguments
        return list(zip(identities(arguments), arguments, strict=True))

    def _is_swept(self, identity: Identity, argument: Argument) -> bool:
        if not listed_values(argument.text):
            return False
        before = dict(zip(identities(self.origin), self.origin, strict=True)).get(identity)
        return self.chosen.get(identity, identity in self.typed and not _has_list(before))

    def _with_arguments(self, arguments: Sequence[Argument]) -> EditedCommand:
        before, _ = split_command(self.text)
        words = words_of_arguments(arguments)
        if words[:1] == [LITERAL] and before[-1:] != [LITERAL]:
            before = [*before, LITERAL]  # the first one only separates the script from its arguments
        return replace(self, text=line_of([*before, *words]))


def _arguments_of(text: str, syntax: OptionSyntax) -> list[Argument]:
    try:
        return parse_arguments(split_command(text)[1], syntax)
    except ValueError:  # a quotation is being typed
        return []


def _is_choice(value: str, choices: Sequence[str]) -> bool:
    """Whether a value is one of the choices, may become one (`{opt}` of a sweep, another case), or equals one."""
    if re.search(r"\{[\w.-]+\}", value) or value.casefold() in map(str.casefold, choices):
        return True
    try:
        return float(value) in map(float, choices)
    except ValueError:
        return False


def _has_list(argument: Argument | None) -> bool:
    """Whether a value had commas or was a range before: then it stays one."""
    return argument is not None and ("," in argument.text or bool(listed_values(argument.text)))


def _identity(word: str) -> Identity:
    number, _, key = word.partition(":")
    return key, int(number)
