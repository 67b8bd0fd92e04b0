"""Preferences: settings win, then the answers of the terminal, then its environment variables."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from backprop_tui.config.keys import KEYS
from backprop_tui.tui.app import Dashboard
from backprop_tui.tui.glyphs import ASCII, UNICODE, Curves
from backprop_tui.tui.terminal import Terminal
from backprop_tui.tui.theme import DARK, LIGHT, TERMINAL, Preferences, load_preferences
from tests.tui.doubles import FakeBridge, FakeCommands
from tests.tui.snapshots import snapshot


@pytest.fixture(autouse=True)
def utf_8(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("locale.nl_langinfo", lambda _item: "UTF-8")


def settled(tmp_path: Path, dashboard: str = "", terminal: Terminal | None = None, **environment: str) -> Preferences:
    """With these lines of the table `dashboard`."""
    config = tmp_path / "config.toml"
    config.write_text(f"[dashboard]\n{dashboard}\n")
    return load_preferences(str(config), {"TERM": "xterm-256color"} | environment, terminal or Terminal())


def test_a_light_terminal_gets_the_light_theme_and_another_the_dark_one(tmp_path: Path) -> None:
    assert settled(tmp_path, terminal=Terminal(is_light=True)).theme == LIGHT
    assert settled(tmp_path, terminal=Terminal(is_light=False), COLORFGBG="0;15").theme == DARK
    assert settled(tmp_path).theme == DARK


def test_without_an_answer_of_the_terminal_its_variable_counts(tmp_path: Path) -> None:
    assert settled(tmp_path, COLORFGBG="0;default;15").theme == LIGHT
    assert settled(tmp_path, COLORFGBG="15;0").theme == DARK


@pytest.mark.parametrize(
    ("environment", "theme"),
    [
        ({"TERM": "screen"}, TERMINAL),
        ({"TERM": "xterm"}, TERMINAL),
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, DARK),
        ({"TERM": "xterm", "TEXTUAL_COLOR_SYSTEM": "256"}, DARK),
        ({"TEXTUAL_COLOR_SYSTEM": "standard"}, TERMINAL),
    ],
)
def test_sixteen_colors_are_those_of_the_terminal(tmp_path: Path, environment: dict[str, str], theme: str) -> None:
    assert settled(tmp_path, "", None, **environment).theme == theme


@pytest.mark.parametrize(("name", "theme"), [("dark", DARK), ("terminal", TERMINAL), ("nord", "nord")])
def test_the_configured_theme_wins(tmp_path: Path, name: str, theme: str) -> None:
    assert settled(tmp_path, f'theme = "{name}"', Terminal(is_light=True)).theme == theme


def test_every_theme_is_a_value_of_the_setting_and_no_other_name() -> None:
    themes = Dashboard(FakeBridge(snapshot()), FakeCommands(), Preferences()).available_themes
    assert set(KEYS["dashboard.theme"].kind.choices) == {"auto", "dark", "light", "terminal", *themes}


def test_a_wrong_setting_does_not_keep_the_others_from_being_used(tmp_path: Path) -> None:
    preferences = settled(tmp_path, 'theme = "nordd"\nrefresh_seconds = 2\n[run]\nretries = "x"')
    assert (preferences.theme, preferences.refresh_seconds) == (DARK, 2.0)


@pytest.mark.parametrize("text", ["theme = nord\n", "\xff"])
def test_without_a_readable_file_the_defaults_are_used(tmp_path: Path, text: str) -> None:
    config = tmp_path / "config.toml"
    config.write_text(text, encoding="latin-1")
    assert load_preferences(str(config), {"TERM": "xterm-256color"}).theme == DARK


def test_a_basic_terminal_gets_its_own_colours_and_ascii(tmp_path: Path) -> None:
    preferences = settled(tmp_path, TERM="linux")
    assert (preferences.theme, preferences.glyphs) == (TERMINAL, ASCII)


def test_the_c_locale_means_ascii_though_python_decodes_utf_8_there(tmp_path: Path) -> None:
    program = (
        "import sys; from backprop_tui.tui.theme import load_preferences;"
        "print(load_preferences(sys.argv[1], {'TERM': 'xterm'}).glyphs.unicode, sys.flags.utf8_mode)"
    )
    environment = os.environ | {"LC_ALL": "C", "PYTHONPATH": os.pathsep.join(sys.path)}
    words = [sys.executable, "-c", program, str(tmp_path / "config.toml")]
    shown = subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout
    assert shown.split() == ["False", "1"]


def test_wide_line_characters_mean_ascii_unless_it_is_off(tmp_path: Path) -> None:
    assert settled(tmp_path, terminal=Terminal(line_columns=2)).glyphs is ASCII
    assert settled(tmp_path, terminal=Terminal(line_columns=3)).glyphs is ASCII
    assert settled(tmp_path, terminal=Terminal(line_columns=1)).glyphs == UNICODE
    assert settled(tmp_path, 'ascii = "off"', Terminal(line_columns=2)).glyphs == UNICODE
    assert settled(tmp_path, 'ascii = "on"', Terminal(line_columns=1)).glyphs is ASCII


def test_curves_have_the_configured_style_and_letters_in_ascii_mode(tmp_path: Path) -> None:
    assert settled(tmp_path, 'curves = "blocks"').glyphs.curves is Curves.BLOCKS
    assert settled(tmp_path, 'curves = "ascii"').glyphs.unicode
    assert settled(tmp_path, 'curves = "braille"\nascii = "on"').glyphs.curves is Curves.ASCII


def test_background_and_refresh_rate_are_configurable(tmp_path: Path) -> None:
    preferences = settled(tmp_path, 'background = "terminal"\nrefresh_seconds = 5')
    assert (preferences.paints_background, preferences.refresh_seconds) == (False, 5.0)
    assert settled(tmp_path).paints_background
