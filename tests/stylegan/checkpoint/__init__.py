"""Network files: round trips, names, and everything that is refused."""
