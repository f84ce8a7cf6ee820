"""`msgin5g` in other surroundings: python -m tests.faults.daemon SURROUNDINGS ARGUMENTS..."""

import sys

from tests.faults import surroundings

if __name__ == "__main__":
    surroundings.enter(sys.argv.pop(1))
    from host_tools.cli import main

    main()
