"""Ray's processes: a cluster of this machine's own, which nobody else reaches, or one that is there already."""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from evomerge_core.errors import InputError
from evomerge_core.files.child_environment import without_token
from evomerge_core.process_setup import ONE_ARITHMETIC
from evomerge_core.recipe.schema import Workers
from evomerge_quant.planning.machine.cores import usable_cores
from evomerge_quant.planning.machine.places import Machine
from evomerge_quant.planning.machine.ray_extra import require_ray
from evomerge_quant.planning.machine.shares import cluster_of

# What Ray holds for its workers beside what they take themselves; answers are texts and numbers.
_STORE_BYTES = 128 * 2**20
_STARTS = 3
_REACH_SECONDS = 10.0
# What a run that has just ended gives its cores and cards up within.
_FREE_SECONDS = 60.0
# What a cluster may take to answer one question: the process that answers may have to be started.
_ASK_SECONDS = 120.0
_CLIENT = "ray://"
# Read by Ray when it is imported, and by the processes that it starts.
_QUIET = {
    # Ray tells its makers how it is used unless told not to
    "RAY_USAGE_STATS_ENABLED": "0",
    # no other Python than what is installed: never the working folder's
    "PYTHONSAFEPATH": "1",
}
# By this Ray listens, and looks for its processes, on the loopback interface alone, as it does on macOS and Windows.
_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
# Only for a cluster of our own.
_OWN = {**_LOOPBACK, "RAY_AUTH_MODE": "token"}


@contextlib.contextmanager
def joined(
    wanted: Workers, cards: Sequence[str], is_enough: Callable[[Sequence[Machine]], bool] = bool
) -> Iterator[list[Machine]]:
    """The machines of the cluster at `ray://HOST:PORT`, or that the environment's RAY_ADDRESS names, with what is free of each;
    else of a cluster that is started on this machine, with these `cards` (as CUDA_VISIBLE_DEVICES names them), and ended
    afterwards. Where what is free isn't enough it is looked for again for a minute: others may have just ended.

    Raises InputError where Ray isn't installed or the cluster can't be reached.
    """
    require_ray()
    address = cluster_of(wanted)
    if address:
        _require_reachable(address)
        more = _LOOPBACK if _is_on_loopback_alone(address) else {}
    else:
        more = {**_OWN, "RAY_AUTH_TOKEN": _own_token()} | ({"CUDA_VISIBLE_DEVICES": ",".join(cards)} if cards else {})
    with _environment({**_QUIET, **more}):
        yield from _in_cluster(address or "", len(cards), is_enough)


def _in_cluster(address: str, cards: int, is_enough: Callable[[Sequence[Machine]], bool]) -> Iterator[list[Machine]]:
    import ray

    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
    if not address:
        options |= {
            "num_cpus": usable_cores(),
            "num_gpus": cards,
            "include_dashboard": False,
            "object_store_memory": _STORE_BYTES,
            "_node_ip_address": "127.0.0.1",
        }
    try:
        try:
            # by `local` Ray starts one
            _start(ray, address or "local", options)
            machines = _free_machines(ray, address, is_enough) if address else _machines(_nodes())
        # ValueError: no address
        except (ConnectionError, TimeoutError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
            raise _unusable(address or "workers", error) from None
        yield machines
    finally:
        ray.shutdown()


def _require_reachable(address: str) -> None:
    """Raises InputError where nobody listens: Ray would try for a quarter of an hour, or half a minute where it is `ray://`."""
    host, _, port = address.removeprefix(_CLIENT).rpartition(":")
    if not port.isdecimal():
        return
    try:
        _connect(host.strip("[]"), int(port))
    except (OSError, OverflowError, ValueError) as error:
        raise _unusable(address, error) from None


def _is_on_loopback_alone(address: str) -> bool:
    """Whether a cluster listens at this machine's own name and not at its address in the network, where Ray looks for it."""
    host, _, port = address.rpartition(":")
    if host not in ("localhost", "127.0.0.1", "[::1]"):
        return False
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            # nothing is sent: the system says which address it would send from
            probe.connect(("192.0.2.1", 9))
            own = probe.getsockname()[0]
        _connect(own, int(port))
    except OSError:
        return True
    return False


def _connect(host: str, port: int) -> None:
    socket.create_connection((host, port), _REACH_SECONDS).close()


def _unusable(address: str, error: Exception) -> InputError:
    said = " ".join(str(error).split())[:200]
    remedy = "check that it runs (`ray status`), and that its token, its Ray and its Python are those of this machine"
    return InputError(f"the cluster can't be used ({said})", where=address, remedy=remedy)


@functools.cache
def _own_token() -> str:
    """The same for each cluster that a process starts, one after the other: Ray reads it once."""
    return secrets.token_hex(32)


def _start(ray: Any, address: str, options: Mapping[str, Any]) -> None:
    """Joins or starts the cluster. On a machine that is busy Ray gives its own processes up before they are there: it is asked
    again."""
    for attempts_left in reversed(range(_STARTS)):
        # Ray puts the working folder, which may be a stranger's model, before the libraries of its workers: this one has
        # nothing but Ray's own, and is there anyway
        with contextlib.chdir(Path(ray.__file__).parent / "thirdparty_files"), _without_token():
            try:
                ray.init(address, **options)
            except Exception as error:
                # of no kind of its own
                if "timed out during startup" not in str(error):
                    raise
                ray.shutdown()
                if not attempts_left:
                    raise TimeoutError(str(error)) from None
            else:
                return


def _free_machines(ray: Any, address: str, is_enough: Callable[[Sequence[Machine]], bool]) -> list[Machine]:
    """The machines of a cluster that others may use too, with what is free of them."""
    until = time.monotonic() + _FREE_SECONDS
    while True:
        machines = _machines(_nodes(), _free_resources(ray, address))
        if is_enough(machines) or time.monotonic() > until:
            return machines
        time.sleep(0.5)


def _nodes() -> list[dict[str, Any]]:
    import ray

    found: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return found


def _free_resources(ray: Any, address: str) -> Mapping[str, Mapping[str, float]]:
    """What is free of each machine, by Ray's id of it. A client asks the cluster, which alone knows."""
    found: Mapping[str, Mapping[str, float]]
    if address.startswith(_CLIENT):
        found = ray.get(ray.remote(num_cpus=0)(_known_free).remote(), timeout=_ASK_SECONDS)
    else:
        found = _known_free()
    return found


def _known_free() -> Any:
    from ray._private.state import available_resources_per_node

    return available_resources_per_node()  # type: ignore[no-untyped-call]


def _machines(nodes: Sequence[Mapping[str, Any]], free: Mapping[str, Mapping[str, float]] | None = None) -> list[Machine]:
    """Ray's nodes that are there and have cores; all of their cores and cards are free where it isn't said otherwise."""
    found = [
        _machine(node, node["Resources"] if free is None else free.get(node["NodeID"], {})) for node in nodes if node["Alive"]
    ]
    return sorted((one for one in found if one.cores + one.taken_cores), key=lambda one: (one.host, one.id))


def _machine(node: Mapping[str, Any], free: Mapping[str, float]) -> Machine:
    cores, cards = (int(free.get(unit, 0)) for unit in ("CPU", "GPU"))
    all_cores, all_cards = (int(node["Resources"].get(unit, 0)) for unit in ("CPU", "GPU"))
    return Machine(node["NodeID"], node["NodeManagerHostname"], cores, cards, all_cores - cores, all_cards - cards)


def worker_environment(threads: int) -> dict[str, str]:
    """What holds for a worker's process before it loads a library, on whatever machine: as for the job's own."""
    numbers = {name: str(threads) for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS")}
    arithmetic = {name: os.environ[name] for name in ONE_ARITHMETIC if name in os.environ}
    return {**arithmetic, **_QUIET, **numbers, "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"}


@contextlib.contextmanager
def _environment(more: Mapping[str, str]) -> Iterator[None]:
    """The process's environment with `more`, for as long as it is in use: what this process starts later has its own."""
    before = {name: os.environ.get(name) for name in more}
    os.environ.update(more)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _without_token() -> Iterator[None]:
    """What Ray starts inherits the environment, and has no business with the hub's token."""
    before = dict(os.environ)
    kept = without_token()
    for name in before.keys() - kept.keys():
        del os.environ[name]
    os.environ.update(kept)
    try:
        yield
    finally:
        os.environ.update(before)
