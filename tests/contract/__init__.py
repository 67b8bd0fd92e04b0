"""What a run promises, with whichever launcher: each test runs with real processes, locally and on a Slurm cluster."""
