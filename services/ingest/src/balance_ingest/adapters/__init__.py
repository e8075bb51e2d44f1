"""What connects the domain to database and wire."""
