"""Curves of characters: points in, rows of text out; pure, for the commands and the dashboard alike.

Why no plotting library does this. textual-plot (0.10) needs numpy at run time, some 100 ms of import and 20 MB for a
few hundred points; textual-plotext (1.0, last released in 2024) pins the plotext 5 of then. Both, and plotext itself,
paint their whole area again at each change, where the dashboard sends the cells that changed alone; they know neither
its colour tokens nor 16 colours, NO_COLOR, ASCII, marks below the axis or a raw curve behind its smoothed one, and the
commands may import neither Textual nor Rich. plotille (6.0) is sound and has no dependencies, but gives a string with
escape sequences in it; what would be left of it here is setting bits in U+2800, the thirty lines of `canvas`.
"""
