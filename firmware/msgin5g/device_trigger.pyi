"""Device triggering (TS 23.554, 8.9.3): whatever receives an SMS or NIDD on the board hands its payload over."""

from .client import Client

def triggered(ue: Client, payload: bytes) -> bool:
    """Get in touch with the gateway, which then sends what it has.

    Returns:
        True when the payload was a message, which receive() gives; False when it is for the application.
    """
