"""Gathering and packaging on many machines: shards of work as tasks of Ray (`--engine ray`).

    connection.py   join a cluster, or start one on this machine
    shards.py       work cut into shards; a shard's results are whole under their final name, or absent
    runner.py       runs shards as tasks, and again where a worker was lost
    desk.py         the actor through which all workers keep to each host's limits
    fetching.py     the downloads of `bend scrape`
    preparing.py    the pictures of `bend package`

Ray is imported only when a cluster is joined.
"""
