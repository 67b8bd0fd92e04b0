"""Linux processes: identified, inspected and signalled safely."""
