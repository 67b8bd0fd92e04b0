"""How the dashboard looks here: from the settings and from what the terminal says about itself."""

from __future__ import annotations

import locale
import os
from collections.abc import Mapping
from dataclasses import field, replace

from backprop_tui.config.load import Settings, load
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.tui.glyphs import ASCII, UNICODE, Curves, Glyphs
from backprop_tui.tui.notifications import TerminalNotifier, terminal_notifier
from backprop_tui.tui.terminal import BASIC_TERMINALS, UNKNOWN_TERMINAL, Terminal
from backprop_tui.tui.theme import DARK, LIGHT, TERMINAL

_OWN_THEMES = ("dark", "light", "terminal")


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """Look and notifications of the dashboard, resolved before the first paint."""

    theme: str = DARK
    glyphs: Glyphs = UNICODE
    refresh_seconds: float = 1.0
    paints_background: bool = True  # False keeps the terminal's own background
    notices: TerminalNotifier = field(default_factory=TerminalNotifier)
    end_command: str | None = None


def load_preferences(
    config_path: str,
    environment: Mapping[str, str],
    terminal: Terminal = UNKNOWN_TERMINAL,
    *,
    is_demo: bool = False,
) -> Preferences:
    """Resolve the preferences; a setting wins over what the terminal says. The demo never notifies.

    Raises:
        ConfigError: a setting is wrong.
    """
    settings = load(options={}, environment=environment, directory=os.getcwd(), user_file=config_path)
    bell, osc = bool(settings["notify.bell"]), bool(settings["notify.osc"])
    return Preferences(
        theme=_theme(settings, environment, terminal),
        glyphs=_glyphs(settings, environment, terminal),
        refresh_seconds=settings.number("dashboard.refresh_seconds"),
        paints_background=settings.text("dashboard.background") == "theme",
        notices=TerminalNotifier() if is_demo else terminal_notifier(environment, bell=bell, osc=osc),
        end_command=None if is_demo else settings.optional_text("notify.command"),
    )


def _theme(settings: Settings, environment: Mapping[str, str], terminal: Terminal) -> str:
    theme = settings.text("dashboard.theme")
    if theme in _OWN_THEMES:
        return f"backprop-{theme}"
    if theme != "auto":
        return theme
    if environment.get("TERM") in BASIC_TERMINALS:
        return TERMINAL
    is_light = _is_light_by_variable(environment) if terminal.is_light is None else terminal.is_light
    return LIGHT if is_light else DARK


def _is_light_by_variable(environment: Mapping[str, str]) -> bool:
    """Read COLORFGBG (`foreground;background`), which rxvt, Konsole and others set, for terminals without an answer."""
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
    return locale.getpreferredencoding(do_setlocale=False).replace("-", "").lower() != "utf8"
