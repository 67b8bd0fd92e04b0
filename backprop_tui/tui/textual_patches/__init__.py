"""Workarounds for faults and gaps of Textual 8.2.8; each can go when Textual changes."""
