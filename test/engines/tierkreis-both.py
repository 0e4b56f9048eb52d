"""Builds graphs with the real builder and runs them with the real controller, file storage and executors.

    PYTHON tierkreis-both.py ROOT INTO REGISTRY... > outcomes.json

ROOT is the checkpoints directory. INTO gets `<name>.json` (the graph as the builder writes it) and `<name>.in-<port>` (its inputs); its `calc_stubs.py`, which the
worker wrote, serves the typed builder.
Workers are Python ones of the first registry and, from 2.0.10, of those that follow; `lab` is started by its main.sh.
The outcomes: by name `workflow` (its id), `failed` (locations) and `raised`; its outputs lie in ROOT/<id>/-/outputs.
"""

import importlib.util
import json
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

ROOT, INTO, *REGISTRIES = (Path(argument) for argument in sys.argv[1:])
os.environ["TKR_DIR"] = str(ROOT)

from tierkreis.controller import run_graph  # noqa: E402
from tierkreis.controller.data.graph import GraphData  # noqa: E402
from tierkreis.controller.data.types import bytes_from_ptype  # noqa: E402
from tierkreis.controller.executor.multiple import MultipleExecutor  # noqa: E402
from tierkreis.controller.executor.shell_executor import ShellExecutor  # noqa: E402
from tierkreis.controller.executor.uv_executor import UvExecutor  # noqa: E402
from tierkreis.controller.storage.filestorage import ControllerFileStorage  # noqa: E402
from tierkreis.exceptions import TierkreisError  # noqa: E402

VERSION = version("tierkreis")
TICKS = 4000


def several_ports(g):
    parts = g.func("calc.divide", {"a": g.input("a"), "b": g.const(7)})
    # Each port is asked for once and kept: 2.0.9 counts consumers when it is asked.
    quotient, remainder = parts("quotient"), parts("remainder")
    total = g.func("builtins.iadd", {"a": quotient, "b": remainder})("value")
    g.output({"quotient": quotient, "remainder": remainder, "total": total})
    return {"a": 10**30}


def raw_bytes(g):
    blob = g.func("calc.blob", {"n": g.const(300)})("value")
    g.output({"blob": blob, "length": g.func("calc.measure", {"data": blob})("value"), "of": g.func("calc.measure", {"data": g.input("data")})("value")})
    return {"data": bytes(range(256))}


def text_and_numbers(g):
    said = g.func("calc.describe", {"text": g.input("text"), "x": g.input("x"), "flag": g.const(True)})
    g.output({"text": said("text"), "x": said("x"), "flag": said("flag")})
    return {"text": "zwölf\u2028\ttap \U0001f600", "x": 1e-7}


def complex_numbers(g):
    turned = g.func("calc.turn", {"z": g.input("z")})("value")
    again = g.func("calc.turn", {"z": turned, "by": g.func("calc.turn", {"z": turned})("value")})("value")
    g.output({"turned": turned, "again": again})
    return {"z": 1.5 - 2j}


def optional_inputs(g):
    sorted_ = g.func("calc.sort", {"xs": g.const([3, 1, 2])})("value")
    down = g.func("calc.sort", {"xs": sorted_, "descending": g.const(True)})("value")
    missing = g.func("calc.sort", {"xs": g.const([2, 1]), "descending": g.input("never_given")})("value")
    g.output({"up": sorted_, "down": down, "missing": missing})
    return {}


def named_tuples(g):
    point = g.func("calc.point", {"x": g.const(3.0), "y": g.const(4.0)})("value")
    g.output({"point": point, "norm": g.func("calc.norm", {"p": point})("value"), "many": g.func("calc.points", {"n": g.const(2)})("value")})
    return {}


def mapped(g):
    body = GraphData()
    body.output({"value": body.func("calc.double", {"x": body.input("x")})("value")})
    xs = g.func("builtins.unfold_values", {"value": g.input("xs")})("*")
    results = g.map(g.const(body), {"x": xs})("*")
    g.output({"value": g.func("calc.sort", {"xs": g.func("builtins.fold_values", {"values_glob": results})("value")})("value")})
    return {"xs": [4, -1, 0]}


def looped(g):
    body = GraphData()
    i = body.func("calc.double", {"x": body.input("i")})("value")
    body.output({"i": i, "should_continue": body.func("builtins.igt", {"a": body.input("limit"), "b": i})("value")})
    done = g.loop(g.const(body), {"i": g.input("i"), "limit": g.const(6)}, "should_continue")
    g.output({"i": done("i")})
    return {"i": 1}


def chosen(g):
    is_big = g.func("builtins.igt", {"a": g.input("x"), "b": g.const(10)})("value")
    small = g.func("calc.double", {"x": g.input("x")})("value")
    g.output({"value": g.if_else(is_big, g.func("calc.refuse", {"x": g.const(1)})("value"), small)("value")})
    return {"x": 5}


def refused(g):
    good = g.func("calc.double", {"x": g.input("x")})("value")
    g.output({"value": g.func("calc.refuse", {"x": good})("value")})
    return {"x": 4}


def released(g):
    graph = g.func("graph.doubler_plus_graph", {})("value")
    twice = g.func("graph.graph_of_graph", {"f": graph, "n": g.const(3)})("value")
    greeting = g.func("hello_world_worker.greet", {"greeting": g.const("hello "), "subject": g.input("subject")})("value")
    g.output({"greeting": greeting, "value": g.eval(twice, {"value": g.const(5)})("value")})
    return {"subject": "wörld"}


def with_typescript(g):
    parts = g.func("lab.split", {"text": g.input("text")})
    head, tail = parts("head"), parts("tail")
    squares = g.func("lab.squares", {"xs": g.func("calc.sort", {"xs": g.const([3, 1])})("value")})("value")
    blob = g.func("lab.reverse", {"data": g.func("calc.blob", {"n": g.const(4)})("value")})("value")
    g.output({"head": head, "joined": g.func("calc.join", {"words": tail})("value"), "squares": squares, "blob": blob, "length": g.func("calc.measure", {"data": blob})("value")})
    return {"text": "ab cd ef"}


def typed(_):
    from tierkreis.builder import Graph
    from tierkreis.builtins import igt
    from tierkreis.models import TKR

    spec = importlib.util.spec_from_file_location("calc_stubs", INTO / "calc_stubs.py")
    calc = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(calc)

    class Step(NamedTuple):
        i: TKR[int]
        limit: TKR[int]

    class Stepped(NamedTuple):
        i: TKR[int]
        should_continue: TKR[bool]

    class Given(NamedTuple):
        xs: TKR[list[int]]
        text: TKR[str]

    class Made(NamedTuple):
        grown: TKR[int]
        doubled: TKR[list[int]]
        remainder: TKR[int]
        text: TKR[str]

    step = Graph(Step, Stepped)
    doubled = step.task(calc.double(x=step.inputs.i))
    step = step.finish_with_outputs(Stepped(doubled, step.task(igt(step.inputs.limit, doubled))))
    double = Graph(TKR[int], TKR[int])
    double = double.finish_with_outputs(double.task(calc.double(x=double.inputs)))
    g = Graph(Given, Made)
    grown = g.loop(step, Step(i=g.const(1), limit=g.const(5)), "grow").i
    all_doubled = g.map(double, g.inputs.xs)
    said = g.task(calc.describe(text=g.inputs.text, x=g.const(0.1), flag=g.const(False)))
    parts = g.task(calc.divide(a=grown, b=g.eval(double, g.const(3))))
    g = g.finish_with_outputs(Made(grown, all_doubled, parts.remainder, g.ifelse(said.flag, said.text, g.inputs.text)))
    return g.data, {"xs": [3, 0, 10**25], "text": "abc"}


ALL = [several_ports, raw_bytes, text_and_numbers, optional_inputs, named_tuples, mapped, looped, chosen, refused]
GRAPHS = {
    "2.0.9": ALL,
    "2.0.12": [several_ports, complex_numbers, mapped, refused, released],
    "2.1.1": [*ALL, complex_numbers, with_typescript, typed],
}


def outcome(number, fill):
    graph = GraphData()
    inputs = fill(graph)
    if isinstance(inputs, tuple):
        graph, inputs = inputs
    name = fill.__name__
    (INTO / f"{name}.json").write_bytes(bytes_from_ptype(graph))
    for port, value in inputs.items():
        (INTO / f"{name}.in-{port}").write_bytes(bytes_from_ptype(value))
    storage = ControllerFileStorage(UUID(int=number), name=name, tierkreis_directory=ROOT)
    registry = list(REGISTRIES) if VERSION not in ("2.0.9", "2.0.12") else REGISTRIES[1 if fill is released else 0]
    uv = UvExecutor(registry, storage.logs_path)
    shell = ShellExecutor(REGISTRIES[0], storage.workflow_dir)
    executor = MultipleExecutor(uv, {"shell": shell}, {"lab": "shell"})
    raised = None
    try:
        run_graph(storage, executor, graph, inputs, TICKS, 0.05)
    except TierkreisError as error:
        # 2.1.x raises at the end of a run that failed; 2.0.9 returns.
        raised = str(error)
    errors = [storage.workflow_dir / "-" / file for file in ("_error", "errors")]
    failed = [line for path in errors if path.exists() for line in path.read_text().splitlines() if line]
    return {"workflow": str(storage.workflow_id), "done": (storage.workflow_dir / "-/_done").exists(), "failed": sorted(set(failed)), "raised": raised}


outcomes = {fill.__name__: outcome(index + 1, fill) for index, fill in enumerate(GRAPHS[VERSION])}
print("\n" + json.dumps(outcomes))
