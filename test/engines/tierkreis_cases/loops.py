"""Loops."""

from .case import ADD_ONE, ALL, RECENT, b, case, counter, graph, out


@case("loop-counter", "counts to five", versions=ALL)
def _(g):
    loop = g.loop(g.const(counter()), {"i": g.const(0)}, "should_continue")
    out(g, i=loop("i"), ended=loop("should_continue"))


@case("loop-once", "a loop whose first turn is its last", versions=ALL)
def _(g):
    out(g, i=g.loop(g.const(counter()), {"i": g.const(10)}, "should_continue")("i"))


@case("loop-kept-input", "an input that the body does not give keeps its first value")
def _(g):
    out(g, i=g.loop(g.const(counter(True)), {"i": g.const(0), "limit": g.const(3)}, "should_continue")("i"))


@case("loop-several-values", "two carried values and a list that grows", versions=RECENT)
def _(g):
    def fill(h):
        x, y, seen = h.input("x"), h.input("y"), h.input("seen")
        z = b(h, "iadd", a=x, b=y)
        out(h, x=y, y=z, seen=b(h, "append", v=seen, a=z), should_continue=b(h, "igt", a=h.const(50), b=z))

    loop = g.loop(g.const(graph(fill)), {"x": g.const(0), "y": g.const(1), "seen": g.const([])}, "should_continue")
    out(g, x=loop("x"), y=loop("y"), seen=loop("seen"))


@case("loop-named", "a loop with a name", versions=RECENT)
def _(g):
    out(g, i=g.loop(g.const(counter()), {"i": g.const(2)}, "should_continue", "my_loop")("i"))


@case("loop-other-port", "the port that says whether to go on has another name")
def _(g):
    def fill(h):
        i = b(h, "iadd", a=h.input("i"), b=h.const(1))
        out(h, i=i, more=b(h, "igt", a=h.const(3), b=i))

    out(g, i=g.loop(g.const(graph(fill)), {"i": g.const(0)}, "more")("i"))


@case("loop-new-output", "an output that was no input is an input of the next turn", expect=None)
def _(g):
    def fill(h):
        i = b(h, "iadd", a=h.input("i"), b=h.const(1))
        greeting = h.func("work.greet", {"name": h.const("you"), "greeting": h.input("greeting")})("value")
        out(h, i=i, greeting=greeting, should_continue=b(h, "igt", a=h.const(3), b=i))

    loop = g.loop(g.const(graph(fill)), {"i": g.const(0)}, "should_continue")
    out(g, i=loop("i"), greeting=loop("greeting"))


@case("loop-unread-output", "an output of the body that nobody outside reads")
def _(g):
    out(g, ended=g.loop(g.const(counter()), {"i": g.const(0)}, "should_continue")("should_continue"))


@case("loop-nested", "a loop in a loop")
def _(g):
    def fill(h):
        i = b(h, "iadd", a=h.input("i"), b=h.const(1))
        inner = h.loop(h.const(counter(True)), {"i": h.const(0), "limit": i}, "should_continue")("i")
        out(h, i=i, total=b(h, "iadd", a=h.input("total"), b=inner), should_continue=b(h, "igt", a=h.const(4), b=i))

    out(g, total=g.loop(g.const(graph(fill)), {"i": g.const(0), "total": g.const(0)}, "should_continue")("total"))


@case("loop-in-map", "a loop in each element of a map", versions=RECENT)
def _(g):
    def fill(h):
        out(h, value=h.loop(h.const(counter(True)), {"i": h.const(0), "limit": h.input("x")}, "should_continue")("i"))

    xs = g.func("builtins.unfold_values", {"value": g.const([1, 4, 2])})("*")
    out(g, value=b(g, "fold_values", values_glob=g.map(g.const(graph(fill)), {"x": xs})("value-*")))


@case("loop-over-map", "a map in each turn of a loop")
def _(g):
    def fill(h):
        i = b(h, "iadd", a=h.input("i"), b=h.const(1))
        xs = h.func("builtins.unfold_values", {"value": h.input("xs")})("*")
        mapped = b(h, "fold_values", values_glob=h.map(h.const(ADD_ONE), {"x": xs})("value-*"))
        out(h, i=i, xs=mapped, should_continue=b(h, "igt", a=h.const(3), b=i))

    out(g, xs=g.loop(g.const(graph(fill)), {"i": g.const(0), "xs": g.const([10, 20])}, "should_continue")("xs"))


def raw_loop(hexadecimal: str):
    def fill(h):
        out(h, i=h.input("i"), should_continue=h.func("work.raw", {"hex": h.const(hexadecimal)})("value"))

    return lambda g: out(g, i=g.loop(g.const(graph(fill)), {"i": g.const(1)}, "should_continue")("i"))


case("loop-false-with-spaces", "the port is ` false` with a line break: JSON's false")(raw_loop(b" false\n".hex()))
NOT_FALSE = "Whatever is not JSON's false is taken for true."
case("loop-zero", "the port is the number 0", expect="unfinished", defect=NOT_FALSE)(raw_loop(b"0".hex()))
case("loop-null", "the port is null", expect="unfinished", defect=NOT_FALSE)(raw_loop(b"null".hex()))
case("loop-not-json", "the port is no JSON at all", expect="raised", defect="The controller ends with an exception of its own.")(raw_loop(b"\xff".hex()))


@case("loop-port-missing", "the body has no such port", expect=None, defect="The controller ends with an exception of its own.")
def _(g):
    out(g, i=g.loop(g.const(ADD_ONE), {"x": g.const(0)}, "should_continue")("value"))
