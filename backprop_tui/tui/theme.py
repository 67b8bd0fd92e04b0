"""The themes of the dashboard, and its colours in Textual's own themes."""

from __future__ import annotations

from collections.abc import Mapping

from textual.theme import Theme

TERMINAL_BACKGROUND = "ansi_default"
DARK, LIGHT, TERMINAL = "backprop-dark", "backprop-light", "backprop-terminal"

# Each colour in the themes dark, light and terminal, and its equivalent in any other theme.
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
    "bp-cursor": ("#24384e", "#cfe3fa", "ansi_white", "$block-cursor-background 25%"),
    "bp-cursor-fg": ("#d8dee6", "#22272e", "ansi_black", "$foreground"),
    "bp-panel": ("#1c232b", "#eceae3", "ansi_default", "$panel"),
}


def theme_colours(variables: Mapping[str, str]) -> dict[str, str]:
    """Our colours, resolved from the variables of a theme: Textual does not resolve a variable within another."""
    colours: dict[str, str] = {}
    for name, (*_, definition) in _COLOURS.items():
        variable, *share = definition.split(" ")
        colours[name] = " ".join((variables[variable.removeprefix("$")], *share))
    return colours


def _theme(name: str, column: int, background: str, *, dark: bool = True, ansi: bool = False) -> Theme:
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
    _theme(DARK, 0, "#0f1419"),
    _theme(LIGHT, 1, "#fcfcfa", dark=False),
    _theme(TERMINAL, 2, TERMINAL_BACKGROUND, ansi=True),
)
