"""The themes of the dashboard, and its colours in Textual's own themes."""

from __future__ import annotations

from collections.abc import Mapping

from textual.theme import Theme

TERMINAL_BACKGROUND = "ansi_default"
DARK, LIGHT, TERMINAL = "backprop-dark", "backprop-light", "backprop-terminal"

_DARK = {
    "bp-fg": "#d8dee6",
    "bp-muted": "#97a3b2",
    "bp-faint": "#5e6b7a",
    "bp-rule": "#2f3945",
    "bp-accent": "#6cb6ff",
    "bp-ok": "#7cc98f",
    "bp-warn": "#e3b35f",
    "bp-bad": "#ff7d76",
    "bp-info": "#74c7d4",
    "bp-violet": "#c3a6f4",
    "bp-cursor": "#24384e",
    "bp-cursor-fg": "#d8dee6",
    "bp-panel": "#1c232b",
}
_LIGHT = {
    "bp-fg": "#22272e",
    "bp-muted": "#59636e",
    "bp-faint": "#868f99",
    "bp-rule": "#cdd2d8",
    "bp-accent": "#0a58b8",
    "bp-ok": "#17703a",
    "bp-warn": "#855300",
    "bp-bad": "#b4231b",
    "bp-info": "#0a6579",
    "bp-violet": "#6a3fc0",
    "bp-cursor": "#cfe3fa",
    "bp-cursor-fg": "#22272e",
    "bp-panel": "#eceae3",
}
_TERMINAL = {
    "bp-fg": "ansi_default",
    "bp-muted": "ansi_default",
    "bp-faint": "ansi_bright_black",
    "bp-rule": "ansi_bright_black",
    "bp-accent": "ansi_cyan",
    "bp-ok": "ansi_green",
    "bp-warn": "ansi_yellow",
    "bp-bad": "ansi_bright_red",
    "bp-info": "ansi_cyan",
    "bp-violet": "ansi_magenta",
    "bp-cursor": "ansi_white",
    "bp-cursor-fg": "ansi_black",
    "bp-panel": "ansi_default",
    # The stylesheet of a native theme does not parse without these two.
    "ansi-background": "ansi_default",
    "ansi-foreground": "ansi_default",
}
# The equivalents of our colours in any other theme.
_IN_OTHER_THEMES = {
    "bp-fg": "$foreground",
    "bp-muted": "$text-muted",
    "bp-faint": "$foreground 35%",
    "bp-rule": "$border-blurred",
    "bp-accent": "$text-primary",
    "bp-ok": "$text-success",
    "bp-warn": "$text-warning",
    "bp-bad": "$text-error",
    "bp-info": "$text-secondary",
    "bp-violet": "$accent",
    "bp-cursor": "$block-cursor-background 25%",
    "bp-cursor-fg": "$foreground",
    "bp-panel": "$panel",
}


def theme_colours(variables: Mapping[str, str]) -> dict[str, str]:
    """Our colours, resolved from the variables of a theme: Textual does not resolve a variable within another."""
    colours: dict[str, str] = {}
    for name, definition in _IN_OTHER_THEMES.items():
        variable, *share = definition.split(" ")
        colours[name] = " ".join((variables[variable.removeprefix("$")], *share))
    return colours


THEMES = (
    Theme(
        name=DARK,
        primary="#6cb6ff",
        secondary="#74c7d4",
        accent="#c3a6f4",
        foreground="#d8dee6",
        background="#0f1419",
        surface="#1c232b",
        panel="#1c232b",
        success="#7cc98f",
        warning="#e3b35f",
        error="#ff7d76",
        dark=True,
        variables=_DARK,
    ),
    Theme(
        name=LIGHT,
        primary="#0a58b8",
        secondary="#0a6579",
        accent="#6a3fc0",
        foreground="#22272e",
        background="#fcfcfa",
        surface="#eceae3",
        panel="#eceae3",
        success="#17703a",
        warning="#855300",
        error="#b4231b",
        dark=False,
        variables=_LIGHT,
    ),
    Theme(
        name=TERMINAL,
        primary="ansi_cyan",
        secondary="ansi_cyan",
        accent="ansi_magenta",
        foreground="ansi_default",
        background="ansi_default",
        surface="ansi_default",
        panel="ansi_default",
        boost="ansi_default",
        success="ansi_green",
        warning="ansi_yellow",
        error="ansi_bright_red",
        ansi=True,
        variables=_TERMINAL,
    ),
)
