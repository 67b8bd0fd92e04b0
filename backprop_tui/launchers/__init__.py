"""Ways to make a runner start for a run directory."""
