"""Text cut to so many columns of a terminal; the name of a run loses last what tells it from other runs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import methodcaller
from typing import NamedTuple

_FRONT = 12  # columns of what is before the arguments in a name that go before the names of arguments
_LEAST_FRONT = 4
_SHORT = 3  # letters of a name that is not cut


def columns_of(text: str) -> int:
    """How many columns of a terminal a printable text takes."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width  # only if a name needs it

    return sum(0 if combining(letter) else 2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def shortened(text: str, width: int, mark: str = "…", *, middle: bool = False) -> str:
    """The text in at most `width` columns, with a mark where it was cut: at the end, or after a third."""
    if columns_of(text) <= width:
        return text
    room = width - len(mark)
    if room < 0:
        return ""
    tail = _fitting(text[::-1], room * 2 // 3)[::-1] if middle else ""
    return _fitting(text, room - columns_of(tail)).rstrip() + mark + tail


def fitted_title(title: str, width: int, mark: str = "…") -> str:
    """The heading of a column in at most `width` columns: the end of its longest word goes, as in `best val_…`."""
    words = title.split(" ")
    longest = max(range(len(words)), key=lambda index: columns_of(words[index]))
    room = width - columns_of(title) + columns_of(words[longest])
    if columns_of(title) <= width or room <= len(mark):
        return shortened(title, width, mark)
    return " ".join([*words[:longest], shortened(words[longest], room, mark), *words[longest + 1 :]])


def fitted_name(
    name: str,
    width: int,
    mark: str = "…",
    *,
    keeps_front: bool = False,
    table: Mapping[str, str] | None = None,
) -> str:
    """The name of a run in at most `width` columns: `vit… lr=1e-3 ba…=64`.

    The values of arguments tell runs apart and stay whole as long as they fit. The names of arguments are shortened
    first, to beginnings that no other one has; in a `table`, to what `short_names` gave for it. Then what is before the
    arguments is cut. Names are left out at last, the longest first; before the beginning of what is before the
    arguments, if that tells runs apart, too (`keeps_front`).
    A name without arguments is cut in its middle.
    """
    kept = frozenset((table or {}).values())
    front, words = _parts(name)
    arguments = [_renamed(word, table or {}) for word in words]
    name = " ".join(filter(None, [front, *arguments]))
    if columns_of(name) <= width or not arguments:
        return shortened(name, width, mark, middle=True)
    whole, least = columns_of(front), columns_of(_with_short_names(arguments, 0, mark, kept))
    before = min(whole, _FRONT, width - least - 1)
    if front and before >= min(whole, _LEAST_FRONT):
        values = _with_short_names(arguments, width - before - 1, mark, kept)
        return f"{shortened(front, width - columns_of(values) - 1, mark)} {values}"
    short = min(whole, _LEAST_FRONT)
    values = _without_names(arguments, width - short - 1, mark, kept)
    if front and keeps_front and columns_of(values) < width - short:
        return f"{shortened(front, width - columns_of(values) - 1, mark)} {values}"
    return shortened(_without_names(arguments, width, mark, kept), width, mark)


def named_in(name: str, table: Mapping[str, str]) -> str:
    """The name of a run with its arguments called as in a table."""
    return " ".join(_renamed(word, table) for word in name.split(" ")) if table else name


def short_names(names: Iterable[str], width: int, mark: str = "…", others: Collection[str] = ()) -> dict[str, str]:
    """What the arguments in these names are called in a table: each the same in every row.

    They are cut as far as the widest name needs, but not beyond what no other argument, nor one of the `others`,
    begins with; one of the `others`, which no name shows, may begin alike where a name has no room otherwise. A name
    that does not even fit then takes nothing from the others.
    """
    parts = list(map(_parts, names))
    rows = [_NamedValues.of(front, arguments, width) for front, arguments in parts]
    least = _least_names(parts, others)
    without_others = _least_names(parts, ())
    if any(_columns_of(row.names, without_others) <= row.room < _columns_of(row.names, least) for row in rows):
        least = without_others
    shown = dict(zip(least, least, strict=True))
    for row in sorted(rows, key=lambda row: row.room - _columns_of(row.names, shown)):
        if _columns_of(row.names, least) > row.room:
            continue
        room = row.room - row.before
        while _columns_of(row.names, shown) > room and (able := [key for key in row.names if shown[key] != least[key]]):
            longest = max(able, key=lambda key: columns_of(shown[key]))
            shown[longest] = _shorter(longest, columns_of(shown[longest]), least[longest], mark)
    return shown


class _NamedValues(NamedTuple):
    """The arguments in a name, how many columns what is before them takes, and the room for what they are called."""

    names: Sequence[str]
    before: int
    room: int

    @classmethod
    def of(cls, front: str, arguments: Sequence[str], width: int) -> _NamedValues:
        names = [word.partition("=")[0] for word in arguments if "=" in word]
        room = width - columns_of(" ".join(arguments)) + sum(map(columns_of, names))
        return cls(names, min(columns_of(front), _FRONT) + bool(front), room)


def _columns_of(keys: Iterable[str], shown: Mapping[str, str]) -> int:
    return sum(columns_of(shown[key]) for key in keys)


def fitted_names(names: Sequence[str], width: int, mark: str = "…") -> list[str]:
    """Names that stand beside each other: their arguments are called alike."""
    table = short_names(names, width, mark)
    return [fitted_name(name, width, mark, table=table) for name in names]


def least_names(names: Iterable[str], others: Collection[str] = ()) -> Mapping[str, str]:
    """What the arguments in these names are called where they have the least room."""
    return _least_names(map(_parts, names), others)


def least_columns(names: Iterable[str], others: Collection[str] = (), *, shared_front: bool = True) -> int:
    """How many columns these names need in a table to show their values, and most of what is before them.

    Without `shared_front` nothing is needed for what is before them if it is the same in all. Names without arguments
    need none.
    """
    parts = [part for part in map(_parts, names) if part[1]]
    least = _least_names(parts, others)
    has_front = shared_front or len({front.strip() for front, _ in parts} - {""}) > 1
    return max((_least_columns(front if has_front else "", words, least) for front, words in parts), default=0)


def _least_columns(front: str, arguments: Sequence[str], least: Mapping[str, str]) -> int:
    before = min(columns_of(front), _FRONT) + 1 if front else 0
    return before + columns_of(" ".join(_renamed(word, least) for word in arguments))


def _least_names(parts: Iterable[tuple[str, Sequence[str]]], others: Collection[str]) -> Mapping[str, str]:
    """The shortest beginnings that tell the arguments in these names from each other and from the `others`."""
    names = dict.fromkeys(word.partition("=")[0] for _, arguments in parts for word in arguments if "=" in word)
    known = {*names, *others}
    return {name: _unique_beginning(name, known) for name in names}


def _renamed(word: str, names: Mapping[str, str]) -> str:
    name, equals, value = word.partition("=")
    return f"{names.get(name, name)}={value}" if equals else word


def _parts(name: str) -> tuple[str, Sequence[str]]:
    words = name.split(" ")
    first = next((index for index, word in enumerate(words) if "=" in word), len(words))
    return " ".join(words[:first]), words[first:]


def _with_short_names(arguments: Sequence[str], room: int, mark: str, kept: Collection[str]) -> str:
    """The arguments with their names cut, the longest first, but not beyond what no other name begins with.

    Those that are `kept` are not cut.
    """
    parts = [word.partition("=") for word in arguments]
    names = {name for name, equals, _ in parts if equals}
    least = [_unique_beginning(name, names) if equals and name not in kept else name for name, equals, _ in parts]
    shown = [name for name, _, _ in parts]
    excess = columns_of(" ".join(arguments)) - room
    while excess > 0 and (able := [index for index, name in enumerate(shown) if name != least[index]]):
        longest = max(able, key=lambda index: columns_of(shown[index]))
        before = columns_of(shown[longest])
        shown[longest] = _shorter(parts[longest][0], before, least[longest], mark)
        excess -= before - columns_of(shown[longest])
    return " ".join(f"{name}{equals}{value}" for name, (_, equals, value) in zip(shown, parts, strict=True))


def _shorter(name: str, columns: int, least: str, mark: str) -> str:
    """The name in fewer columns than these."""
    is_marked = columns > columns_of(least) + 2  # a letter more than the least, and the mark
    return shortened(name, columns - 1, mark) if is_marked else least


def _unique_beginning(name: str, names: Collection[str]) -> str:
    if len(name) <= _SHORT:
        return name
    beginnings = [name[:size] for size in range(1, len(name))]
    return next((text for text in beginnings if sum(map(methodcaller("startswith", text), names)) == 1), name)


def _without_names(arguments: Sequence[str], width: int, mark: str, kept: Collection[str]) -> str:
    """The arguments with short names, the longest of which are left out where even they do not fit."""
    values = _with_short_names(arguments, width, mark, kept)
    if columns_of(values) <= width:
        return values
    words = list(arguments)
    for word in sorted(arguments, key=lambda word: word.find("="), reverse=True):
        if columns_of(" ".join(words)) > width:
            words[words.index(word)] = word.partition("=")[2] or word
    return " ".join(words)


def _fitting(text: str, width: int) -> str:
    if text.isascii():
        return text[: max(0, width)]
    end = 0
    while end < len(text) and columns_of(text[: end + 1]) <= width:
        end += 1
    return text[:end]
