"""One thin file per command: parse, build one record, call one function, echo one summary."""
