"""What a file is: a network as a graph of layers, a data-set zip, a training run; each in figures and in pictures."""
