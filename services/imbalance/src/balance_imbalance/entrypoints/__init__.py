"""Wire to handler."""
