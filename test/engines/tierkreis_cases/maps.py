"""Maps."""

from .case import ADD_ONE, ALL, RECENT, b, case, factorial, fold, graph, out, unfold


@case("map", "a graph for each element of a list", versions=ALL)
def _(g):
    out(g, value=fold(g, g.map(g.const(ADD_ONE), {"x": unfold(g, g.const([1, 2, 3]))})("value-*")))


@case("map-order", "more than ten elements come back in their order", versions=ALL)
def _(g):
    out(g, value=fold(g, g.map(g.const(ADD_ONE), {"x": unfold(g, g.const(list(range(13))))})("value-*")))


@case("map-unfold-fold", "a list taken apart and put together")
def _(g):
    out(g, value=fold(g, unfold(g, g.const([1, "a", None, [2], {"k": 1.0}]))))


@case("map-star", "the elements of a map of one output are read as `*`", versions=RECENT)
def _(g):
    body = g.const(ADD_ONE)
    first = g.map(body, {"x": unfold(g, g.const([1, 2, 3]))})("*")
    out(g, value=fold(g, g.map(body, {"x": first})("*")))


@case("map-port-star", "a map over the elements of one named port of another map", expect=None, defect="Only `*` is looked for: the controller ends with an exception of its own.")
def _(g):
    body = g.const(ADD_ONE)
    first = g.map(body, {"x": unfold(g, g.const([1, 2, 3]))})("value-*")
    out(g, value=fold(g, g.map(body, {"x": first})("value-*")))


@case("map-broadcast", "other inputs go to every element", versions=ALL)
def _(g):
    body = graph(lambda h: out(h, value=b(h, "iadd", a=h.input("x"), b=h.input("y"))))
    out(g, value=fold(g, g.map(g.const(body), {"x": unfold(g, g.const([1, 2, 3])), "y": g.const(100)})("value-*")))


@case("map-broadcast-first", "the input for all elements stands before the list")
def _(g):
    body = graph(lambda h: out(h, value=b(h, "isubtract", a=h.input("y"), b=h.input("x"))))
    out(g, value=fold(g, g.map(g.const(body), {"y": g.const(100), "x": unfold(g, g.const([1, 2, 3]))})("value-*")))


@case("map-two-lists", "two lists side by side")
def _(g):
    body = graph(lambda h: out(h, value=b(h, "iadd", a=h.input("x"), b=h.input("y"))))
    out(g, value=fold(g, g.map(g.const(body), {"x": unfold(g, g.const([1, 2, 3])), "y": unfold(g, g.const([10, 20, 30]))})("value-*")))


@case("map-second-list-longer", "the first list says how many elements there are")
def _(g):
    body = graph(lambda h: out(h, value=b(h, "iadd", a=h.input("x"), b=h.input("y"))))
    out(g, value=fold(g, g.map(g.const(body), {"x": unfold(g, g.const([1, 2])), "y": unfold(g, g.const([10, 20, 30]))})("value-*")))


@case("map-second-list-shorter", "an element without a value of the second list: the task's default", expect=None)
def _(g):
    body = graph(lambda h: out(h, value=h.func("work.greet", {"name": h.input("x"), "greeting": h.input("y")})("value")))
    out(g, value=fold(g, g.map(g.const(body), {"x": unfold(g, g.const(["a", "b"])), "y": unfold(g, g.const(["hi"]))})("value-*")))


@case("map-several-outputs", "a body with several outputs, each folded", versions=ALL)
def _(g):
    def fill(h):
        x = h.input("x")
        out(h, plus=b(h, "iadd", a=x, b=h.const(1)), times=b(h, "itimes", a=x, b=h.const(2)))

    m = g.map(g.const(graph(fill)), {"x": unfold(g, g.const([1, 2, 3]))})
    out(g, plus=fold(g, m("plus-*")), times=fold(g, m("times-*")))


@case("map-several-outputs-star", "a body with several outputs, read as `*`", expect=None, defect="The elements of all ports are put into one list, port after port within each element's number.")
def _(g):
    def fill(h):
        x = h.input("x")
        out(h, plus=b(h, "iadd", a=x, b=h.const(1)), times=b(h, "itimes", a=x, b=h.const(2)))

    out(g, value=b(g, "tkr_len", v=fold(g, g.map(g.const(graph(fill)), {"x": unfold(g, g.const([1, 2, 3]))})("*"))))


@case("map-element-read", "single elements are read by their number")
def _(g):
    xs = g.func("builtins.unfold_values", {"value": g.const([10, 20, 30])})
    m = g.map(g.const(ADD_ONE), {"x": xs("*")})
    out(g, second=xs("1"), third=m("value-2"))


@case("map-of-one", "a list of one element")
def _(g):
    out(g, value=fold(g, g.map(g.const(ADD_ONE), {"x": unfold(g, g.const([7]))})("value-*")))


@case("map-empty", "a map of an empty list", versions=ALL)
def _(g):
    out(g, value=fold(g, g.map(g.const(ADD_ONE), {"x": unfold(g, g.const([]))})("value-*")))


@case("map-empty-twice", "a map of a map of an empty list", expect=None, defect="The first map made no directory: the controller ends with an exception of its own.")
def _(g):
    body = g.const(ADD_ONE)
    out(g, value=fold(g, g.map(body, {"x": g.map(body, {"x": unfold(g, g.const([]))})("*")})("value-*")))


@case("map-nested", "a map in each element of a map", versions=ALL)
def _(g):
    def fill(h):
        out(h, value=fold(h, h.map(h.const(ADD_ONE), {"x": unfold(h, h.input("xs"))})("value-*")))

    out(g, value=fold(g, g.map(g.const(graph(fill)), {"xs": unfold(g, g.const([[1, 2], [], [3]]))})("value-*")))


@case("map-no-list-input", "a map without an input of elements", expect=None, defect="The controller ends with an exception of its own.")
def _(g):
    out(g, value=fold(g, g.map(g.const(ADD_ONE), {"x": g.const([1, 2])})("value-*")))


@case("map-recursive-body", "each element runs a graph that calls itself", versions=RECENT)
def _(g):
    out(g, value=fold(g, g.map(g.const(factorial()), {"n": unfold(g, g.const([1, 3, 5]))})("value-*")))


@case("map-constant-body", "a body that does not read its element")
def _(g):
    body = graph(lambda h: (h.input("x"), out(h, value=h.const("same"))))
    out(g, value=fold(g, g.map(g.const(body), {"x": unfold(g, g.const([1, 2]))})("value-*")))


@case("map-body-input", "the body is an input of the run", inputs={"f": ADD_ONE, "xs": [5, 6]})
def _(g):
    out(g, value=fold(g, g.map(g.input("f"), {"x": unfold(g, g.input("xs"))})("value-*")))


@case("map-of-text", "a list's place is taken by text", expect=None)
def _(g):
    out(g, value=fold(g, unfold(g, g.const("abc"))))


@case("map-of-number", "a list's place is taken by a number", expect="failed")
def _(g):
    out(g, value=fold(g, unfold(g, g.const(5))))
