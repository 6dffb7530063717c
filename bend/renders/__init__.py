"""The work of each `bend render …`, one module per command: stills, sheets and films."""
