"""Builds graphs again with the real builder. In: a JSON list of graph documents. Out: what the builder writes for each."""

import json
import sys

from tierkreis.controller.data.graph import GraphData
from tierkreis.controller.data.types import bytes_from_ptype

written = []
for text in json.load(sys.stdin):
    graph = GraphData()
    for node in GraphData.model_validate_json(text).nodes:
        node.outputs = {}
        graph.add(node)
    written.append(bytes_from_ptype(graph).decode())
json.dump(written, sys.stdout)
