"""Jobs on a small real Ray cluster of one machine: a head and two nodes with a slot each."""

import os
import signal
import time

import numpy as np
import pytest

from vidsim.cluster import node_check, process
from vidsim.cluster.configs import ExecutorConfig
from vidsim.cluster.job import End, Job
from vidsim.cluster.node_check import Places
from vidsim.errors import VidsimError

pytest.importorskip("ray", reason="Ray is not installed (sh setup.sh ray): not tested on a cluster")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")


@pytest.fixture(scope="module")
def cluster():
    """Its processes ignore Ctrl-C, as those of a cluster that a script started with `&`."""
    from ray.cluster_utils import Cluster

    memory = {"object_store_memory": 80_000_000}
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **memory})
    made.workers = [made.add_node(num_cpus=1, **memory) for _ in range(2)]
    signal.signal(signal.SIGINT, before)
    yield made
    made.shutdown()


@pytest.fixture
def executor(cluster, tmp_path):
    from vidsim.cluster.ray_tasks import RayExecutor

    made = RayExecutor(ExecutorConfig("ray", address=cluster.address), tmp_path / "logs")
    yield made
    made.close()


def ended(executor, count=1, seconds=60):
    found, deadline = [], time.monotonic() + seconds
    while len(found) < count:
        assert time.monotonic() < deadline, f"only {found} ended"
        found += executor.poll()
        time.sleep(0.05)
    return found


def test_jobs_run_on_nodes_that_are_named_and_leave_logs(executor, tmp_path):
    assert executor.slots == 2 and not executor.has_gpus
    for number in range(3):
        executor.submit(Job(f"version/{number}", ("--version",)))
    executor.submit(Job("wrong", ("finetun",)))
    found = {attempt.job: attempt for attempt in ended(executor, 4)}
    assert found["wrong"].end is End.FAILED and found["wrong"].reason == "exit status 2"
    fine = [found[f"version/{number}"] for number in range(3)]
    assert all(attempt.end is End.DONE and attempt.seconds > 0 for attempt in fine)
    assert all(" (" in attempt.node for attempt in fine)
    assert "vidsim --version" in (tmp_path / "logs" / "version" / "0.log").read_text()
    assert not list(tmp_path.rglob(".*.running"))


def test_a_cancelled_job_stops_its_process(executor, tmp_path):
    executor.submit(Job("slow", waiting(tmp_path)))
    wait_for(executor.running)
    number = process.read_mark(tmp_path / "logs", "slow")["process"]
    executor.cancel("slow")
    (attempt,) = ended(executor)
    assert attempt.end is End.LOST
    wait_for(lambda: not os.path.exists(f"/proc/{number}"))


def waiting(folder):
    """Words of a command that does not end: it reads a recipe file that sleeps."""
    recipe = folder / "sleeps.py"
    recipe.write_text("import time\n\ntime.sleep(600)\n")
    return ("pretrain", f"--recipes={recipe}")


def wait_for(true, seconds=30):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_nodes_are_compared_before_anything_runs(executor, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.tfrecords").write_bytes(b"1")
    executor.check(Places(tmp_path / "save", tmp_path / "data"))  # all nodes are this machine


def test_a_node_that_differs_is_named_with_its_value():
    here = {"software": {"keras": "3"}, "files": {"a": "1"}, "problem": None, "free_gb": 9.0}
    node_check.compare(here, {"same": here})
    other = {**here, "software": {"keras": "2", "ray": "1"}, "files": {"a": "2", "b": "1"}}
    with pytest.raises(VidsimError) as raised:
        node_check.compare(here, {"same": here, "n1": other, "n2": {**here, "free_gb": 0.5}})
    text = str(raised.value)
    assert "n1: keras is 2, here 3" in text and "n1: ray is 1, here not installed" in text
    assert "n1: data file a: 2, here 1" in text and "data file b: 1, here missing" in text
    assert "n2: 0.5 GB of disk" in text and "same" not in text
    with pytest.raises(VidsimError, match="n3: /save cannot be read there"):
        node_check.compare(here, {"n3": {**here, "problem": "/save cannot be read there"}})


def test_another_folder_of_the_same_name_is_found(tmp_path):
    node_check.put_probe(tmp_path, "token")
    assert node_check.node_facts(Places(tmp_path), "token")["problem"] is None
    assert "another folder" in node_check.node_facts(Places(tmp_path), "other")["problem"]
    missing = node_check.node_facts(Places(tmp_path / "none"), "token")["problem"]
    assert "cannot be read there" in missing
    for places in (Places(tmp_path, tmp_path / "data"), Places(tmp_path, None, (tmp_path / "x",))):
        assert "cannot be seen there" in node_check.node_facts(places, "token")["problem"]


def test_a_file_of_the_data_is_known_by_size_and_content(tmp_path):
    for name, content in (("a", b"1"), ("b", b"2"), (".hidden", b"3")):
        (tmp_path / name).write_bytes(content)
    large = np.zeros(3 * 2**20, np.uint8)
    large.tofile(tmp_path / "large")
    first = dict(node_check.file_digests(tmp_path))
    assert set(first) == {"a", "b", "large"} and first["a"] != first["b"]
    large[-1] = 1
    large.tofile(tmp_path / "large")
    assert dict(node_check.file_digests(tmp_path))["large"] != first["large"]


def test_a_node_that_comes_later_and_differs_runs_nothing(executor):
    executor._software = executor._software | {"code": "of yesterday"}
    executor.submit(Job("version", ("--version",)))
    (attempt,) = ended(executor)
    assert attempt.end is End.FAILED and "here of yesterday" in attempt.reason


def test_no_cluster_is_one_sentence(monkeypatch):
    from vidsim.cluster import ray_cluster

    with pytest.raises(VidsimError, match=r"no Ray cluster at --address 127\.0\.0\.1:1"):
        monkeypatch.setattr(ray_cluster, "START_SECONDS", 3.0)
        ray_cluster.connect("127.0.0.1:1")


def test_what_a_node_was_doing_when_it_died_is_lost(cluster, executor, tmp_path):
    """The last test: a node is gone after it. What ran there is told to be lost, not failed."""
    for number in (0, 1):  # one on each node
        executor.submit(Job(f"waits/{number}", waiting(tmp_path)))
    wait_for(lambda: len(executor.running()) == 2)
    cluster.remove_node(cluster.workers.pop(), allow_graceful=False)
    (attempt,) = ended(executor)
    assert attempt.end is End.LOST and attempt.job in ("waits/0", "waits/1")
