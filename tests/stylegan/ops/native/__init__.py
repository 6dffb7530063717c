"""The native operations: how they are built and found, and that they compute what the plain ones do."""
