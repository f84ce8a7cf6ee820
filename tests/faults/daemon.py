"""`msgin5g` with a wall clock that can be made to jump: python -m tests.faults.daemon CLOCK ARGUMENTS..."""

import sys

from tests.faults import clock

if __name__ == "__main__":
    clock.follow(sys.argv.pop(1))
    from host_tools.cli import main

    main()
