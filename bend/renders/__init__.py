"""The work of each `bend render …`, a module a command: stills, sheets and films."""
