"""Networks between networks: the dial, training time, and mixes of several, as plays and as files."""
