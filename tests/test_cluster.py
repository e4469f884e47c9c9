"""TF_CONFIG: what cannot work is one line, and workers that are missing are named."""

import concurrent.futures
import contextlib
import ctypes
import json
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests import runs
from ugatit_tf import cluster
from ugatit_tf.cluster import Cluster, from_environment
from ugatit_tf.errors import Failure
from ugatit_tf.training import replicas

TWO = {"worker": ["ada:2222", "bob:2222"]}
FIRST = {"type": "worker", "index": 0}


@pytest.fixture
def cluster_of(monkeypatch):
    """Function of a cluster and a task, or of the text of TF_CONFIG, to the `Cluster`."""

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
def test_the_processes_and_which_this_is(jobs, task, addresses, index, cluster_of):
    assert cluster_of(jobs, task) == Cluster(addresses, index)


def test_one_device_does_not_look_at_the_environment(cluster_of):
    assert cluster_of("{", strategy="one") == cluster_of("{", strategy="mirrored") == Cluster()


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
        ({"worker": ["ada:99999", "bob:1"]}, FIRST, "'ada:99999' is not an address"),
        ({"worker": ["ada:0", "bob:1"]}, FIRST, "'ada:0' is not an address"),
        ({"worker": ["ada", "bob:1"]}, FIRST, "'ada' is not an address"),
        ({"worker": [":1", "bob:1"]}, FIRST, "':1' is not an address"),
        ({"worker": ["ada:1", "ada:1"]}, FIRST, "ada:1 is named twice"),
        ({"chief": ["ada:1"], "worker": ["ada:1"]}, FIRST, "ada:1 is named twice"),
    ],
)
def test_what_cannot_work_is_one_line_with_an_example(jobs, task, reason, cluster_of):
    with pytest.raises(Failure, match=reason) as caught:
        cluster_of(jobs, task)
    message = str(caught.value)
    assert message.startswith("TF_CONFIG cannot be used: ") and '["ada:2222", ' in message
    assert len(message.splitlines()) == 1 and len(message) < 500


@pytest.fixture
def free():
    """Addresses on the loopback interface on which nobody listens."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(3)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]


class Enough(Exception):  # noqa: N818
    """Ends the waiting."""


def lines_of(processes):
    """The first three lines that are printed while other workers are missing."""
    lines = []

    def write(line, flush):
        lines.append(line)
        if len(lines) == 3:
            raise Enough

    with pytest.raises(Enough):
        cluster.gather(processes, seconds=0.01, write=write)
    return lines


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(cluster, "PAUSE", 0.01)


def test_all_go_on_once_all_are_there(free):
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(cluster.gather, Cluster(tuple(free), i)) for i in range(2)]
        assert concurrent.futures.wait(waiting, timeout=0.3).done == set()
        waiting.append(pool.submit(cluster.gather, Cluster(tuple(free), 2)))
        # As TensorFlow does: a worker that has reached all others keeps listening at its address.
        served = set()
        with contextlib.ExitStack() as stack:

            def all_are_served():
                for index in {i for i in range(3) if waiting[i].done()} - served:
                    waiting[index].result()
                    stack.enter_context(cluster.listening(free[index]))
                    served.add(index)
                return len(served) == 3

            runs.wait_for(all_are_served, seconds=60)


def test_missing_workers_are_named_with_the_reason_again_and_again(free):
    with cluster.listening(free[1]):
        lines = lines_of(Cluster(tuple(free), 0))
    assert lines == [f"Still waiting for {free[2]} (connection refused)."] * 3
    assert cluster.SECONDS_BETWEEN_LINES == 30


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (socket.gaierror(), "unknown host name"),
        (UnicodeError(), "unknown host name"),
        (socket.timeout(), "no answer"),
        (OSError(113, "No route to host"), "no route to host"),
    ],
)
def test_a_machine_that_cannot_be_reached_is_waited_for(error, reason, free, monkeypatch):
    def refused(*_, **__):
        raise error

    monkeypatch.setattr(cluster.socket, "create_connection", refused)
    lines = lines_of(Cluster((free[0], "nowhere:1"), 0))
    assert lines == [f"Still waiting for nowhere:1 ({reason})."] * 3


def test_a_wait_of_tensorflow_is_announced_though_it_holds_the_lock_of_python(capfd):
    usleep = ctypes.PyDLL(None).usleep  # no other thread of Python runs meanwhile
    lines = []

    def two_lines():
        usleep(100_000)
        lines.extend(capfd.readouterr().out.splitlines())
        return len(lines) >= 2

    with cluster.connecting(Cluster(("a:1", "b:2", "c:3"), 1), seconds=0.05):
        runs.wait_for(two_lines, seconds=60)
    assert set(lines) == {
        "TensorFlow is still waiting for the other workers (a:1, c:3). If one of them has ended, "
        "stop all and start them again."
    }
    capfd.readouterr()
    usleep(200_000)
    assert capfd.readouterr().out == ""  # the wait is over


def test_a_wait_that_fails_is_no_longer_announced():
    with pytest.raises(Enough), cluster.connecting(Cluster(("a:1", "b:2"), 0)):
        raise Enough


def test_workers_connect_while_the_wait_is_announced(monkeypatch):
    events = []

    @contextlib.contextmanager
    def connecting(processes):
        events.append(processes.others)
        yield
        events.append("connected")

    monkeypatch.setenv(cluster.VARIABLE, json.dumps({"cluster": TWO, "task": FIRST}))
    monkeypatch.setattr(cluster, "gather", lambda processes: events.append("gathered"))
    monkeypatch.setattr(cluster, "connecting", connecting)
    monkeypatch.setattr(
        replicas.tf.distribute, "MultiWorkerMirroredStrategy", lambda: events.append("strategy")
    )
    replicas.strategy_of.cache_clear()
    replicas.strategy_of("multi_worker")
    replicas.strategy_of.cache_clear()
    assert events == ["gathered", ["bob:2222"], "strategy", "connected"]


def test_an_address_that_another_process_has_is_refused(free):
    with cluster.listening(free[0]), pytest.raises(Failure, match="address already in use"):
        cluster.gather(Cluster(tuple(free), 0))
