"""The lanes of everything that is due: today's data, what comes from the past, what is computed anew."""

LIVE = 0
BACKLOG = 1
RECOMPUTATION = 2
"""Other settings or a newer algorithm: after everything else, only while nothing else is due."""
