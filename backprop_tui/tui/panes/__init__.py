"""The panes of the dashboard, one file per subject: what a pane shows, and the lines it draws from that."""
