"""Stores and processes under damage and faults, seeded and repeatable."""
