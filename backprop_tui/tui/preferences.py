"""How the dashboard is to look here: from the settings and from what the terminal says of itself."""

from __future__ import annotations

import locale
import os
from collections.abc import Mapping
from dataclasses import field, replace

from backprop_tui.config.load import Settings, load
from backprop_tui.domain.values import dataclass
from backprop_tui.tui.glyphs import ASCII, UNICODE, Curves, Glyphs
from backprop_tui.tui.notifications.terminal import TerminalNotifier, terminal_notifier
from backprop_tui.tui.terminal_probe import NOTHING_KNOWN, POOR_TERMINALS, Terminal
from backprop_tui.tui.theme import DARK, LIGHT, TERMINAL

_SHORT = ("dark", "light", "terminal")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """Settled before the first paint."""

    theme: str = DARK
    glyphs: Glyphs = UNICODE
    refresh_seconds: float = 1.0
    paints_background: bool = True  # False: the terminal's own stays
    notices: TerminalNotifier = field(default_factory=TerminalNotifier)
    end_command: str | None = None


def preferences(config_path: str, environment: Mapping[str, str], terminal: Terminal = NOTHING_KNOWN) -> Preferences:
    """What is in force here; what is set wins over what the terminal says.

    Raises:
        ConfigError: a setting is wrong.
    """
    settings = load(options={}, environment=environment, directory=os.getcwd(), user_file=config_path)
    return Preferences(
        theme=_theme(settings, environment, terminal),
        glyphs=_glyphs(settings, environment, terminal),
        refresh_seconds=settings.number("dashboard.refresh_seconds"),
        paints_background=settings.text("dashboard.background") == "theme",
        notices=terminal_notifier(environment, bell=bool(settings["notify.bell"]), osc=bool(settings["notify.osc"])),
        end_command=settings.optional_text("notify.command"),
    )


def _theme(settings: Settings, environment: Mapping[str, str], terminal: Terminal) -> str:
    chosen = settings.text("dashboard.theme")
    if chosen in _SHORT:
        return f"backprop-{chosen}"
    if chosen != "auto":
        return chosen
    if environment.get("TERM") in POOR_TERMINALS:
        return TERMINAL
    is_light = _is_light_by(environment) if terminal.is_light is None else terminal.is_light
    return LIGHT if is_light else DARK


def _is_light_by(environment: Mapping[str, str]) -> bool:
    """By the variable of rxvt, Konsole and others, for where the terminal did not answer: `foreground;background`."""
    return environment.get("COLORFGBG", "").rpartition(";")[2] in ("7", "15")


def _glyphs(settings: Settings, environment: Mapping[str, str], terminal: Terminal) -> Glyphs:
    if _is_ascii(settings, environment, terminal):
        return ASCII
    return replace(UNICODE, curves=Curves(settings.text("dashboard.curves")))


def _is_ascii(settings: Settings, environment: Mapping[str, str], terminal: Terminal) -> bool:
    wanted = settings.text("dashboard.ascii")
    if wanted != "auto":
        return wanted == "on"
    if environment.get("TERM") in POOR_TERMINALS or terminal.line_columns not in (None, 1):
        return True
    return locale.getpreferredencoding(do_setlocale=False).replace("-", "").lower() != "utf8"
