"""The footer: the keys that apply now, the most likely ones first, and the key for all of them."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual.message import Message

from backprop_tui.tui.action import Action
from backprop_tui.tui.actions import BY_ID
from backprop_tui.tui.lines import Line, LineBuilder, Token, ends, hint, width_of
from backprop_tui.tui.widgets.line_widget import LineWidget

_ALL_KEYS = hint("?", "all keys ")


def keys_beside(width: int) -> int:
    """The cells that no message covers: `q leave   ? all keys`; none where the screen is too narrow for a footer."""
    return 22 if width >= 60 else 0


def draw_footer(
    keys: Sequence[tuple[str, str]], width: int, *, note: str = "", all_keys: bool = True, covered: int = 0
) -> Line:
    """A note, then keys with a word each, as many as fit; with `all_keys` the key of the help at the end.

    A message covers the first cells.
    """
    builder = LineBuilder()
    builder.put(" " * (1 + covered))
    if note:
        builder.put(note, Token.WARN).put("   ")
    beside = width_of(_ALL_KEYS) + 2 if all_keys else 1
    for index, (key, word) in enumerate(_fitting(keys, width - builder.column - beside)):
        gap = "   " if index else ""
        builder.put(gap).extend(hint(key, word))
    if width < 24 or not all_keys:
        return builder.line()
    return ends(builder.line(), _ALL_KEYS, width)


def _fitting(keys: Sequence[tuple[str, str]], room: int) -> Sequence[tuple[str, str]]:
    """The first keys, and the last one, which leaves the screen: as many as there is room for."""
    for count in range(len(keys), 0, -1):
        fitting = [*keys[: count - 1], keys[-1]]
        if sum(len(key) + len(word) + 4 for key, word in fitting) - 3 <= room:
            return fitting
    return ()


class KeysFooter(LineWidget):
    """Keys with a word each, beside a message if there is one."""

    _keys: Sequence[tuple[str, str]] = ()
    _note = ""
    _all_keys = False
    _width = 0
    _covered = 0

    def show_keys(self, keys: Sequence[tuple[str, str]], width: int, *, note: str = "", all_keys: bool = False) -> None:
        self._keys, self._width, self._note, self._all_keys = keys, width, note, all_keys
        self._paint()

    def make_room(self, message: str) -> None:
        """Shows the keys beside a message that covers the beginning of the line; empty: there is none."""
        self._covered = min(cell_len(message) + 3, self.size.width - keys_beside(self.size.width)) if message else 0
        if self._keys:
            self._paint()

    def _paint(self) -> None:
        line = draw_footer(self._keys, self._width, note=self._note, all_keys=self._all_keys, covered=self._covered)
        self.show([line])


class FooterBar(KeysFooter):
    """The actions that apply now; a click on one carries it out."""

    _actions: Sequence[Action] = ()

    class Clicked(Message):
        """An action of the footer was clicked."""

        def __init__(self, action: Action) -> None:
            super().__init__()
            self.action = action

    def show_actions(self, actions: Sequence[Action], width: int, *, note: str = "", all_keys: bool = True) -> None:
        self._actions = actions
        self.show_keys(footer_texts(actions), width, note=note, all_keys=all_keys)

    def action_press(self, key: str) -> None:
        """The actions of a pane apply although it may not have the focus."""
        actions = {action.keys_in_footer: action for action in (BY_ID["help"], *self._actions)}
        if key in actions:
            self.post_message(self.Clicked(actions[key]))


def footer_texts(actions: Sequence[Action]) -> list[tuple[str, str]]:
    return [(action.keys_in_footer, action.short) for action in actions]
