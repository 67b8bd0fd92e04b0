"""The dashboard: one screen of what runs, what waits and why, over the files that every front end reads."""
