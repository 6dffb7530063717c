"""The studio: the instrument in a browser, on loopback.

`patch` is the state of the instrument, `stage` draws it, `instrument` is the thread that plays it live, and `recipes`
writes it as a recipe. `recording` and `take` keep a performance, `jobs` is the queue of long work, and `shelf` lists
the networks, runs and data sets. `guard`, `app` and `live` are the server, `web` is the source of the page, and
`static` the built page, so that nobody needs Node to play.
"""
