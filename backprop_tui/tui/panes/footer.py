"""The footer: the keys that apply now, the most likely ones first, and the key for all of them."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events, on
from textual.message import Message

from backprop_tui.tui.action import Action
from backprop_tui.tui.actions import BY_ID
from backprop_tui.tui.lines import Line, LineBuilder, Piece, Token, ends, width_of
from backprop_tui.tui.widgets.line_widget import LineWidget

_ALL_KEYS = (Piece("?", Token.ACCENT, bold=True), Piece(" all keys ", Token.MUTED))


def draw_footer(keys: Sequence[tuple[str, str]], width: int, *, note: str = "", all_keys: bool = True) -> Line:
    """A note, then keys with a word each, as many as fit; with `all_keys` the key of the help at the end."""
    builder = LineBuilder()
    builder.put(" ")
    if note:
        builder.put(note, Token.WARN).put("   ")
    for index, (key, word) in enumerate(_fitting(keys, width - builder.column)):
        gap = "   " if index else ""
        builder.put(gap).put(key, Token.ACCENT, bold=True).put(f" {word}", Token.MUTED)
    if width < 24 or not all_keys:
        return builder.line()
    return ends(builder.line(), _ALL_KEYS, width)


def _fitting(keys: Sequence[tuple[str, str]], width: int) -> Sequence[tuple[str, str]]:
    """The first keys, and the last one, which leaves the screen: as many as fit beside the key of the help."""
    room = width - width_of(_ALL_KEYS) - 2
    for count in range(len(keys), 0, -1):
        fitting = [*keys[: count - 1], keys[-1]]
        if sum(len(key) + len(word) + 4 for key, word in fitting) - 3 <= room:
            return fitting
    return ()


def key_at(
    keys: Sequence[tuple[str, str]], column: int, width: int, *, note: str = "", all_keys: bool = True
) -> str | None:
    if all_keys and column >= width - width_of(_ALL_KEYS):
        return "?"
    at = 1 + (len(note) + 3 if note else 0)
    for key, word in _fitting(keys, width - at):
        size = len(key) + len(word) + 1
        if at <= column < at + size:
            return key
        at += size + 3
    return None


class FooterBar(LineWidget):
    """The actions that apply now; a click on one carries it out."""

    _actions: Sequence[Action] = ()
    _note = ""
    _all_keys = True

    class Clicked(Message):
        """An action of the footer was clicked."""

        def __init__(self, action: Action) -> None:
            super().__init__()
            self.action = action

    def show_actions(self, actions: Sequence[Action], width: int, *, note: str = "", all_keys: bool = True) -> None:
        self._actions, self._note, self._all_keys = actions, note, all_keys
        self.show([draw_footer(footer_texts(actions), width, note=note, all_keys=all_keys)])

    @on(events.Click)
    def _clicked(self, event: events.Click) -> None:
        key = key_at(footer_texts(self._actions), event.x, self.size.width, note=self._note, all_keys=self._all_keys)
        actions = {action.keys_in_footer: action for action in (BY_ID["help"], *self._actions)}
        if key in actions:
            self.post_message(self.Clicked(actions[key]))


def footer_texts(actions: Sequence[Action]) -> list[tuple[str, str]]:
    return [(action.keys_in_footer, action.short) for action in actions]
