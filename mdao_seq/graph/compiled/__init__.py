"""Compiled loops over the edges of a graph; imported when a method that needs them is first used.

They know nothing of the interpreter, so that several run at once on parts of the same arrays.
"""
