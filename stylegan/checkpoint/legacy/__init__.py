"""Checkpoints of other programs, read without running anything in them.

`load_legacy` takes the official pickles (PyTorch and TensorFlow) and rosinality's `.pt` files, told apart by content.
`docs/formats.md` says what each holds and why reading one is safe.
"""

from stylegan.checkpoint.legacy.load import is_legacy, load_legacy

__all__ = ["is_legacy", "load_legacy"]
