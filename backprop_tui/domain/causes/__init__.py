"""Finds out why a script ended: one detector per kind of cause, based on its exit status, its log and the machine."""
