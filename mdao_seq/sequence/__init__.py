"""Recurrent networks: cells, the network, training and weight files."""
