"""A minimal Textual app: what starting any Textual application takes."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.widgets import Static


class Minimal(App[None]):
    """Shows one line of text."""

    def compose(self) -> ComposeResult:
        yield Static("minimal-is-there")


Minimal().run()
