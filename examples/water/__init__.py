"""Parts of the water network example: EPANET as a component, exposure, pictures."""
