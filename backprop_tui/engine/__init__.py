"""The supervisor: owns the queue of one user's runs on one machine."""
