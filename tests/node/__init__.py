"""A Slurm job on its node."""
