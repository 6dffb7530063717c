"""`bend models`: networks by name, formats in and out.

`listing` lists the networks there are, `download` fetches a file and can resume, `pull` downloads a known network so
that `--base` and `--network` take its name, `facts` describes a file, and `outgoing` writes it in another format. The
formats themselves are in `stylegan.checkpoint`.
"""
