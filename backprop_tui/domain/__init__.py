"""The domain model: runs, their lifecycle and the governor, as pure values and functions without I/O or clock."""
