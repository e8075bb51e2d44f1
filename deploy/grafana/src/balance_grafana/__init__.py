"""The dashboards of the operating team, as code."""
