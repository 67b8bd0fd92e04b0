"""What measures the host and its GPUs: one file for each outside thing."""
