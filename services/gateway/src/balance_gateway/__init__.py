"""The asset register and the one door for people."""
