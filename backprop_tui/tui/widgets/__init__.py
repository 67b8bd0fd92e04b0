"""The panes: each receives a view model and paints it; none reads a file, a clock or the configuration."""
