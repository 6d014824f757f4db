"""Finite differences as arithmetic: stencils, declarations and evaluation plans."""
