"""What a run writes besides its log: output files, checkpoints and metric files."""
