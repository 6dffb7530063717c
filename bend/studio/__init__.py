"""The studio: the instrument in a browser, on loopback.

`patch` is the state of the instrument and how it reads as a recipe, `stage` draws it, `instrument` is the thread that
plays it live, `recording` and `take` what of a performance is kept, `jobs` the queue of long work, `shelf` the
networks, runs and data sets that there are. `guard`, `app` and `live` are the server, `web` the source of the page, and
`static` the page as it was built, so that nobody needs Node to play.
"""
