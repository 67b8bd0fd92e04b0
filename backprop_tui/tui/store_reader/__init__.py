"""Polls the store for the dashboard; a file is opened only after it changed."""
