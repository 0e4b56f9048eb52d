"""Graphs in graphs: eval, recursion, partial application."""

from .case import ADD_ONE, ALL, RECENT, b, case, factorial, graph, out


@case("eval", "a nested graph", versions=ALL)
def _(g):
    out(g, value=g.eval(g.const(ADD_ONE), {"x": g.const(41)})("value"))


@case("eval-deep", "graphs in graphs in graphs", versions=ALL)
def _(g):
    inner = ADD_ONE
    for _ in range(4):
        body = inner

        def wrap(h, body=body):
            once = h.eval(h.const(body), {"x": h.input("x")})("value")
            out(h, value=h.eval(h.const(body), {"x": once})("value"))

        inner = graph(wrap)
    out(g, value=g.eval(g.const(inner), {"x": g.const(0)})("value"))


@case("eval-same-graph-twice", "one constant graph feeds two evals")
def _(g):
    body = g.const(ADD_ONE)
    x = g.eval(body, {"x": g.const(1)})("value")
    out(g, value=g.eval(body, {"x": x})("value"), first=x)


@case("eval-graph-input", "the graph to run is an input of the run", inputs={"f": ADD_ONE, "x": 3}, versions=ALL)
def _(g):
    out(g, value=g.eval(g.input("f"), {"x": g.input("x")})("value"))


@case("eval-graph-of-node", "the graph to run comes from a task", versions=RECENT)
def _(g):
    out(g, value=g.eval(b(g, "tkr_id", value=g.const(ADD_ONE)), {"x": g.const(3)})("value"))


@case("eval-graph-chosen", "an ifelse chooses the graph to run", versions=ALL)
def _(g):
    other = graph(lambda h: out(h, value=b(h, "itimes", a=h.input("x"), b=h.const(10))))
    chosen = g.if_else(b(g, "igt", a=g.const(1), b=g.const(2)), g.const(ADD_ONE), g.const(other))("value")
    out(g, value=g.eval(chosen, {"x": g.const(3)})("value"))


@case("eval-several-outputs", "a nested graph with several outputs, one of them not read")
def _(g):
    def fill(h):
        x = h.input("x")
        out(h, plus=b(h, "iadd", a=x, b=h.const(1)), times=b(h, "itimes", a=x, b=h.const(2)), same=x)

    e = g.eval(g.const(graph(fill)), {"x": g.const(5)})
    out(g, plus=e("plus"), same=e("same"))


@case("eval-unread-output-fails", "an output of a nested graph that nobody outside reads is computed all the same", expect="failed")
def _(g):
    def fill(h):
        x = h.input("x")
        out(h, plus=b(h, "iadd", a=x, b=h.const(1)), never=h.func("work.fail", {"reason": h.const("read by nobody")})("value"))

    out(g, plus=g.eval(g.const(graph(fill)), {"x": g.const(5)})("plus"))


@case("eval-extra-input", "an input that the nested graph does not know")
def _(g):
    out(g, value=g.eval(g.const(ADD_ONE), {"x": g.const(1), "y": g.const(2)})("value"))


@case("eval-not-a-graph", "eval of a number", expect=None, defect="The controller ends with an exception of its own.")
def _(g):
    out(g, value=g.eval(g.const(5), {"x": g.const(1)})("value"))

@case("recursion-factorial", "a graph calls itself through its input `body`", versions=ALL)
def _(g):
    out(g, value=g.eval(g.const(factorial()), {"n": g.const(6)})("value"))


@case("recursion-root", "the outermost graph calls itself", inputs={"n": 25})
def _(g):
    return factorial()


@case("recursion-body-reference", "a graph calls itself through node -1, port `body`", versions=ALL)
def _(g):
    def fill(h):
        n = h.input("n")
        rest = h.eval((-1, "body"), {"n": b(h, "iadd", a=n, b=h.const(-1))})("value")
        out(h, value=h.if_else(b(h, "igt", a=n, b=h.const(0)), b(h, "iadd", a=rest, b=n), h.const(0))("value"))

    out(g, value=g.eval(g.const(graph(fill)), {"n": g.const(5)})("value"))


@case("recursion-gcd", "Euclid's algorithm", inputs={"a": 1071, "b": 462}, versions=ALL)
def _(g):
    def fill(h):
        x, y = h.input("a"), h.input("b")
        rest = h.eval((-1, "body"), {"a": y, "b": b(h, "mod", a=x, b=y)})("value")
        out(h, value=h.if_else(b(h, "igt", a=y, b=h.const(0)), rest, x)("value"))

    out(g, value=g.eval(g.const(graph(fill)), {"a": g.input("a"), "b": g.input("b")})("value"))


@case("recursion-fibonacci", "two calls of itself in each call")
def _(g):
    def fill(h):
        n = h.input("n")
        one = h.eval((-1, "body"), {"n": b(h, "iadd", a=n, b=h.const(-1))})("value")
        two = h.eval((-1, "body"), {"n": b(h, "iadd", a=n, b=h.const(-2))})("value")
        out(h, value=h.if_else(b(h, "igt", a=n, b=h.const(1)), b(h, "iadd", a=one, b=two), n)("value"))

    out(g, value=g.eval(g.const(graph(fill)), {"n": g.const(6)})("value"))

@case("partial-body-output", "the output `body` of an eval: a graph with inputs given in advance", expect=None, defect="Partial application does nothing in these versions.")
def _(g):
    add = graph(lambda h: out(h, value=b(h, "iadd", a=h.input("a"), b=h.input("b"))))
    part = g.eval(g.const(add), {"a": g.const(1)})("body")
    out(g, value=g.eval(part, {"b": g.const(2)})("value"))


@case("partial-fixed-inputs", "fixed inputs name an output of the running workflow", expect=None)
def _(g):
    from tierkreis.controller.data.location import Loc

    add = graph(lambda h: out(h, value=b(h, "iadd", a=h.input("a"), b=h.input("b"))))
    first = g.const(40)
    add.fixed_inputs["a"] = (Loc("-").N(first[0]), "value")
    # The constant must have run: nothing else says so.
    out(g, value=g.eval(g.const(add), {"b": b(g, "iadd", a=first, b=g.const(1))})("value"))


@case("partial-fixed-inputs-overlap", "a fixed input that is given too", expect=None)
def _(g):
    from tierkreis.controller.data.location import Loc

    add = graph(lambda h: out(h, value=b(h, "iadd", a=h.input("a"), b=h.input("b"))))
    first = g.const(40)
    add.fixed_inputs["a"] = (Loc("-").N(first[0]), "value")
    out(g, value=g.eval(g.const(add), {"a": g.const(1), "b": b(g, "iadd", a=first, b=g.const(1))})("value"))
