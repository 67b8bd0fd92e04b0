"""The panes of the dashboard: each paints a view model; none reads a file, a clock or the configuration."""
