"""`telltale serve`: every role runs, comes back when it is killed, and none outlives the server."""

from telltale import ROLES


def test_every_role_runs_once_it_is_ready(installation):
    assert [role for role in ROLES if not installation.process_of(role)] == []
    assert installation.mqtt_port != installation.feed_port


def test_each_role_is_started_again_when_it_is_killed(installation):
    for role in ROLES:
        before = installation.kill(role)
        assert installation.wait_restarted(role, before).pid != before.pid


def test_stopping_leaves_no_process_and_no_word_of_being_ready(installation):
    family = installation.family()
    installation.stop()
    assert not [process for process in family if process.runs()]
    assert not installation.ready_path.exists()
