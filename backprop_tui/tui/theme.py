"""How the dashboard looks: its themes, and the preferences from the settings and the terminal."""

from __future__ import annotations

import locale
import os
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from typing import Any, cast

from rich.console import Console
from textual.theme import Theme

from backprop_tui.config.load import Settings, load_valid
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.tui.glyphs import ASCII, UNICODE, Curves, Glyphs
from backprop_tui.tui.notifications import TerminalNotifier, terminal_notifier
from backprop_tui.tui.terminal import BASIC_TERMINALS, UNKNOWN_TERMINAL, Terminal
from backprop_tui.tui.user_commands import UserCommand, user_commands

TERMINAL_BACKGROUND = "ansi_default"
DARK, LIGHT, TERMINAL = "backprop-dark", "backprop-light", "backprop-terminal"

# Each color in the themes dark, light and terminal, and its equivalent in any other theme.
_COLOURS = {
    "bp-fg": ("#d8dee6", "#22272e", "ansi_default", "$foreground"),
    "bp-muted": ("#97a3b2", "#59636e", "ansi_default", "$text-muted"),
    "bp-faint": ("#5e6b7a", "#868f99", "ansi_bright_black", "$foreground 35%"),
    "bp-rule": ("#2f3945", "#cdd2d8", "ansi_bright_black", "$border-blurred"),
    "bp-accent": ("#6cb6ff", "#0a58b8", "ansi_cyan", "$text-primary"),
    "bp-ok": ("#7cc98f", "#17703a", "ansi_green", "$text-success"),
    "bp-warn": ("#e3b35f", "#855300", "ansi_yellow", "$text-warning"),
    "bp-bad": ("#ff7d76", "#b4231b", "ansi_bright_red", "$text-error"),
    "bp-info": ("#74c7d4", "#0a6579", "ansi_cyan", "$text-secondary"),
    "bp-violet": ("#c3a6f4", "#6a3fc0", "ansi_magenta", "$accent"),
    "bp-ramp-1": ("#8a8cf0", "#4a3fb0", "ansi_bright_blue", "$text-primary"),
    "bp-ramp-2": ("#4fa8ee", "#0f62a8", "ansi_cyan", "$text-secondary"),
    "bp-ramp-3": ("#3fc4a8", "#0b6b58", "ansi_green", "$text-success"),
    "bp-ramp-4": ("#93cf5c", "#45700f", "ansi_yellow", "$text-warning"),
    "bp-ramp-5": ("#e6cf4e", "#7d6000", "ansi_bright_red", "$text-error"),
    "bp-ramp-6": ("#ff9a4d", "#a8430c", "ansi_magenta", "$accent"),
    "bp-cursor": ("#24384e", "#cfe3fa", "ansi_white", "$block-cursor-background 25%"),
    "bp-cursor-fg": ("#d8dee6", "#22272e", "ansi_black", "$foreground"),
    "bp-panel": ("#1c232b", "#eceae3", "ansi_default", "$panel"),
}


def theme_colours(variables: Mapping[str, str]) -> dict[str, str]:
    """Our colors, resolved from the variables of a theme: Textual does not resolve a variable within another."""
    colours: dict[str, str] = {}
    for name, (*_, definition) in _COLOURS.items():
        variable, *share = definition.split(" ")
        colours[name] = " ".join((variables[variable.removeprefix("$")], *share))
    return colours


def _own_theme(name: str, column: int, background: str, *, dark: bool = True, ansi: bool = False) -> Theme:
    colours = {variable: definitions[column] for variable, definitions in _COLOURS.items()}
    # The stylesheet of a native theme does not parse without these two.
    native = {"ansi-background": "ansi_default", "ansi-foreground": "ansi_default"} if ansi else {}
    return Theme(
        name=name,
        primary=colours["bp-accent"],
        secondary=colours["bp-info"],
        accent=colours["bp-violet"],
        foreground=colours["bp-fg"],
        background=background,
        surface=colours["bp-panel"],
        panel=colours["bp-panel"],
        boost="ansi_default" if ansi else None,
        success=colours["bp-ok"],
        warning=colours["bp-warn"],
        error=colours["bp-bad"],
        dark=dark,
        ansi=ansi,
        variables=colours | native,
    )


THEMES = (
    _own_theme(DARK, 0, "#0f1419"),
    _own_theme(LIGHT, 1, "#fcfcfa", dark=False),
    _own_theme(TERMINAL, 2, TERMINAL_BACKGROUND, ansi=True),
)


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """Look and notifications of the dashboard, resolved before the first paint."""

    theme: str = DARK
    glyphs: Glyphs = UNICODE
    refresh_seconds: float = 1.0
    paints_background: bool = True  # False keeps the terminal's own background
    notices: TerminalNotifier = field(default_factory=TerminalNotifier)
    end_command: str | None = None
    commands: Sequence[UserCommand] = ()
    command_problems: Sequence[str] = ()  # what is wrong with the others


def load_preferences(
    config_path: str,
    environment: Mapping[str, str],
    terminal: Terminal = UNKNOWN_TERMINAL,
    *,
    is_demo: bool = False,
) -> Preferences:
    """Resolve the preferences; a setting wins over what the terminal says. The demo never notifies.

    What is wrong in the settings is left out: the header names it, and the settings page repairs it.
    """
    settings = load_valid(environment=environment, directory=os.getcwd(), user_file=config_path)
    commands, problems = user_commands(settings)
    bell, osc = bool(settings["notify.bell"]), bool(settings["notify.osc"])
    return Preferences(
        theme=_theme(settings, environment, terminal),
        glyphs=_glyphs(settings, environment, terminal),
        refresh_seconds=settings.number("dashboard.refresh_seconds"),
        paints_background=settings.text("dashboard.background") == "theme",
        notices=TerminalNotifier() if is_demo else terminal_notifier(environment, bell=bell, osc=osc),
        end_command=None if is_demo else settings.optional_text("notify.command"),
        commands=commands,
        # Without the directories, which would leave little room in the footer.
        command_problems=[str(problem).removeprefix(f"{os.path.dirname(config_path)}/") for problem in problems],
    )


def _theme(settings: Settings, environment: Mapping[str, str], terminal: Terminal) -> str:
    theme = settings.text("dashboard.theme")
    if theme in ("dark", "light", "terminal"):
        return f"backprop-{theme}"
    if theme != "auto":
        return theme
    if _has_sixteen_colors(environment):
        return TERMINAL
    is_light = _is_light_by_variable(environment) if terminal.is_light is None else terminal.is_light
    return LIGHT if is_light else DARK


def _has_sixteen_colors(environment: Mapping[str, str]) -> bool:
    """As Textual decides it. The nearest of the sixteen to the colors of our other themes are grays."""
    system = environment.get("TEXTUAL_COLOR_SYSTEM", "auto")
    console = Console(color_system=cast("Any", system), force_terminal=True, _environ=environment)
    return console.color_system in (None, "standard")


def _is_light_by_variable(environment: Mapping[str, str]) -> bool:
    """Reads COLORFGBG (`foreground;background`), set by rxvt, Konsole and others, for terminals that do not answer."""
    return environment.get("COLORFGBG", "").rpartition(";")[2] in ("7", "15")


def _glyphs(settings: Settings, environment: Mapping[str, str], terminal: Terminal) -> Glyphs:
    if _is_ascii(settings, environment, terminal):
        return ASCII
    return replace(UNICODE, curves=Curves(settings.text("dashboard.curves")))


def _is_ascii(settings: Settings, environment: Mapping[str, str], terminal: Terminal) -> bool:
    setting = settings.text("dashboard.ascii")
    if setting != "auto":
        return setting == "on"
    if environment.get("TERM") in BASIC_TERMINALS or terminal.line_columns not in (None, 1):
        return True
    # Not `getpreferredencoding`: in Python's UTF-8 mode, which LC_ALL=C switches on, that always says utf-8.
    return locale.nl_langinfo(locale.CODESET).replace("-", "").lower() != "utf8"
