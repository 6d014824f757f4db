"""OpenMDAO components, one a file."""
