"""The demo: real runs on simulated GPUs, in a store that is gone with everything it started when it is left."""
