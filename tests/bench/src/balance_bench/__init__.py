"""How fast the house is, beside plain ways to do the same work on the same machine in the same run."""
