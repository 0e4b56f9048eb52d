"""Answers cases, one JSON document a line: Python's own arithmetic, formatting and JSON, to compare with."""

import base64
import json
import operator
import statistics
import sys


def product(values):
    total = 1
    for value in values:
        total *= value
    return total


OPERATIONS = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "floor_divide": operator.floordiv,
    "modulo": operator.mod,
    "power": operator.pow,
    "less": operator.lt,
    "greater": operator.gt,
    "equal": operator.eq,
    "absolute": abs,
    "round": round,
    "int": int,
    "str": str,
    "repr": repr,
    "ascii": ascii,
    "truth": bool,
    "sorted": sorted,
    "max": max,
    "min": min,
    "sum": sum,
    "product": product,
    "mean": statistics.mean,
    "length": len,
    "percent": operator.mod,
    "base64": lambda text: list(base64.b64decode(text)),
    "compact": json.dumps,
    "indented": lambda value: json.dumps(value, indent=2),
}


def complex_pair(value):
    if isinstance(value, complex):
        return [value.real, value.imag]
    raise TypeError(type(value).__name__)


def answer(operation, text):
    try:
        result = OPERATIONS[operation](*json.loads(text)) if operation != "loads" else json.loads(bytes.fromhex(text))
        return json.dumps({"result": json.dumps(result, default=complex_pair)})
    except Exception as error:
        return json.dumps({"error": str(error)})


print(json.dumps(list(sys.version_info[:2])))
for line in sys.stdin:
    case = json.loads(line)
    print(answer(case["operation"], case["text"]))
