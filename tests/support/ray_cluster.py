"""A cluster of two nodes on this machine, each with one core, as Ray's own tests make them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

# Read when Ray is imported: its processes listen on the loopback interface alone, and nobody is told how it is used.
SETTINGS = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "disabled",
    # a core each: what is compared is what several processes make of it
    "OMP_NUM_THREADS": "1",
}


@contextmanager
def two_nodes() -> Iterator[str]:
    """The address of a cluster of two nodes, which ends with the context."""
    before = dict(os.environ)
    os.environ.update(SETTINGS)
    from ray.cluster_utils import Cluster

    cluster = Cluster()
    try:
        for _ in range(2):
            _add_node(cluster)
        yield cluster.address
    finally:
        cluster.shutdown()
        os.environ.clear()
        os.environ.update(before)


def _add_node(cluster: object) -> None:
    """On a machine that is busy Ray gives its own processes up before they are there."""
    for left in (2, 1, 0):
        try:
            cluster.add_node(num_cpus=1, num_gpus=0, include_dashboard=False)  # type: ignore[attr-defined]
        except Exception as error:
            if "timed out during startup" not in str(error) or not left:
                raise
        else:
            return
