"""Notifications when a run ends: in the window, by the terminal, and by a command of the user."""
