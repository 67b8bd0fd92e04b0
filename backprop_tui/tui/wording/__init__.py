"""How the dashboard says things: figures, times, glyphs, bars and curves as text of a fixed width."""
