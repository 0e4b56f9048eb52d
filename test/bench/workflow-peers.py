"""What other programs take for the work of the workflow figures. Prints one JSON document.

    workflow-peers.py compiled GRAPH...                   {"seconds": [...], "values": [...]}, one after the other, in memory
    workflow-peers.py python GRAPH [REGISTRY]             {"seconds": ..., "value": ...}; file storage, the uv executor over REGISTRY
    workflow-peers.py ray COUNT | parsl COUNT             {"seconds": ..., "version": ...}: COUNT tasks that do nothing, after a warm-up

The first two need tierkreis 2.1. Times are without the import of the package. TKR_DIR is where checkpoints go. The directory of
the interpreter stands first on PATH: uv is taken from there, and Parsl starts its own programs by name.
"""

import json
import os
import sys
from importlib.metadata import version
from pathlib import Path
from time import perf_counter


def compiled(paths):
    from tierkreis.controller.data.graph import GraphData
    from tierkreis.models import Workflow  # noqa: F401  imports what the extension asks for
    from tierkreis import _tierkreis

    seconds, values = [], []
    for path in paths:
        graph = GraphData.model_validate_json(Path(path).read_text())
        start = perf_counter()
        outputs = _tierkreis.run_workflow("bench", graph, {})
        seconds.append(perf_counter() - start)
        values.append(outputs)
    return {"seconds": seconds, "values": values}


def python(path, registry=None):
    from uuid import UUID

    from tierkreis.controller import run_graph
    from tierkreis.controller.data.graph import GraphData
    from tierkreis.controller.executor.shell_executor import ShellExecutor
    from tierkreis.controller.executor.uv_executor import UvExecutor
    from tierkreis.controller.storage.filestorage import ControllerFileStorage

    root = Path(os.environ["TKR_DIR"])
    graph = GraphData.model_validate_json(Path(path).read_text())
    storage = ControllerFileStorage(UUID(int=1), name="bench", tierkreis_directory=root)
    storage.workflow_dir.mkdir(parents=True)
    executor = ShellExecutor(root, storage.workflow_dir) if registry is None else UvExecutor(Path(registry), storage.logs_path)
    start = perf_counter()
    run_graph(storage, executor, graph, {}, 1_000_000, 0.01)
    seconds = perf_counter() - start
    return {"seconds": seconds, "value": json.loads((storage.workflow_dir / "-" / "outputs" / "value").read_text())}


def ray(count):
    import ray

    ray.init(num_cpus=os.cpu_count(), include_dashboard=False, logging_level="ERROR", log_to_driver=False)

    @ray.remote
    def nothing(x):
        return x

    ray.get([nothing.remote(x) for x in range(count)])
    start = perf_counter()
    got = ray.get([nothing.remote(x) for x in range(count)])
    seconds = perf_counter() - start
    assert got == list(range(count))
    ray.shutdown()
    return {"seconds": seconds, "version": version("ray")}


def parsl(count):
    import tempfile

    import parsl
    from parsl.config import Config
    from parsl.executors import HighThroughputExecutor
    from parsl.providers import LocalProvider

    @parsl.python_app
    def nothing(x):
        return x

    with tempfile.TemporaryDirectory() as directory:
        executor = HighThroughputExecutor(
            label="bench",
            address="127.0.0.1",
            max_workers_per_node=os.cpu_count(),
            provider=LocalProvider(init_blocks=1, max_blocks=1),
            encrypted=False,
        )
        with parsl.load(Config(executors=[executor], run_dir=directory, usage_tracking=0)):
            [each.result() for each in [nothing(x) for x in range(count)]]
            start = perf_counter()
            got = [each.result() for each in [nothing(x) for x in range(count)]]
            seconds = perf_counter() - start
    assert got == list(range(count))
    return {"seconds": seconds, "version": version("parsl")}


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    # Whatever the packages print goes elsewhere: the last line is the answer.
    answer = {
        "compiled": lambda: compiled(rest),
        "python": lambda: python(*rest),
        "ray": lambda: ray(int(rest[0])),
        "parsl": lambda: parsl(int(rest[0])),
    }[what]()
    print(json.dumps(answer, default=str))
