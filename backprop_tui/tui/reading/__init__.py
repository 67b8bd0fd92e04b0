"""Reads the store for the dashboard, cheaply: a file is opened only when it changed."""
