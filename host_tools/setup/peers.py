"""The independent CoAP programs that the interoperability tests talk to: `python3 -m host_tools.setup.peers`.

libcoap's client and server (package libcoap3-bin of Debian and Ubuntu) are taken from PATH if they are there,
else unpacked into `build/peers/bin`. A test whose peer is missing is skipped and says so.
"""

import os
import shutil
import sys
from pathlib import Path

from host_tools.setup import debian

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "peers"
PACKAGE = "libcoap3-bin"
PROGRAMS = ("coap-client-openssl", "coap-server-openssl")


def find(program: str) -> Path | None:
    """Where a peer program is: on PATH, or where this module unpacked it."""
    path = shutil.which(program, path=os.pathsep.join([os.environ.get("PATH", ""), str(FOLDER / "bin")]))
    return Path(path) if path else None


def main() -> int:
    """Get what is missing; never fail for what can't be had."""
    if not all(find(program) for program in PROGRAMS):
        try:
            tree = FOLDER / PACKAGE
            debian.unpack(PACKAGE, debian.own_archives(), debian.native_architecture(), tree)
            for program in sorted((tree / "usr/bin").glob("coap-*")):
                debian.write_launcher(tree, program.name, FOLDER / "bin" / program.name)
        except (debian.Unavailable, OSError) as error:
            print(f"  {PACKAGE}: not available ({error}); the tests against libcoap will be skipped")
    print("CoAP peers:", ", ".join(program for program in PROGRAMS if find(program)) or "none")
    return 0


if __name__ == "__main__":
    sys.exit(main())
