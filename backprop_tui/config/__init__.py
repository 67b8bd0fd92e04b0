"""Settings: their keys and defaults, and reading and writing settings files."""
