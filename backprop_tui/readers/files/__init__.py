"""What training scripts write beside their output: bytes of a file in, progress out; pure."""
