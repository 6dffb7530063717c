"""Writes films: encoders, their sound, folders of frames, and the thread that encodes."""
