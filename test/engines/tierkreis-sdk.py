"""Runs graphs of a TypeScript worker "lab" with real Tierkreis: its controller, file storage and executors.

    PYTHON tierkreis-sdk.py ROOT REGISTRY shell|path|uv [STUBS] > outcome.json

ROOT is the checkpoints directory; REGISTRY has a folder "lab". With STUBS (from 2.1.0) the first graph is built by the Python builder
with the stubs that the worker wrote. The outcome: outputs of the good graph, error and marks of the one whose task throws.
"""

import importlib.util
import json
import os
import sys
from pathlib import Path
from uuid import UUID

ROOT, REGISTRY, WAY = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
os.environ["TKR_DIR"] = str(ROOT)

from tierkreis.controller import run_graph  # noqa: E402
from tierkreis.controller.data.graph import GraphData  # noqa: E402
from tierkreis.controller.executor.shell_executor import ShellExecutor  # noqa: E402
from tierkreis.controller.executor.uv_executor import UvExecutor  # noqa: E402
from tierkreis.controller.storage.filestorage import ControllerFileStorage  # noqa: E402
from tierkreis.exceptions import TierkreisError  # noqa: E402

TICKS = 4000


def good():
    body = GraphData()
    body.output({"value": body.func("lab.square", {"n": body.input("n")})("value")})
    g = GraphData()
    parts = g.func("lab.split", {"text": g.const("ab cd ef")})
    # Each port is asked for once and kept: 2.0.9 counts consumers when it is asked.
    head = g.func("lab.shout", {"text": parts("head")})("value")
    elements = g.func("lab.count_up", {"to": g.const(4)})("*")
    squares = g.map(g.const(body), {"n": elements})("*")
    total = g.func("builtins.fold_values", {"values_glob": squares})("value")
    doubled = g.func("lab.scale", {"x": g.const(1.25)})("value")
    g.output({"head": head, "tail": parts("tail"), "squares": total, "doubled": doubled})
    return g


def bad():
    g = GraphData()
    g.output({"value": g.func("lab.refuse", {})("value")})
    return g


def stubbed(path):
    from tierkreis.builder import Graph
    from tierkreis.controller.data.core import EmptyModel
    from tierkreis.controller.data.models import TKR

    spec = importlib.util.spec_from_file_location("lab_stubs", path)
    stubs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(stubs)
    g = Graph(EmptyModel, TKR[str])
    parts = g.task(stubs.split(text=g.const("xy z")))
    g.finish_with_outputs(g.task(stubs.shout(text=parts.head)))
    return g.get_data()


def run(number, graph):
    storage = ControllerFileStorage(UUID(int=number), tierkreis_directory=ROOT)
    if WAY == "uv":
        executor = UvExecutor(REGISTRY, storage.logs_path)
    else:
        executor = ShellExecutor(REGISTRY if WAY == "shell" else None, storage.workflow_dir)
    try:
        run_graph(storage, executor, graph, {}, TICKS, 0.05)
    except TierkreisError as error:
        # 2.1.x raises at the end of a run that failed; 2.0.9 returns.
        if "encountered errors" not in str(error):
            raise
    root = storage.workflow_dir / "-"
    outputs = {p.name: p.read_text() for p in sorted((root / "outputs").glob("*"))}
    return storage, outputs, (root / "_done").exists()


_, outputs, done = run(1, good())
result = {"done": done, "outputs": outputs}
if len(sys.argv) > 4:
    _, result["stubbed"], _ = run(2, stubbed(sys.argv[4]))
storage, _, failed_done = run(3, bad())
node = storage.workflow_dir / "-.N0"
result["failed"] = {
    "done": failed_done,
    "error": (storage.workflow_dir / "-" / "_error").exists(),
    "node_done": (node / "_done").exists(),
    "texts": [(node / name).read_text() for name in ("_error", "logs", "errors") if (node / name).exists()],
}
print("\n" + json.dumps(result))
