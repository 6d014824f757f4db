"""Time loops of the cells, compiled by numba; imported when the numba engine is first used."""
