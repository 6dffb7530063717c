"""What torchrun says to a process."""

from stylegan.launch import launch_of

SAID = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "TORCHELASTIC_RUN_ID": "bend-7"}


def test_nobody_is_launched_by_other_means() -> None:
    assert launch_of({"RANK": "1", "WORLD_SIZE": "2"}) is None


def test_what_torchrun_says_is_understood() -> None:
    launch = launch_of(SAID | {"TORCHELASTIC_RESTART_COUNT": "3"})
    assert launch is not None
    assert (launch.rank, launch.size, launch.local_rank) == (1, 2, 0)
    assert (launch.name, launch.num_restarts) == ("bend-7", 3)
    assert not launch.is_spread


def test_a_launch_without_a_name_is_known_by_its_launcher() -> None:
    first, again = (launch_of(SAID | {"TORCHELASTIC_RUN_ID": "none"}) for _ in range(2))
    assert first is not None
    assert first == again
    assert first.name not in ("", "none")
