"""Pages, a module a room."""
