"""Charts: from what was measured to what is drawn, and from that to lines; all of it pure."""
