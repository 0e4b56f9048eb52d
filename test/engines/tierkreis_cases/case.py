"""What the graphs of tierkreis-oracle.py are made of: how one is registered, the worker `work`, pieces that several use."""

from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, Callable

from tierkreis.controller.data.graph import GraphData
from tierkreis.worker.worker import Worker

NEWEST = ("2.1.1",)
RECENT = ("2.0.12", "2.1.1")
ALL = ("2.0.9", "2.0.12", "2.1.1")

work = Worker("work")


@work.task()
def greet(name: str, greeting: str = "hello") -> str:
    return f"{greeting} {name}"


@work.task()
def fail(reason: str) -> str:
    raise ValueError(reason)


@work.task()
def two_inputs(a: int, b: int) -> int:
    return a - b


@work.task()
def fail_at(value: int, limit: int) -> int:
    if value >= limit:
        raise ValueError(f"{value} reaches {limit}")
    return value + 1


@work.primitive_task()
def half(args, storage) -> None:
    """Writes only the first of its outputs, by name."""
    first = sorted(args.outputs)[0]
    storage.write_output(args.outputs[first], b"1")


@work.primitive_task()
def raw(args, storage) -> None:
    """Gives the bytes that are written in its input as hexadecimal digits."""
    text = storage.read_input(args.inputs["hex"]).decode().strip('"')
    storage.write_output(args.outputs["value"], bytes.fromhex(text))


@dataclass
class Case:
    name: str
    about: str
    build: Callable[[], Any]
    inputs: dict = field(default_factory=dict)
    expect: str | None = "succeeded"
    defect: str | None = None
    # Sentences of single versions.
    defects: dict = field(default_factory=dict)
    versions: tuple = NEWEST


_cases: list[Case] = []


def case(name: str, about: str, **rest):
    """The decorated function fills an empty graph; what it returns, if anything, is run in that graph's place."""

    def register(fill):
        def build():
            graph = GraphData()
            return fill(graph) or graph

        _cases.append(Case(name, about, build, **rest))
        return fill

    return register


def cases() -> list[Case]:
    return _cases


def graph(fill) -> GraphData:
    g = GraphData()
    fill(g)
    return g


def b(g: GraphData, name: str, **inputs):
    """A call of a builtin; its output `value`."""
    return g.func(f"builtins.{name}", inputs)("value")


def out(g: GraphData, **ports) -> None:
    g.output(ports)


# 2.0.9 has fewer builtins and other names; its graphs are about the dialect.
OLD = version("tierkreis") == "2.0.9"
ID = "impl_id" if OLD else "tkr_id"
LEN = "impl_len" if OLD else "tkr_len"
TUPLE = "tuple_impl" if OLD else "tkr_tuple"
ZIP = "zip_impl" if OLD else "tkr_zip"


ADD_ONE = graph(lambda g: out(g, value=b(g, "iadd", a=g.input("x"), b=g.const(1))))


def unfold(g, ref):
    return g.func("builtins.unfold_values", {"value": ref})("*")


def fold(g, ref):
    return b(g, "fold_values", values_glob=ref)


def factorial() -> GraphData:
    def fill(g):
        one = g.const(1)
        n, body = g.input("n"), g.input("body")
        rest = g.eval(body, {"n": b(g, "iadd", a=g.const(-1), b=n), "body": body})("value")
        out(g, value=g.if_else(b(g, "igt", a=n, b=one), b(g, "itimes", a=rest, b=n), one)("value"))

    return graph(fill)


def counter(limit_port: bool = False) -> GraphData:
    def fill(g):
        i = b(g, "iadd", a=g.input("i"), b=g.const(1))
        limit = g.input("limit") if limit_port else g.const(5)
        out(g, i=i, should_continue=b(g, "igt", a=limit, b=i))

    return graph(fill)
