"""Whole installations under test: traffic in, faults on the way, tables out."""
