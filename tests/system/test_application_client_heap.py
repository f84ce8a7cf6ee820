"""An Application Client and all that it imports fit 6 KB of a 32-bit board's heap."""

import json
from pathlib import Path

import pytest

from bench import interpreters

MOST = 6 * 1024
SCRIPT = Path(__file__).parents[2] / "bench" / "on_board" / "heap.py"
OTHERS = ["socket", "json", "os", "time", "asyncio"]


FORMS = {"application_client": {"l3"}, "application_client_coap": set()}


@pytest.mark.parametrize("client", FORMS)
def test_an_application_client_fits_6_kb(client, library, board, tmp_path):
    # Paths of modules are kept in the heap, so they are as long as on a board.
    (tmp_path / "lib").symlink_to(library.resolve())
    names = [*OTHERS, f"msgin5g.{client}", "msgin5g.application_client_udp"]
    command = [str(board), "-X", "heapsize=512K"]
    told = json.loads(interpreters.run(command, Path("lib"), str(SCRIPT), "-", *names, cwd=tmp_path))
    assert 0 < told["used"][len(names)] - told["used"][len(OTHERS)] <= MOST, told
    loaded = {name.split(".")[-1] for name in told["loaded"]}
    assert loaded == {"msgin5g", "ticks", client, "application_client_udp"} | FORMS[client]
