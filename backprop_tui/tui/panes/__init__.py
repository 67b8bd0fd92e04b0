"""The panes of the dashboard, a file for each: its view model, the lines drawn from that, and its widget."""
