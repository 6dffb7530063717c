"""Local HTTP servers that answer as the picture services do, quirks included; tests speak real HTTP to them."""
