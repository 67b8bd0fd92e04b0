"""The supervisor's process, one per user and machine: starts queued runs, pauses and stops running ones."""
