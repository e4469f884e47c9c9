"""TF_CONFIG: what cannot work is one line, and who is waited for is named."""

import json
import socket
import time

import pytest

from ugatit_tf import cluster
from ugatit_tf.cluster import Cluster, from_environment
from ugatit_tf.errors import Failure

TWO = {"worker": ["ada:2222", "bob:2222"]}
FIRST = {"type": "worker", "index": 0}


@pytest.fixture
def told(monkeypatch):
    """Function of a cluster and a task, or of text, to what the environment then says."""

    def read(jobs, task=FIRST, strategy="auto"):
        text = jobs if isinstance(jobs, str) else json.dumps({"cluster": jobs, "task": task})
        monkeypatch.setenv(cluster.VARIABLE, text)
        return from_environment(strategy)

    return read


@pytest.mark.parametrize(
    ("jobs", "task", "addresses", "index"),
    [
        (TWO, {"type": "worker", "index": 1}, ("ada:2222", "bob:2222"), 1),
        ({"chief": ["a:1"], "worker": ["b:1", "c:1"]}, FIRST, ("a:1", "b:1", "c:1"), 1),
        ({"worker": ["b:1"], "chief": ["a:1"]}, {"type": "chief", "index": 0}, ("a:1", "b:1"), 0),
        ({"worker": ["[::1]:1", "[::1]:2"]}, FIRST, ("[::1]:1", "[::1]:2"), 0),
        ({"worker": ["a:1"]}, FIRST, (), 0),
        ({}, FIRST, (), 0),
        ("", None, (), 0),
        ("{}", None, (), 0),
    ],
)
def test_the_processes_and_which_this_is(jobs, task, addresses, index, told):
    assert told(jobs, task) == Cluster(addresses, index)


def test_one_device_does_not_look_at_the_environment(told):
    assert told("{", strategy="one") == told("{", strategy="mirrored") == Cluster()


@pytest.mark.parametrize(
    ("jobs", "task", "reason"),
    [
        ("{", None, "not valid JSON"),
        ("[]", None, "Expected an object"),
        ("[" * 100_000, None, "nested too deeply"),
        ('{"cluster": ' + "[" * 100_000, None, "nested too deeply"),
        ("ada:2222", None, "not valid JSON"),
        ([], FIRST, "'cluster' must be an object"),
        ({"worker": "ada:2222"}, FIRST, "'worker' must be a list"),
        ({"worker": {"0": "ada:2222"}}, FIRST, "'worker' must be a list"),
        ({"worker": [1, 2]}, FIRST, "'worker' must be a list"),
        ({**TWO, "ps": ["c:1"]}, FIRST, "'cluster' names 'ps'"),
        ({**TWO, "evaluator": ["c:1"]}, FIRST, "'cluster' names 'evaluator'"),
        ({"chief": ["a:1", "b:1"]}, {"type": "chief", "index": 0}, "one chief at most"),
        (TWO, None, "'task' must be an object"),
        (TWO, "worker", "'task' must be an object"),
        (TWO, {}, "the type of 'task' must be worker. Received: None"),
        (TWO, {"type": "ps", "index": 0}, "must be worker. Received: 'ps'"),
        (TWO, {"type": "evaluator", "index": 0}, "must be worker. Received: 'evaluator'"),
        (TWO, {"type": ["worker"], "index": 0}, "the type of 'task' must be worker"),
        (TWO, {"type": "chief", "index": 0}, "must be worker. Received: 'chief'"),
        (TWO, {"type": "worker", "index": 2}, "from 0 to 1, .*Received: 2"),
        (TWO, {"type": "worker", "index": -1}, "from 0 to 1, .*Received: -1"),
        (TWO, {"type": "worker", "index": "1"}, "Received: '1'"),
        (TWO, {"type": "worker", "index": True}, "Received: True"),
        (TWO, {"type": "worker"}, "Received: None"),
        ({"worker": ["ada:99999", "bob:1"]}, FIRST, "'ada:99999' is no address"),
        ({"worker": ["ada:0", "bob:1"]}, FIRST, "'ada:0' is no address"),
        ({"worker": ["ada", "bob:1"]}, FIRST, "'ada' is no address"),
        ({"worker": [":1", "bob:1"]}, FIRST, "':1' is no address"),
        ({"worker": ["ada:1", "ada:1"]}, FIRST, "ada:1 is named twice"),
        ({"chief": ["ada:1"], "worker": ["ada:1"]}, FIRST, "ada:1 is named twice"),
    ],
)
def test_what_cannot_work_is_one_line_with_an_example(jobs, task, reason, told):
    with pytest.raises(Failure, match=reason) as caught:
        told(jobs, task)
    message = str(caught.value)
    assert message.startswith("TF_CONFIG cannot be used: ") and '["ada:2222", ' in message
    assert len(message.splitlines()) == 1 and len(message) < 500


@pytest.fixture
def listening():
    """The address of a socket on the loopback interface that accepts connections."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def closed():
    """The address of a port on the loopback interface on which nobody listens."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{other.getsockname()[1]}"


def test_those_who_do_not_answer_are_named_with_the_reason(listening, closed, monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror

    assert Cluster((closed, listening), 0).unreachable() == []
    assert Cluster((listening, closed), 0).unreachable() == [f"{closed} (connection refused)"]
    monkeypatch.setattr(cluster.socket, "create_connection", unknown)
    expected = ["nowhere:1 (no machine of this name is known)"]
    assert Cluster(("here:1", "nowhere:1"), 0).unreachable() == expected


@pytest.mark.parametrize("answers", [True, False])
def test_who_is_waited_for_is_said_again_and_again(answers, listening, closed):
    lines = []

    def tell(line, flush):
        lines.append(line)

    other = listening if answers else closed
    with cluster.waiting(Cluster(("127.0.0.1:1", other), 0), seconds=0.05, tell=tell):
        until = time.monotonic() + 5
        while len(lines) < 3 and time.monotonic() < until:
            time.sleep(0.01)
    expected = f"Still waiting for {closed} (connection refused)."
    if answers:
        expected = "All workers can be reached; waiting until they are ready."
    assert lines[:2] == [expected] * 2
    assert cluster.SECONDS_BETWEEN_LINES == 30
