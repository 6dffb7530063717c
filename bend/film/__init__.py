"""Where moving pictures go: encoders, sound beside them, frames on the disk, and the thread that writes them."""
