"""Real processes: scripts, guardians, supervisors, front ends."""
