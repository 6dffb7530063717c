"""One thin file a command: parse, build one record, call one function, echo one summary."""
