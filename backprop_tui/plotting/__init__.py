"""Plots curves as text: points in, rows of characters out; pure, for the commands and the dashboard.

Why no plotting library is used: textual-plot (0.10) needs numpy at run time, about 100 ms of import and 20 MB for a few
hundred points; textual-plotext (1.0, last released in 2024) pins an old plotext 5. Both, and plotext itself, repaint
their whole area at each change, while the dashboard only sends the cells that changed. They support neither its colour
tokens nor 16 colours, NO_COLOR, ASCII, marks below the axis or a raw curve behind its smoothed one, and the commands
may import neither Textual nor Rich. plotille (6.0) has no dependencies, but returns a string with escape sequences;
all we could use of it is setting bits in U+2800, which takes thirty lines in `canvas`.
"""
