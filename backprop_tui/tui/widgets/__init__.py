"""Textual widgets of several screens and panes: lines, charts and the log; each paints what it is given."""
