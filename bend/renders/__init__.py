"""What each `bend render …` draws, a module a command: stills, sheets and films."""
