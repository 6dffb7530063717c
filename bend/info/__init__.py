"""Describes files: a network as a graph of layers, a data-set zip, a training run; in figures and in pictures."""
