"""Builds graphs of shell workers with the real builder and runs them with the real controller and ShellExecutor.

    PYTHON tierkreis-shell.py ROOT INTO REGISTRY > outcomes.json

INTO gets `<name>.json`. `signing` runs with the scripts in REGISTRY, `found` with workers on PATH. By name: `done`, `failed` and `outputs`.
"""

import base64
import json
import os
import sys
from pathlib import Path
from uuid import UUID

ROOT, INTO, REGISTRY = (Path(argument) for argument in sys.argv[1:])
os.environ["TKR_DIR"] = str(ROOT)

from tierkreis.controller import run_graph  # noqa: E402
from tierkreis.controller.data.graph import GraphData  # noqa: E402
from tierkreis.controller.data.types import bytes_from_ptype  # noqa: E402
from tierkreis.controller.executor.shell_executor import ShellExecutor  # noqa: E402
from tierkreis.controller.storage.filestorage import ControllerFileStorage  # noqa: E402
from tierkreis.exceptions import TierkreisError  # noqa: E402


def signing(g, verified="data"):
    passphrase, data = g.const("correct horse"), g.input("data")
    keys = g.func("openssl_worker.generate", {"numbits": g.const(2048), "passphrase": passphrase})
    private, public = keys("private_key"), keys("public_key")
    digest = g.func("openssl_worker.digest", {"data": data})("value")
    signature = g.func("openssl_worker.sign", {"data": data, "private_key": private, "passphrase": passphrase})("signature")
    given = data if verified == "data" else digest
    result = g.func("openssl_worker.verify", {"data": given, "public_key": public, "signature": signature})("value")
    g.output({"digest": digest, "verified": result, "public_key": public})


def forged(g):
    signing(g, "digest")


def found(g):
    numbers = g.func("cpp_worker.double", {"value": g.const([1, 20, -3])})("value")
    words = g.func("count-words.count", {"text": g.input("data")})
    g.output({"numbers": numbers, "lines": words("lines"), "words": words("words")})


def outcome(number, fill, registry):
    graph = GraphData()
    fill(graph)
    (INTO / f"{fill.__name__}.json").write_bytes(bytes_from_ptype(graph))
    storage = ControllerFileStorage(UUID(int=number), name=fill.__name__, tierkreis_directory=ROOT)
    try:
        run_graph(storage, ShellExecutor(registry, storage.workflow_dir), graph, {"data": (INTO / "data").read_bytes()}, 4000, 0.05)
    except TierkreisError as error:
        if "encountered errors" not in str(error):
            raise
    root = storage.workflow_dir / "-"
    outputs = {path.name: base64.b64encode(path.read_bytes()).decode() for path in sorted((root / "outputs").glob("*"))}
    failed = (root / "_error").read_text().splitlines() if (root / "_error").exists() else []
    return {"done": (root / "_done").exists(), "failed": failed, "outputs": outputs}


result = {
    "signing": outcome(1, signing, REGISTRY),
    "forged": outcome(2, forged, REGISTRY),
    "found": outcome(3, found, None),
}
print("\n" + json.dumps(result))
