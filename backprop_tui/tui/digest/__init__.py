"""The digest: what happened to the runs while nobody was looking at a dashboard."""
