"""What `doctor` looks at: one file a part of the machine, each giving findings with the remedy."""
