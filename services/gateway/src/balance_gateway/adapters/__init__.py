"""What connects the domain to database, files and wire."""
