"""What a Slurm job runs on its node: the guardian of one run, with what a supervisor does for it on other machines."""
