"""Tests of the augmentation pipe and its controller."""
