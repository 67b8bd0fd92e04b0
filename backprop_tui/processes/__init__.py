"""Linux processes: who is who, told apart safely, and signalled safely."""
