"""The client that is generated from the document: it compiles strictly, and pays in the sandbox."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
from running.fleet import REPOSITORY
from running.whole_sandbox import WholeSandbox

from api.openapi.document import openapi_document

SOURCE: Final = REPOSITORY / "clients/typescript"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generate the types from the document and compile, in a copy of the folder."""
    folder = tmp_path_factory.mktemp("typescript") / "client"
    shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns("node_modules", "build", "schema.d.ts"))
    (folder / "openapi.json").write_text(json.dumps(openapi_document()))
    for words in (("ci", "--no-audit", "--no-fund"), ("run", "generate"), ("run", "build")):
        done = subprocess.run(
            ["npm", *words], cwd=folder, capture_output=True, text=True, check=False, timeout=300
        )
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


def pay(sandbox: WholeSandbox, built: Path, amount_cents: int) -> dict[str, Any]:
    entry = sandbox.entry
    words = (entry["api"], entry["username"], entry["password"], entry["terminal_id"])
    command = ["node", "build/pay.js", *words, sandbox.new_order_id(), str(amount_cents)]
    done = subprocess.run(command, cwd=built, capture_output=True, text=True, check=True, timeout=120)
    outcome: dict[str, Any] = json.loads(done.stdout)
    return outcome


def test_the_generated_client_pays(sandbox: WholeSandbox, built: Path) -> None:
    """Paid, and refused with the way to try again."""
    paid, refused = pay(sandbox, built, 4200), pay(sandbox, built, 4251)

    assert paid["paid"]["state"] == "succeeded"
    assert (refused["notPaid"]["state"], refused["notPaid"]["safe_to_retry"]) == ("refused", True)
