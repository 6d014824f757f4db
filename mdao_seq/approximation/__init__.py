"""Runs an evaluation plan inside OpenMDAO, so that every declaration holds."""
