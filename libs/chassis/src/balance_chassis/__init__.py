"""Plumbing without a domain word; README.md of this member says what is where."""
