"""The demo: real runs on simulated GPUs in a temporary store, which is removed with all processes when it ends."""
