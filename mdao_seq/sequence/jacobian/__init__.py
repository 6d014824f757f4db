"""The whole Jacobian of a network over all time steps: its pattern, and its entries."""
