"""Describes fleets and plays them as concentrator packets. Imports nothing from services or chassis."""
