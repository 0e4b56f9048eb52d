"""Writes down whole checkpoint directories of real Tierkreis: test/fixtures/tierkreis/checkpoints/<version>-<name>.json.

    $(test/engines/tierkreis-env.sh)/bin/python test/engines/tierkreis-checkpoints.py [--into DIRECTORY]

Real controller, file storage and processes. One file holds the inputs (the graph lies in `.N-1/outputs/body`), and
`files` by path relative to the workflow's directory: {"text"} or {"base64"}, `link` (the same number: the same inode;
absent: linked to nothing), and `directories`, those that are empty. What differs from run to run is replaced: the run's id by W, the checkpoints directory by
ROOT, times by TIME, the interpreter by PYTHON, the package by PACKAGE, the account by USER, the environment of commands by {}.
"""

import argparse
import base64
import getpass
import json
import logging
import os
import re
import shutil
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from uuid import UUID

if os.environ.get("PYTHONHASHSEED") != "0":
    os.environ["PYTHONHASHSEED"] = "0"
    os.execv(sys.executable, [sys.executable, *sys.argv])
ROOT = Path(tempfile.mkdtemp(prefix="tierkreis-checkpoints-")).resolve()
os.environ["TKR_DIR"] = str(ROOT)

import tierkreis  # noqa: E402
from tierkreis.controller import run_graph  # noqa: E402
from tierkreis.controller.data.graph import GraphData  # noqa: E402
from tierkreis.controller.executor.shell_executor import ShellExecutor  # noqa: E402
from tierkreis.controller.storage.filestorage import ControllerFileStorage  # noqa: E402

VERSION = version("tierkreis")
RUN = UUID(int=1)
BYTES = "bytes" if VERSION == "2.0.9" else "value_bytes"
# Loops have names from 2.0.10 on.
NAME = () if VERSION == "2.0.9" else ("count_up",)
WORKER = """#!/bin/sh
# Joins its input to itself.
echo "doubling"
cat "$input_text_file" "$input_text_file" > "$output_value_file"
echo "two lines" > "$output_note_file"
"""


def chain(g: GraphData) -> None:
    text = g.func("builtins.tkr_encode", {"string": g.input("text")})("value")
    double = g.func("double.run", {"text": text})
    g.output({"value": g.func("builtins.tkr_decode", {BYTES: double("value")})("value"), "note": double("note")})


def loop(g: GraphData) -> None:
    body = GraphData()
    i = body.func("builtins.iadd", {"a": body.input("i"), "b": body.const(1)})("value")
    body.output({"i": i, "should_continue": body.func("builtins.igt", {"a": body.input("limit"), "b": i})("value")})
    done = g.loop(g.const(body), {"i": g.input("i"), "limit": g.const(3)}, "should_continue", *NAME)
    g.output({"i": done("i")})


def mapped(g: GraphData) -> None:
    body = GraphData()
    body.output({"value": body.func("builtins.itimes", {"a": body.input("x"), "b": body.input("factor")})("value")})
    xs = g.func("builtins.unfold_values", {"value": g.input("xs")})("*")
    results = g.map(g.const(body), {"x": xs, "factor": g.const(10)})("value-*")
    g.output({"value": g.func("builtins.fold_values", {"values_glob": results})("value")})


def failed(g: GraphData) -> None:
    text = g.func("builtins.tkr_encode", {"string": g.input("text")})("value")
    g.output({"value": g.func("broken.run", {"text": text})("value")})


RUNS = {
    "chain-shell-worker": (chain, {"text": "ab"}),
    "loop": (loop, {"i": 0}),
    "map": (mapped, {"xs": [1, 2, 3]}),
    "failed-shell-worker": (failed, {"text": "ab"}),
}


def plain(text: str) -> str:
    package = str(Path(tierkreis.__file__).resolve().parents[1])
    text = text.replace(str(RUN), "W").replace(str(ROOT), "ROOT").replace(sys.executable, "PYTHON").replace(package, "PACKAGE")
    text = re.sub(r'"user_id":\s*"' + re.escape(getpass.getuser()) + '"', '"user_id":"USER"', text)
    text = re.sub(r'("env":\s*)\{[^}]*\}', r"\1{}", text)
    return re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:[+-]\d\d:?\d\d)?", "TIME", text)


def tree(directory: Path) -> dict:
    files, empty, names = {}, [], {}
    for path in sorted(directory.rglob("*")):
        relative = plain(str(path.relative_to(directory)))
        if path.is_dir():
            if not any(path.iterdir()):
                empty.append(relative)
            continue
        data = path.read_bytes()
        try:
            entry = {"text": plain(data.decode())}
        except UnicodeDecodeError:
            entry = {"base64": base64.b64encode(data).decode()}
        if path.stat().st_nlink > 1:
            entry["link"] = names.setdefault(path.stat().st_ino, len(names) + 1)
        files[relative] = entry
    return {"files": files, "directories": empty}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--into", type=Path, default=Path(__file__).resolve().parents[1] / "fixtures/tierkreis/checkpoints")
    into = parser.parse_args().into
    into.mkdir(parents=True, exist_ok=True)
    registry = ROOT / "registry"
    for name, text in {"double": WORKER, "broken": '#!/bin/sh\necho "no luck" >&2\nexit 3\n'}.items():
        (registry / name).mkdir(parents=True)
        script = registry / name / "main.sh"
        script.write_text(text)
        script.chmod(0o755)
    for name, (fill, inputs) in RUNS.items():
        graph = GraphData()
        fill(graph)
        storage = ControllerFileStorage(RUN, name=name, tierkreis_directory=ROOT)
        shutil.rmtree(storage.workflow_dir, ignore_errors=True)
        storage.workflow_dir.mkdir()
        executor = ShellExecutor(registry, storage.workflow_dir)
        raised = None
        if VERSION == "2.0.9" and name == "failed-shell-worker":
            # Its shell executor puts the marker in the wrong place: the run would not end.
            continue
        try:
            run_graph(storage, executor, graph, inputs, 6000, 0.01)
        except Exception as exc:  # noqa: BLE001 recorded
            raised = f"{type(exc).__name__}: {exc}"
        # What the shells of the workers still write to the logs.
        time.sleep(1)
        # Without its handlers the next run's log would get lines of this one.
        for handler in list(logging.getLogger().handlers) + list(logging.getLogger("tierkreis").handlers):
            handler.close()
        logging.getLogger().handlers.clear()
        logging.getLogger("tierkreis").handlers.clear()
        found = tree(storage.workflow_dir)
        record = {"name": name, "version": VERSION, "inputs": inputs, "raised": raised, **found}
        (into / f"{VERSION}-{name}.json").write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
        print(name, raised, len(found["files"]), "files", found["directories"])
    shutil.rmtree(ROOT)


main()
