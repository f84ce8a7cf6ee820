"""Being configured (TS 23.554, 8.1; TS 24.546, annex C; TS 24.538, 7.2).

configuration = Configuration(ue, "urn:uuid:...")
values = configuration.values or await configuration.get()
"""

from collections.abc import Callable
from typing import Any, Final

from .client import Client

SERVER_ADDRESS: Final = "server_address"
UE_SERVICE_ID: Final = "ue_service_id"
SEGMENT_SIZE: Final = "segment_size"
"""Keys of the values, and of the file."""

class NotConfigured(Exception):
    """args[0] says why."""

class Configuration:
    """The UE configuration document of one Client: kept in a file, and watched.

    A segment size is applied at once. Another server or another UE Service ID is for the application to act on.
    """

    counters: dict[str, int]
    """`documents`, `not_ours`, `bad_documents`, `not_saved`."""
    on_change: Callable[[dict[str, Any]], object]
    """Called with the values when they are others."""
    values: dict[str, Any] | None
    """As they are in the file, at first; None when there never were any."""

    def __init__(
        self,
        ue: Client,
        msgin5g_ue_id: str,
        file: str = "configuration.json",
        val_service: str = "msgin5g",
    ) -> None:
        """Read and apply what is in the file.

        Args:
            ue: the Client.
            msgin5g_ue_id: the device's own identity, not that of its subscription to the service.
            file: where the values are kept.
            val_service: the VAL service identifier.
        """

    async def get(self) -> dict[str, Any]:
        """Ask the network for the values, and watch them from here on.

        A gateway may say when to ask again (TS 23.554, 8.1.4): up to three times this waits for so long.

        Raises:
            NotConfigured: there are none for this UE, or nobody to ask.
        """
