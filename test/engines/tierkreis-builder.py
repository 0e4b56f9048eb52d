"""Runs graph files with real Tierkreis: a JSON list of {name, graph, inputs} on stdin, texts all; {name: outcome} on stdout.

    $(test/engines/tierkreis-env.sh)/bin/python test/engines/tierkreis-builder.py < graphs.json

An outcome is {"outputs": {port: text}} or {"error": text}. Model, controller, file storage and builtins are those of the installed
version; only process starts are left out: tasks are called in this process.
"""

import atexit
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from uuid import UUID

ROOT = Path(tempfile.mkdtemp(prefix="tierkreis-builder-"))
atexit.register(shutil.rmtree, ROOT, ignore_errors=True)
os.environ["TKR_DIR"] = str(ROOT)

import tierkreis.controller as controller  # noqa: E402
import tierkreis.controller.start  # noqa: E402
from tierkreis.builtins.main import worker  # noqa: E402
from tierkreis.controller.data.graph import GraphData  # noqa: E402
from tierkreis.controller.storage.filestorage import ControllerFileStorage  # noqa: E402

# `tierkreis.controller.start` is the function of that name.
start_module = sys.modules["tierkreis.controller.start"]
TICKS = 500


class InProcess:
    def run(self, launcher, path):
        raise RuntimeError(f"no worker {launcher}")

    def builtin(self, path, _logs):
        try:
            worker.run(Path(path))
        except (Exception, SystemExit):  # noqa: BLE001 what a process would end with
            (ROOT / path).parent.joinpath("_error").touch()


def run(number, case):
    graph = GraphData.model_validate_json(case["graph"])
    storage = ControllerFileStorage(UUID(int=number), name=case["name"], tierkreis_directory=ROOT)
    storage.workflow_dir.mkdir(parents=True)
    storage.write_executor_data = lambda *_: None
    executor = InProcess()
    start_module.run_builtin = executor.builtin
    inputs = {name: json.loads(text) for name, text in case["inputs"].items()}
    controller.run_graph(storage, executor, graph, inputs, TICKS, 0, enable_logging=False)
    if not (storage.workflow_dir / "-" / "_done").exists():
        raise RuntimeError("did not end")
    return {p.name: p.read_text() for p in sorted((storage.workflow_dir / "-" / "outputs").iterdir())}


outcomes = {}
for number, case in enumerate(json.load(sys.stdin), 1):
    try:
        outcomes[case["name"]] = {"outputs": run(number, case)}
    except Exception as exc:  # noqa: BLE001 the outcome is what was raised
        outcomes[case["name"]] = {"error": f"{type(exc).__name__}: {exc}"}
json.dump(outcomes, sys.stdout)
