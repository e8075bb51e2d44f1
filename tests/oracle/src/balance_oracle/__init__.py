"""The batch oracle: the tables that follow from everything that was ever sent, computed at once.

Written from docs/domain.md alone, a second time and as plainly as possible: integers and fractions, no numpy,
no state, no clock. It imports nothing of the product; the services must agree with it value for value.
"""

from balance_oracle.settings import Settings
from balance_oracle.tables import Tables, compute

__all__ = ["Settings", "Tables", "compute"]
