"""Tests of stylegan/checkpoint/legacy, on files that `writers` and `hostile` make."""
