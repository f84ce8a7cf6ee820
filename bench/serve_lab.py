"""A lab (server and gateway) as a process: ``python -m bench.serve_lab FOLDER SECURITY``. Prints where it is."""

import asyncio
import json
import sys
from pathlib import Path

from host_tools import logs
from host_tools.lab import Lab


async def main(folder: Path, security: str) -> None:
    lab = Lab(folder, security=security)
    await lab.start()
    print(json.dumps(lab.addresses()), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    logs.configure("error")
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
