"""Terminal notifications: one bell, and the sequence that the terminal knows, wrapped where needed."""

from __future__ import annotations

import pytest

from backprop_tui.tui.notifications import terminal_notifier


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"TERM": "xterm-256color"}, "\x1b]9;backprop: a failed\x07"),
        ({"TERM": "xterm-kitty"}, "\x1b]9;backprop: a failed\x07"),
        ({"TERM": "foot"}, "\x1b]777;notify;backprop;a failed\x07"),
        ({"TERM": "rxvt-unicode-256color"}, "\x1b]777;notify;backprop;a failed\x07"),
        ({"TERM": "xterm-256color", "VTE_VERSION": "7600"}, "\x1b]777;notify;backprop;a failed\x07"),
        (
            {"TERM": "tmux-256color", "TMUX": "/tmp/t,1,0"},
            "\x1bPtmux;\x1b\x1b]9;backprop: a failed\x07\x1b\\",
        ),
        ({"TERM": "screen", "STY": "1.pts"}, "\x1bP\x1b]9;backprop: a failed\x07\x1b\\"),
    ],
)
def test_the_sequence_depends_on_the_terminal(environment: dict[str, str], expected: str) -> None:
    assert terminal_notifier(environment, bell=False, osc=True).sequences(["a failed"]) == expected


def test_the_bell_rings_once_for_all_ends() -> None:
    notifier = terminal_notifier({}, bell=True, osc=False)
    assert notifier.sequences(["a done", "b done"]) == "\x07"
    assert notifier.sequences([]) == ""


def test_nothing_is_written_if_nothing_is_enabled() -> None:
    assert terminal_notifier({}, bell=False, osc=False).sequences(["a done"]) == ""


def test_foreign_text_cannot_terminate_the_sequence_nor_add_a_field() -> None:
    for environment in ({"TERM": "foot"}, {}, {"TMUX": "x"}, {"STY": "x"}):
        plain = terminal_notifier(environment, bell=False, osc=True).sequences(["ab"])
        hostile = terminal_notifier(environment, bell=False, osc=True).sequences(["a\x07\x1b]0;owned\x1b\\;\x9cb\x00"])
        assert hostile.count("\x1b") == plain.count("\x1b")
        assert hostile.count("\x07") == plain.count("\x07")
        assert hostile.count(";") == plain.count(";")
        assert "\x9c" not in hostile
