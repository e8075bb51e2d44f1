"""From wire to handler, and nothing else."""
