"""Graphs, PageRank solves and their sensitivities."""
