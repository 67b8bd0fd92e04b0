"""The commands, as people and scripts type them."""
