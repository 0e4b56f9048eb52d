"""Lazy and eager choices."""

from .case import ADD_ONE, ALL, b, case, graph, out


def failing(g):
    return g.func("work.fail", {"reason": g.const("must not run")})("value")


@case("ifelse-true", "only the branch taken runs", versions=ALL)
def _(g):
    out(g, value=g.if_else(g.const(True), b(g, "iadd", a=g.const(1), b=g.const(1)), failing(g))("value"))


@case("ifelse-false", "only the branch taken runs", versions=ALL)
def _(g):
    out(g, value=g.if_else(g.const(False), failing(g), b(g, "iadd", a=g.const(1), b=g.const(1)))("value"))


for key, text in {"one": b"1", "line-break": b"true\n", "space": b" true", "text": b'"true"', "capital": b"True", "null": b"null", "empty": b"", "exact": b"true"}.items():
    @case(f"ifelse-pred-{key}", f"the condition's bytes are {text!r}", inputs={"p": text})
    def _(g):
        out(g, lazy=g.if_else(g.input("p"), g.const("yes"), g.const("no"))("value"), eager=g.eager_if_else(g.input("p"), g.const("yes"), g.const("no"))("value"))


@case("ifelse-same-branches", "both branches are one node")
def _(g):
    x = b(g, "iadd", a=g.const(1), b=g.const(1))
    out(g, value=g.if_else(g.const(True), x, x)("value"))


@case("ifelse-nested", "a choice within a choice, each condition computed", inputs={"n": 7})
def _(g):
    n = g.input("n")
    inner = g.if_else(b(g, "igt", a=n, b=g.const(10)), failing(g), g.const("middle"))("value")
    out(g, value=g.if_else(b(g, "igt", a=n, b=g.const(5)), inner, failing(g))("value"))


@case("ifelse-branch-used-elsewhere", "the branch not taken runs where another node needs it")
def _(g):
    x = b(g, "iadd", a=g.const(1), b=g.const(1))
    out(g, value=g.if_else(g.const(True), g.const("taken"), x)("value"), x=x)


@case("ifelse-eval-branches", "branches are nested graphs")
def _(g):
    bad = graph(lambda h: out(h, value=failing(h)))
    out(g, value=g.if_else(g.const(True), g.eval(g.const(ADD_ONE), {"x": g.const(1)})("value"), g.eval(g.const(bad), {})("value"))("value"))


@case("ifelse-missing-input-branch", "the branch taken is an input that was not given", inputs={}, expect=None)
def _(g):
    out(g, value=g.if_else(g.const(True), g.input("x"), g.const(1))("value"))


@case("ifelse-input-reference", "condition and branches straight from node -1", inputs={"p": True, "x": 1, "y": 2}, expect=None)
def _(g):
    out(g, value=g.eager_if_else((-1, "p"), (-1, "x"), (-1, "y"))("value"))


@case("ifelse-lazy-input-reference", "a lazy choice with branches straight from node -1", inputs={"p": True, "x": 1, "y": 2}, expect=None, defect="The branch is taken for a node that never ends: nodes[-1] is the last one.")
def _(g):
    out(g, value=g.if_else((-1, "p"), (-1, "x"), (-1, "y"))("value"))


@case("eifelse", "both branches are computed", versions=ALL)
def _(g):
    out(g, value=g.eager_if_else(g.const(True), b(g, "iadd", a=g.const(1), b=g.const(1)), b(g, "iadd", a=g.const(2), b=g.const(2)))("value"))


@case("eifelse-other-fails", "the branch not taken fails, and with it the run", expect="failed", versions=ALL)
def _(g):
    out(g, value=g.eager_if_else(g.const(True), g.const(1), g.func("work.fail", {"reason": g.const("not taken")})("value"))("value"))
