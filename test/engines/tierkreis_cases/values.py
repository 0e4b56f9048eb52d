"""Outputs, inputs, constants, values through builtins."""

from .case import ALL, ID, LEN, RECENT, TUPLE, ZIP, b, case, graph, out


@case("no-outputs", "a graph whose output node has no ports", versions=ALL)
def _(g):
    out(g)


@case("input-to-output", "an input is an output, as its bytes are", inputs={"x": b"\x00\xff raw", "y": [1, 2.0, "z"]}, versions=ALL)
def _(g):
    out(g, x=g.input("x"), y=g.input("y"))


@case("input-without-node", "nodes read the graph's inputs from node -1 directly", inputs={"x": 20, "y": 22})
def _(g):
    out(g, value=b(g, "iadd", a=(-1, "x"), b=(-1, "y")))
    # The builder notes these edges at the last node of the list.
    g.nodes[0].outputs = {"value": [1]}


@case("input-without-node-noted", "the same, as the builder writes it", inputs={"x": 20, "y": 22}, expect="failed", defect="The builder notes edges from node -1 as outputs of the last node of its list: the task is asked for outputs that it does not have.")
def _(g):
    out(g, value=b(g, "iadd", a=(-1, "x"), b=(-1, "y")))


@case("input-twice", "two input nodes of one name", inputs={"x": 21})
def _(g):
    out(g, value=b(g, "iadd", a=g.input("x"), b=g.input("x")))


@case("input-unknown", "an input that the graph does not declare is left aside", inputs={"x": 1, "other": 2})
def _(g):
    out(g, value=g.input("x"))


@case("input-unused-and-missing", "an input that nobody reads need not be given", inputs={"x": 1})
def _(g):
    g.input("unused")
    out(g, value=g.input("x"))


@case("input-missing-optional", "an input that was not given reaches a task whose parameter has a default", inputs={"name": "you"}, versions=ALL, expect=None)
def _(g):
    name, greeting = g.input("name"), g.input("greeting")
    out(g, value=g.func("work.greet", {"name": name, "greeting": greeting})("value"))


@case("input-missing-required", "an input that was not given reaches a task that needs it", inputs={"a": 1}, expect="failed")
def _(g):
    out(g, value=g.func("work.two_inputs", {"a": g.input("a"), "b": g.input("b")})("value"))


@case("input-missing-to-output", "an input that was not given is an output: that output is absent", inputs={"a": 1})
def _(g):
    out(g, a=g.input("a"), b=g.input("b"))


@case("input-missing-through-eval", "an input that was not given goes into an eval and to a default there", inputs={"name": "you"})
def _(g):
    body = graph(lambda h: out(h, value=h.func("work.greet", {"name": h.input("name"), "greeting": h.input("greeting")})("value")))
    out(g, value=g.eval(g.const(body), {"name": g.input("name"), "greeting": g.input("greeting")})("value"))


@case("input-odd-names", "ports with spaces, dashes and letters outside ASCII", inputs={"a b": 1, "größe": 2, "x-1": 3})
def _(g):
    g.output({"o p": g.input("a b"), "ü": g.input("größe"), "y-2": g.input("x-1")})


CONSTANTS = {
    "int": 5, "negative": -7, "big": 2**100, "float": 1.0, "tiny": 1e-300, "huge": 1e300, "sum": 0.1 + 0.2, "minus_zero": -0.0,
    "true": True, "false": False, "null": None, "text": "a\"\\\n\u00fc\u2028\U0001f600", "empty_text": "", "list": [1, "a", [None, []]],
    "object": {"k": {"z": 1, "a": [2]}, "": 0}, "empty_list": [], "empty_object": {}, "tuple": (1, ("a", 2.5)),
}


@case("const-all", "constants of all types that JSON has, straight to the outputs", versions=ALL)
def _(g):
    out(g, **{k: g.const(v) for k, v in CONSTANTS.items()})


@case("const-through-id", "the same constants, each through a builtin that hands on what it got", versions=ALL, expect=None)
def _(g):
    out(g, **{k: b(g, ID, value=g.const(v)) for k, v in CONSTANTS.items() if v is not None})


@case("const-null-through-id", "null through a builtin", expect=None)
def _(g):
    out(g, value=b(g, ID, value=g.const(None)))


@case("const-nan", "NaN and infinities as constants", defect="Written into the graph's document they become null.")
def _(g):
    out(g, nan=g.const(float("nan")), inf=g.const(float("inf")), ninf=g.const(float("-inf")))


@case("const-bytes", "bytes as a constant", defect="Written into the graph's document bytes become text.", expect=None)
def _(g):
    out(g, value=g.const(b"pass"))


@case("const-bytes-not-utf8", "bytes that are not UTF-8 as a constant", expect="raised", defect="The document cannot be written.")
def _(g):
    out(g, value=g.const(b"\xff\x00"))


@case("const-complex", "a complex number as a constant", expect=None, defect="Written into the graph's document it loses its type.")
def _(g):
    out(g, value=g.const(1 + 2j))


@case("const-graph-output", "a graph is a value: it is an output", versions=ALL)
def _(g):
    out(g, value=g.const(graph(lambda h: out(h, value=b(h, "iadd", a=h.input("x"), b=h.const(1))))))


@case("fan-out", "one node feeds several, and two outputs", versions=ALL)
def _(g):
    x = b(g, "iadd", a=g.const(1), b=g.const(2))
    y = b(g, "itimes", a=x, b=x)
    out(g, x=x, again=x, y=y, sum=b(g, "iadd", a=x, b=y))


@case("unreachable-fails", "a node that the output does not need never runs")
def _(g):
    b(g, "idivide", a=g.const(1), b=g.const(0))
    g.func("work.fail", {"reason": g.const("never")})("value")
    out(g, value=g.const(1))


@case("deep-chain", "a chain of 60 calls")
def _(g):
    x = g.const(0)
    for _ in range(60):
        x = b(g, "iadd", a=x, b=g.const(1))
    out(g, value=x)


@case("wide-sum", "40 calls side by side, folded by pairs")
def _(g):
    layer = [b(g, "itimes", a=g.const(i), b=g.const(i)) for i in range(40)]
    while len(layer) > 1:
        layer = [b(g, "iadd", a=layer[i], b=layer[i + 1]) if i + 1 < len(layer) else layer[i] for i in range(0, len(layer), 2)]
    out(g, value=layer[0])


@case("metadata-ignored", "breakpoints and hidden nodes change nothing", versions=RECENT)
def _(g):
    x = g.const(1, is_hidden=True)
    out(g, value=g.func("builtins.iadd", {"a": x, "b": g.const(2)}, has_breakpoint=True)("value"))

@case("values-list-and-tuple", "lists and pairs through builtins, several output ports", versions=ALL)
def _(g):
    pair = b(g, TUPLE, a=g.const([1, 2]), b=g.const("x"))
    parts = g.func("builtins.untuple", {"value": pair})
    zipped = b(g, ZIP, a=g.const([1, 2, 3]), b=g.const(["a", "b"]))
    unzipped = g.func("builtins.unzip", {"value": zipped})
    head = g.func("builtins.head", {"v": g.const([7, 8, 9])})
    out(g, pair=pair, first=parts("a"), second=parts("b"), zipped=zipped, left=unzipped("a"), right=unzipped("b"), head=head("head"), rest=head("rest"), long=b(g, LEN, v=zipped))


@case("values-bytes", "text to bytes and back; a bytes input", inputs={"raw": b"\xe2\x82\xac"}, versions=RECENT)
def _(g):
    encoded = b(g, "tkr_encode", string=g.const("grüße"))
    out(g, encoded=encoded, text=b(g, "tkr_decode", value_bytes=encoded), given=b(g, "tkr_decode", value_bytes=g.input("raw")))


@case("values-complex", "a complex input through a builtin", inputs={"z": 1.5 - 2j}, versions=RECENT)
def _(g):
    z = g.input("z")
    out(g, value=b(g, "conjugate", z=z), same=z)


@case("values-big-integers", "integers beyond 2^53 and 2^64", versions=RECENT)
def _(g):
    x = b(g, "ipow", a=g.const(3), b=g.const(200))
    out(g, value=x, next=b(g, "iadd", a=x, b=g.const(1)), given=b(g, "tkr_id", value=g.const(2**64 + 1)))


@case("values-untyped-bytes", "bytes that look like JSON are read as JSON where no type says otherwise", inputs={"x": b"5", "y": b"[1, 2]", "z": b"\xff"}, expect=None)
def _(g):
    out(g, x=b(g, "tkr_id", value=g.input("x")), y=b(g, "tkr_id", value=g.input("y")))


@case("values-bytes-through-id", "bytes that are not JSON through an untyped builtin", inputs={"z": b"\xff\x01"}, expect=None)
def _(g):
    out(g, z=b(g, "tkr_id", value=g.input("z")))
