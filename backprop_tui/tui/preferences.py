"""How the dashboard is to look here: from the settings and from what the terminal says of itself."""

from __future__ import annotations

import locale
import os
from collections.abc import Mapping

from backprop_tui.config.load import Settings, load
from backprop_tui.domain.values import dataclass
from backprop_tui.tui.theme import DARK, TERMINAL
from backprop_tui.tui.wording.glyphs import ASCII, UNICODE, Glyphs

_POOR_TERMINALS = frozenset({"linux", "dumb", "vt100", "vt220"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """Settled before the first paint."""

    theme: str = DARK
    glyphs: Glyphs = UNICODE
    refresh_seconds: float = 1.0


def preferences(config_path: str, environment: Mapping[str, str]) -> Preferences:
    """What is in force here.

    Raises:
        ConfigError: a setting is wrong.
    """
    settings = load(options={}, environment=environment, directory=os.getcwd(), user_file=config_path)
    return Preferences(
        theme=_theme(settings, environment),
        glyphs=ASCII if _is_ascii(settings, environment) else UNICODE,
        refresh_seconds=settings.number("dashboard.refresh_seconds"),
    )


def _theme(settings: Settings, environment: Mapping[str, str]) -> str:
    chosen = settings.text("dashboard.theme")
    if chosen != "auto":
        return chosen if "-" in chosen or chosen not in ("dark", "light", "terminal") else f"backprop-{chosen}"
    return TERMINAL if environment.get("TERM") in _POOR_TERMINALS else DARK


def _is_ascii(settings: Settings, environment: Mapping[str, str]) -> bool:
    wanted = settings.text("dashboard.ascii")
    if wanted != "auto":
        return wanted == "on"
    poor = environment.get("TERM") in _POOR_TERMINALS
    return poor or locale.getpreferredencoding(do_setlocale=False).replace("-", "").lower() != "utf8"
