"""The digest: what happened while nobody looked."""
