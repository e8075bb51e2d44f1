"""From people and machines to handler, and nothing else."""
