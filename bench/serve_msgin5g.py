"""A lab's server as a process of its own: ``python -m bench.serve_msgin5g FOLDER``. Prints its CoAP port."""

import asyncio
import sys
from pathlib import Path

from host_tools import logs
from host_tools.lab import server_settings
from host_tools.server.process import ServerProcess
from host_tools.settings import NONE


async def main(folder: Path) -> None:
    server = ServerProcess(server_settings(folder, security=NONE))
    await server.start()
    print(server.link.address[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    logs.configure("error")
    asyncio.run(main(Path(sys.argv[1])))
