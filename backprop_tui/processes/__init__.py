"""Linux processes: identified, inspected and signaled safely."""
