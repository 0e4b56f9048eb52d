"""Failing tasks, wrong calls, graphs that cannot run."""

from .case import ALL, OLD, RECENT, b, case, fold, graph, out, unfold


def divide_by(g, ref):
    return b(g, "iadd" if OLD else "idivide", a=g.const(1), b=ref)


@case("fail-builtin", "division by zero", expect="failed", versions=RECENT)
def _(g):
    out(g, value=divide_by(g, g.const(0)))


@case("fail-wrong-type", "a builtin gets text in a number's place", expect=None, versions=ALL)
def _(g):
    out(g, value=b(g, "iadd", a=g.const(1), b=g.const("x")))


@case("fail-task", "a task raises", expect="failed", versions=ALL)
def _(g):
    out(g, value=g.func("work.fail", {"reason": g.const("over")})("value"))


@case("fail-two", "two tasks fail in one tick: both are named", expect="failed", versions=ALL)
def _(g):
    out(g, x=g.func("work.fail", {"reason": g.const("one")})("value"), y=g.func("work.fail", {"reason": g.const("two")})("value"), z=b(g, "iadd", a=g.const(1), b=g.const(2)))


@case("fail-shared", "a failed node that two others need", expect="failed")
def _(g):
    x = g.func("work.fail", {"reason": g.const("shared")})("value")
    out(g, x=b(g, "iadd", a=x, b=g.const(1)), y=b(g, "iadd", a=x, b=g.const(2)))


@case("fail-in-eval", "in a nested graph", expect="failed", versions=RECENT)
def _(g):
    body = graph(lambda h: out(h, value=divide_by(h, h.input("x"))))
    out(g, value=g.eval(g.const(body), {"x": g.const(0)})("value"))


@case("fail-in-map", "in one element of a map; the others run", expect="failed", versions=ALL)
def _(g):
    body = graph(lambda h: out(h, value=h.func("work.fail_at", {"value": h.input("x"), "limit": h.const(30)})("value")))
    out(g, value=fold(g, g.map(g.const(body), {"x": unfold(g, g.const([10, 30, 20, 40]))})("value-*")))


@case("fail-in-map-builtin", "a builtin in one element of a map", expect="failed", versions=RECENT)
def _(g):
    body = graph(lambda h: out(h, value=divide_by(h, h.input("x"))))
    out(g, value=fold(g, g.map(g.const(body), {"x": unfold(g, g.const([1, 0, 2]))})("value-*")))


@case("fail-in-loop", "in the third turn of a loop", expect="failed", versions=ALL)
def _(g):
    def fill(h):
        i = h.func("work.fail_at", {"value": h.input("i"), "limit": h.const(2)})("value")
        out(h, i=i, should_continue=h.const(True))

    out(g, i=g.loop(g.const(graph(fill)), {"i": g.const(0)}, "should_continue")("i"))


@case("fail-in-recursion", "in the innermost call of a graph that calls itself", expect="failed")
def _(g):
    def fill(h):
        n = h.input("n")
        rest = h.eval((-1, "body"), {"n": b(h, "iadd", a=n, b=h.const(-1))})("value")
        end = h.func("work.fail", {"reason": h.const("bottom")})("value")
        out(h, value=h.if_else(b(h, "igt", a=n, b=h.const(0)), rest, end)("value"))

    out(g, value=g.eval(g.const(graph(fill)), {"n": g.const(3)})("value"))


@case("fail-unknown-builtin", "a builtin that does not exist", expect="failed", versions=ALL)
def _(g):
    out(g, value=b(g, "no_such_thing", a=g.const(1)))


@case("fail-unknown-output", "an output port that the task does not have", expect="failed", versions=ALL)
def _(g):
    out(g, value=g.func("builtins.iadd", {"a": g.const(1), "b": g.const(2)})("total"))


@case("fail-unknown-input", "an input port that the task does not have", expect="failed", versions=ALL)
def _(g):
    out(g, value=b(g, "iadd", a=g.const(1), b=g.const(2), c=g.const(3)))


@case("fail-input-left-out", "an input that the task needs is not connected", expect="failed")
def _(g):
    out(g, value=b(g, "iadd", a=g.const(1)))


@case("fail-half-outputs", "a task writes one of the two outputs that are read, and ends well", expect=None, defect="The run succeeds without that output.")
def _(g):
    h = g.func("work.half", {})
    out(g, a=h("a"), b=h("b"))


@case("fail-no-output-node", "a graph without an output node", expect=None, defect="Found out only after the run has begun.")
def _(g):
    g.const(1)


@case("fail-nested-without-output", "a nested graph without an output node", expect=None, defect="The controller ends with an exception of its own.")
def _(g):
    out(g, value=g.eval(g.const(graph(lambda h: h.const(1))), {})("value"))


@case("fail-cycle", "two nodes wait for each other", expect=None, defect="The controller ends with an exception of its own.")
def _(g):
    x = b(g, "iadd", a=g.const(1), b=g.const(1))
    y = b(g, "iadd", a=x, b=g.const(1))
    g.nodes[x[0]].inputs["b"] = y
    out(g, value=y)


@case("forward-reference", "a node reads one that stands after it in the document", versions=RECENT)
def _(g):
    x = b(g, "iadd", a=g.const(1), b=g.const(1))
    y = b(g, "iadd", a=g.const(10), b=g.const(1))
    g.nodes[x[0]].inputs["b"] = y
    g.nodes[y[0]].outputs.setdefault("value", []).append(x[0])
    out(g, value=x)


@case("node-does-not-exist", "an input from a node that is not there", expect=None, defect="The controller ends with an exception of its own.")
def _(g):
    x = b(g, "iadd", a=g.const(1), b=g.const(1))
    g.nodes[x[0]].inputs["b"] = (17, "value")
    out(g, value=x)
