"""The options of the command line: shared ones, and those that follow a record field by field."""
