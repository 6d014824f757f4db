"""Counts every evaluation, says who asked for it, and compares with the plan."""
