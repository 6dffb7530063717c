"""Networks between networks: the dial, training time, and mixes of several networks, as plays and as files."""
