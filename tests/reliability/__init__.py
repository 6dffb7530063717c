"""Promises like a database's, tested as a database's are: one file for each figure of `docs/reliability.md`.

`zygote` starts commands cheaply, `works` says which, `shim.c` makes system calls fail, and `scoreboard` counts. The
figures for the network, pictures and models also take in the corpora that live with those parts (see `scoreboard`).
"""
