"""Runs graphs with real Tierkreis and writes down what came out: test/fixtures/tierkreis/runs/<version>/<name>.json.

    $(test/engines/tierkreis-env.sh)/bin/python test/engines/tierkreis-oracle.py [--into DIRECTORY] [NAME ...]

The graphs are in tierkreis_cases/. The controller, its file storage, the builtins and the worker class are those of the
installed version; only process starts are left out: a task is called in this process, and what executors do after a process
that ended with an error (touch `_error`) is done here. One file holds:

name, version, about   which graph, and what it shows
graph                  the document as the controller wrote it (`.N-1/outputs/body`)
inputs, outputs        {port: {"text": ...} or, where the bytes are not UTF-8, {"base64": ...}}
outcome                succeeded | failed (a node's `_error`) | raised (an exception of the controller) | unfinished (ticks ran out)
error                  of `failed`: locs as in `-/errors` of that version, and each one's text
raised                 type and text of the exception
calls                  locations of all calls of tasks, sorted: what was lazy is not in it
defect                 a sentence where the behaviour is no model to follow; absent otherwise
"""

import argparse
import base64
import json
import logging
import os
import shutil
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from uuid import UUID

# The order of a graph's input set, and with it the text of its document.
if os.environ.get("PYTHONHASHSEED") != "0":
    os.environ["PYTHONHASHSEED"] = "0"
    os.execv(sys.executable, [sys.executable, *sys.argv])

ROOT = Path(tempfile.mkdtemp(prefix="tierkreis-oracle-"))
os.environ["TKR_DIR"] = str(ROOT)

import tierkreis.controller as controller  # noqa: E402
import tierkreis.controller.start  # noqa: E402
from tierkreis.builtins.main import worker as builtins_worker  # noqa: E402
from tierkreis.controller.storage.filestorage import ControllerFileStorage  # noqa: E402

# `tierkreis.controller.start` is the function of that name.
start_module = sys.modules["tierkreis.controller.start"]

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.dont_write_bytecode = True
import tierkreis_cases  # noqa: E402

VERSION = version("tierkreis")
# Enough for every graph here; a tick starts all that is ready.
TICKS = 400
WORKERS = {"builtins": builtins_worker, "work": tierkreis_cases.work}
# From 2.0.10 nothing tells the controller that a builtin failed.
BUILTIN_FAILURES_SEEN = VERSION == "2.0.9"


class Calls:
    """Stands in for the processes of one run."""

    def __init__(self) -> None:
        self.builtin_failed = False

    def run(self, launcher: str, path: Path):
        error = None
        try:
            WORKERS[launcher].run(Path(path))
        except (Exception, SystemExit) as exc:  # noqa: BLE001 what a process would end with
            error = exc
        directory = (ROOT / path).parent
        if error is not None and not (directory / "_error").exists():
            (directory / "_error").touch()
        if error is not None and launcher == "builtins":
            self.builtin_failed = True
        return None

    def builtin(self, path: Path, _logs: Path):
        return self.run("builtins", path)


def shown(data: bytes) -> dict:
    try:
        return {"text": data.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def without_places(text: str) -> str:
    return text.replace(str(ROOT) + "/", "").replace(str(UUID(int=1)), "W")


def run_case(case) -> dict:
    storage = ControllerFileStorage(UUID(int=1), name=case.name, tierkreis_directory=ROOT)
    shutil.rmtree(storage.workflow_dir, ignore_errors=True)
    storage.workflow_dir.mkdir(parents=True)
    calls = Calls()
    start_module.run_builtin = calls.builtin
    storage.write_executor_data = lambda *_: None
    graph = case.build()
    raised = None
    try:
        controller.run_graph(storage, calls, graph, dict(case.inputs), TICKS, 0)
    except Exception as exc:  # noqa: BLE001 the record is what was raised
        raised = exc
    directory = storage.workflow_dir
    body = directory / ".N-1" / "outputs" / "body"
    record = {"name": case.name, "version": VERSION, "about": case.about, "graph": body.read_text() if body.exists() else None}
    given = directory / ".N-1" / "outputs"
    record["inputs"] = {p.name: shown(p.read_bytes()) for p in sorted(given.glob("*")) if p.name != "body"} if given.exists() else {}
    failed = (directory / "-" / "_error").exists()
    defect = case.defects.get(VERSION, case.defect)
    if (directory / "-" / "_done").exists():
        record["outcome"] = "succeeded"
        outputs = directory / "-" / "outputs"
        record["outputs"] = {p.name: shown(p.read_bytes()) for p in sorted(outputs.glob("*"))} if outputs.exists() else {}
    elif failed:
        record["outcome"] = "failed"
        reported = next(p for p in (directory / "-" / "errors", directory / "-" / "_error") if p.exists() and p.stat().st_size)
        # A node that several wait for is named once for each of them.
        locs = sorted(set(reported.read_text().split("\n")))
        record["error"] = {"locs": locs, "reported": reported.name, "messages": {loc: message(directory / loc) for loc in locs}}
        if calls.builtin_failed and not BUILTIN_FAILURES_SEEN:
            late = f"{VERSION} never sees that a builtin failed and waits until its ticks run out: the marker was put in its place."
            defect = f"{defect} {late}" if defect else late
    elif raised is not None:
        record["outcome"] = "raised"
        record["raised"] = {"type": type(raised).__name__, "message": without_places(str(raised))}
    else:
        record["outcome"] = "unfinished"
    record["calls"] = sorted(p.parent.name for p in directory.glob("*/definition"))
    if defect:
        record["defect"] = defect
    return record


def message(directory: Path) -> str:
    for name in ("_error", "logs", "errors"):
        file = directory / name
        if file.exists() and file.stat().st_size:
            return without_places(file.read_text())
    return ""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--into", type=Path, default=Path(__file__).resolve().parents[1] / "fixtures/tierkreis/runs")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    cases = [c for c in tierkreis_cases.cases() if VERSION in c.versions and (not options.names or c.name in options.names)]
    into = options.into / VERSION
    into.mkdir(parents=True, exist_ok=True)
    names = {c.name for c in cases}
    assert len(names) == len(cases), "two graphs of one name"
    output = sys.stdout
    for case in cases:
        # 2.0.9 prints errors.
        sys.stdout = open(os.devnull, "w")
        try:
            record = run_case(case)
        finally:
            sys.stdout.close()
            sys.stdout = output
        (into / f"{case.name}.json").write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
        wrong = case.expect is not None and case.expect != record.get("outcome")
        detail = record.get("outputs") or record.get("error") or record.get("raised") or ""
        print(f"{'?? ' if wrong else ''}{case.name}: {record['outcome']} {str(detail)[:150]}")
    shutil.rmtree(ROOT)


main()
