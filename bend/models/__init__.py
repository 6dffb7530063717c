"""`bend models`: networks by name, formats in and out.

`listing` says what there is, `download` fetches a file and goes on where it broke off, `pull` makes a known name one
that `--base` and `--network` take, `facts` says what a file is, and `outgoing` writes it anew. Formats themselves are
`stylegan.checkpoint`'s matter.
"""
