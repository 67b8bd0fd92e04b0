"""The least that Textual shows: what starting any application with it takes."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.widgets import Static


class Minimal(App[None]):
    """One line of text."""

    def compose(self) -> ComposeResult:
        """One widget."""
        yield Static("minimal-is-there")


Minimal().run()
