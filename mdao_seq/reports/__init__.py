"""Tables and plots from what was counted and computed."""
