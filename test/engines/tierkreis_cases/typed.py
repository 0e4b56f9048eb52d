"""Graphs of the typed builder of 2.1.1."""

from importlib.metadata import version

from .case import case


def typed_cases() -> None:
    from typing import NamedTuple

    from tierkreis.builder import Graph
    from tierkreis.builtins.stubs import iadd, igt, itimes, tkr_str
    from tierkreis.controller.data.models import TKR

    class Pair(NamedTuple):
        a: TKR[int]
        b: TKR[int]

    class Turn(NamedTuple):
        value: TKR[int]
        should_continue: TKR[bool]

    def add_one():
        g = Graph(TKR[int], TKR[int])
        return g.finish_with_outputs(g.task(iadd(g.const(1), g.inputs)))

    def of_pair():
        g = Graph(Pair, Pair)
        return g.finish_with_outputs(Pair(a=g.task(iadd(g.inputs.a, g.inputs.b)), b=g.task(itimes(g.inputs.a, g.inputs.b))))

    @case("typed-eval-and-embed", "the typed builder: a graph called, and the same one embedded", inputs={"value": 5})
    def _(_g):
        g = Graph(TKR[int], TKR[int])
        once = g.eval(add_one(), g.inputs)
        return g.finish_with_outputs(g.embed(add_one(), once, TKR[int])).data

    @case("typed-map", "the typed builder: a map over a list", inputs={"value": [1, 2, 3]})
    def _(_g):
        g = Graph(TKR[list[int]], TKR[list[int]])
        return g.finish_with_outputs(g.map(add_one(), g.inputs)).data

    @case("typed-map-twice", "the typed builder: a map of a map", inputs={"value": [1, 2, 3]})
    def _(_g):
        g = Graph(TKR[list[int]], TKR[list[int]])
        return g.finish_with_outputs(g.map(add_one(), g.map(add_one(), g.inputs))).data

    @case("typed-map-of-function", "the typed builder: a Python function makes the elements' inputs", inputs={"value": [1, 2, 3]})
    def _(_g):
        g = Graph(TKR[list[int]], TKR[list[int]])
        pairs = g.map(lambda x: Pair(a=x, b=g.const(10)), g.inputs)
        return g.finish_with_outputs(g.map(lambda p: p.b, g.map(of_pair(), pairs))).data

    @case("typed-loop", "the typed builder: a loop", inputs={"value": 1})
    def _(_g):
        body = Graph(TKR[int], Turn)
        doubled = body.task(itimes(body.inputs, body.const(2)))
        turn = body.finish_with_outputs(Turn(value=doubled, should_continue=body.task(igt(body.const(100), doubled))))
        g = Graph(TKR[int], TKR[int])
        return g.finish_with_outputs(g.loop(turn, g.inputs, "doubling").value).data

    @case("typed-ifelse", "the typed builder: lazy and eager choices of other types", inputs={"value": 1})
    def _(_g):
        g = Graph(TKR[int], Pair)
        pred = g.task(igt(g.inputs, g.const(0)))
        text = g.task(tkr_str(g.inputs))
        return g.finish_with_outputs(Pair(a=g.ifelse(pred, text, g.inputs), b=g.eifelse(pred, g.inputs, text))).data


if version("tierkreis") == "2.1.1":
    typed_cases()
