"""The governor decides which runs start on which GPUs and which are paused; pure functions of readings."""
