"""The two lanes of everything that is due: today's data, and what comes from the past."""

LIVE = 0
BACKLOG = 1
