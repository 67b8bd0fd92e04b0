"""Plots curves as text: points in, rows of characters out; pure, for the commands and the dashboard.

No plotting library is used: textual-plot needs numpy (100 ms and 20 MB for a few hundred points), plotext repaints
its whole area at each change, and plotille returns a string with escape sequences. None supports our color tokens, 16
colors, NO_COLOR, ASCII, and marks below the axis. Braille characters take thirty lines in `canvas`.
"""
