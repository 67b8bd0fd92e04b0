"""Stands for a project's package."""
