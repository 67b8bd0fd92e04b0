"""What is said when a run ends: in the window, by the terminal, by a command of the user's."""
