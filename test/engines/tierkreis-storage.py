"""Reads checkpoint directories with Tierkreis's own classes.

    PYTHON tierkreis-storage.py ROOT ID... > what-was-read.json
    PYTHON tierkreis-storage.py --restart ROOT ID LOC REGISTRY > what-came-out.json

The second form starts a task again as its tools do, and lets its controller go on with the run.
"""

import json
import os
import sys
from pathlib import Path
from uuid import UUID

RESTART = sys.argv[1] == "--restart"
ROOT = Path(sys.argv[2 if RESTART else 1])
os.environ["TKR_DIR"] = str(ROOT)

from tierkreis.controller import resume_graph  # noqa: E402
from tierkreis.controller.data.graph import GraphData  # noqa: E402
from tierkreis.controller.data.location import Loc  # noqa: E402
from tierkreis.controller.data.types import bytes_from_ptype, ptype_from_bytes  # noqa: E402
from tierkreis.controller.executor.shell_executor import ShellExecutor  # noqa: E402
from tierkreis.controller.storage.filestorage import ControllerFileStorage  # noqa: E402
from tierkreis.storage import read_outputs  # noqa: E402


def node(storage, loc):
    definition = storage.read_node_def(loc)
    started, finished = storage.read_started_time(loc), storage.read_finished_time(loc)
    found = {
        "type": definition.type,
        "inputs": {port: [ref[0], ref[1]] for port, ref in definition.inputs.items()},
        "finished": storage.is_node_finished(loc),
        "error": storage.node_has_error(loc),
        "in_order": started is not None and (finished is None or started <= finished),
        "errors": storage.read_errors(loc),
    }
    if storage.exists(storage._outputs_dir(loc)):
        found["outputs"] = {port: storage.read_output(loc, port).decode() for port in storage.read_output_ports(loc)}
    if definition.type == "function":
        args = storage.read_worker_call_args(loc)
        files = {port: str(path) for port, path in {**args.inputs, **args.outputs}.items()}
        found["call"] = [args.function_name, files, str(args.output_dir), str(args.done_path), str(args.error_path), str(args.logs_path)]
        found["inputs_there"] = [(ROOT / path).exists() for path in args.inputs.values() if "*" not in str(path)]
        found["dependents"] = sorted(storage.dependents(loc)) if storage.is_node_finished(Loc()) else None
    if definition.type == "loop":
        found["traces"] = {port: [value.decode() for value in storage.read_loop_trace(loc, port)] for port in ("i", "should_continue")}
        found["latest"] = storage.latest_loop_iteration(loc)
        found["named"] = storage.loc_from_node_name(definition.name) if definition.name else None
    return found


def read(storage):
    graph = ptype_from_bytes(storage.read_output(Loc().N(-1), "body"), GraphData)
    metadata = storage.read_metadata(Loc(""))
    locs = sorted(path.parent.name for path in storage.workflow_dir.glob("*/nodedef"))
    found = {
        "metadata": {key: metadata[key] for key in ("name", "workflow_id", "tierkreis_version", "execution_count")},
        "started_at": metadata["start_time"],
        "completed": sorted(storage.read_metadata(Loc())) if storage.is_node_finished(Loc()) else None,
        "graph": sorted(graph.graph_inputs) + [len(graph.nodes)],
        "errors": storage.read_errors(),
        "nodes": {loc: node(storage, Loc(loc)) for loc in locs},
    }
    if storage.is_node_finished(Loc()):
        found["outputs"] = bytes_from_ptype(read_outputs(graph, storage)).decode()
    return found


def restart(storage, loc, registry):
    invalid = storage.restart_task(Loc(loc))
    before = storage.is_node_finished(Loc())
    resume_graph(storage, ShellExecutor(Path(registry), storage.workflow_dir), 4000, 0.05)
    return {"invalid": sorted(invalid), "before": before, "finished": storage.is_node_finished(Loc()), "outputs": json.loads(read(storage)["outputs"])}


def storage_of(text):
    return ControllerFileStorage(UUID(text), tierkreis_directory=ROOT)


if RESTART:
    result = restart(storage_of(sys.argv[3]), sys.argv[4], sys.argv[5])
else:
    result = {text: read(storage_of(text)) for text in sys.argv[2:]}
print("\n" + json.dumps(result))
