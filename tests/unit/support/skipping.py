"""SkipTest: `raise SkipTest("why")` in a test that can't run on the runtime where it finds itself."""

try:
    from unittest import SkipTest  # pyright: ignore[reportAssignmentType]
except ImportError:

    class SkipTest(Exception):
        pass
