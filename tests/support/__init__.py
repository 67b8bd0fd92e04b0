"""Shared by tests: stores, misbehaving scripts, programs that die at a chosen place."""
