"""A bridge between ESP-NOW and a serial line, for a board that is nothing else."""

from typing import Any, Final

from .espnow import EspNowLink
from .serial import SerialLink

MAC_OCTETS: Final[int]
NOBODY: Final[bytes]
ABOUT: Final[str]

class Bridge:
    """Carries frames of other boards to a gateway and back, without knowing what is in them."""

    radio: EspNowLink
    line: SerialLink
    bad_frames: int
    """Frames of the line that were none of a gateway."""

    def __init__(
        self,
        stream: Any,
        output: Any = None,
        waits: bool = False,
        most_octets: int | None = None,
        interface: Any = None,
    ) -> None:
        """Make one.

        Args:
            stream: of the line: a machine.UART, or a file.
            output: where it writes; the stream when not given.
            waits: does the stream's readinto() return when all that it asks for is there?
            most_octets: the longest frame; as long as this firmware's when not given, 250 where somebody has v1.
            interface: an active network.WLAN; its station when not given.
        """

    def start(self) -> None:
        """Begin, in the running event loop."""

    def close(self) -> None:
        """Stop; the radio is switched off."""
