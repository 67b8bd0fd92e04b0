"""Text cut to so many columns of a terminal; the name of a run loses last what tells it from other runs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from operator import methodcaller

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
    name: str, width: int, mark: str = "…", *, keeps_front: bool = False, others: Collection[str] = ()
) -> str:
    """The name of a run in at most `width` columns: `vit… lr=1e-3 ba…=64`.

    The values of arguments tell runs apart and stay whole as long as they fit. The names of arguments are shortened
    first, to beginnings that no other one has, nor one of the `others` that the run has, too; then what is before the
    arguments. Names are left out at last, the
    longest first; before the beginning of what is before the arguments, if that tells runs apart, too (`keeps_front`).
    A name without arguments is cut in its middle.
    """
    front, arguments = _parts(name)
    if columns_of(name) <= width or not arguments:
        return shortened(name, width, mark, middle=True)
    whole, least = columns_of(front), columns_of(_with_short_names(arguments, 0, mark, others))
    kept = min(whole, _FRONT, width - least - 1)
    if front and kept >= min(whole, _LEAST_FRONT):
        values = _with_short_names(arguments, width - kept - 1, mark, others)
        return f"{shortened(front, width - columns_of(values) - 1, mark)} {values}"
    short = min(whole, _LEAST_FRONT)
    values = _without_names(arguments, width - short - 1, mark, others)
    if front and keeps_front and columns_of(values) < width - short:
        return f"{shortened(front, width - columns_of(values) - 1, mark)} {values}"
    return shortened(_without_names(arguments, width, mark, others), width, mark)


def fitted_names(names: Sequence[str], width: int, mark: str = "…") -> list[str]:
    """Names that stand beside each other: what the longest one loses of its argument names, the others lose, too."""
    longest = max(names, key=columns_of)
    before, after = _parts(longest)[1], _parts(fitted_name(longest, width, mark))[1]
    keys = [(old.partition("=")[0], new.partition("=")[0]) for old, new in zip(before, after, strict=False)]
    shorter = dict(keys) if len(before) == len(after) and all(word.count("=") for word in after) else {}

    def cut(name: str) -> str:
        front, arguments = _parts(name)
        parts = (word.partition("=") for word in arguments)
        words = (f"{shorter.get(key, key)}{equals}{value}" for key, equals, value in parts)
        return fitted_name(" ".join(filter(None, [front, *words])), width, mark)

    return list(map(cut, names))


def least_columns(name: str, others: Collection[str] = ()) -> int:
    """How many columns `fitted_name` needs to show the values, and most of what is before them; 0 without arguments.

    `others` are as there.
    """
    front, arguments = _parts(name)
    if not arguments:
        return 0
    before = min(columns_of(front), _FRONT) + 1 if front else 0
    return before + columns_of(_with_short_names(arguments, 0, "", others))


def _parts(name: str) -> tuple[str, Sequence[str]]:
    words = name.split(" ")
    first = next((index for index, word in enumerate(words) if "=" in word), len(words))
    return " ".join(words[:first]), words[first:]


def _with_short_names(arguments: Sequence[str], room: int, mark: str, others: Collection[str] = ()) -> str:
    """The arguments with their names cut, the longest first, but not beyond what no other name begins with."""
    parts = [word.partition("=") for word in arguments]
    names = {name for name, equals, _ in parts if equals}.union(others)
    least = [_unique_beginning(name, names) if equals else name for name, equals, _ in parts]
    shown = [name for name, _, _ in parts]
    excess = columns_of(" ".join(arguments)) - room
    while excess > 0 and (able := [index for index, name in enumerate(shown) if name != least[index]]):
        longest = max(able, key=lambda index: columns_of(shown[index]))
        before = columns_of(shown[longest])
        marked = before > columns_of(least[longest]) + 2  # a letter more than the least, and the mark
        shown[longest] = shortened(parts[longest][0], before - 1, mark) if marked else least[longest]
        excess -= before - columns_of(shown[longest])
    return " ".join(f"{name}{equals}{value}" for name, (_, equals, value) in zip(shown, parts, strict=True))


def _unique_beginning(name: str, names: Collection[str]) -> str:
    if len(name) <= _SHORT:
        return name
    beginnings = [name[:size] for size in range(1, len(name))]
    return next((text for text in beginnings if sum(map(methodcaller("startswith", text), names)) == 1), name)


def _without_names(arguments: Sequence[str], width: int, mark: str, others: Collection[str]) -> str:
    """The arguments with short names, the longest of which are left out where even they do not fit.

    Names that only another argument of the run begins with as well are better than none.
    """
    for known in (others, ()):
        values = _with_short_names(arguments, width, mark, known)
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
