"""Bytes of any kind at the doors of the services, and what must hold for each."""
