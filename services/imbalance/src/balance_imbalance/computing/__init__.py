"""What steps of the worker do over ports."""
