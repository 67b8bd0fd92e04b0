"""Charts of a run's metrics and resources: what they show, where the data come from, and how they are drawn."""
