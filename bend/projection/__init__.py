"""`bend project`: the latent of a given picture, and how different two pictures look."""
