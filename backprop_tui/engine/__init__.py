"""The supervisor of one user's runs on one machine."""
