"""Gathering and packaging on many machines: shards of work as tasks of Ray (`--engine ray`).

    connection.py   join a cluster, or start one on this machine
    shards.py       work cut into shards; a shard's results, whole under their final name or absent
    runner.py       shards done by tasks, those of lost workers again
    desk.py         the actor that holds the politeness towards hosts for all workers
    fetching.py     the downloads of `bend scrape`
    preparing.py    the pictures of `bend package`

Ray is imported when a cluster is joined, and not before.
"""
