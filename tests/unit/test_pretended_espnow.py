# The module espnow of a board that is alone: what a pretended board has.

import sys

from msgin5g_testing import espnow, network

RUNTIMES = ("micropython",)


def test_a_board_alone_sends_to_nobody():
    sys.modules["espnow"], sys.modules["network"] = espnow, network
    from msgin5g.coap.endpoint import Endpoint, Parameters
    from msgin5g.link.espnow import EspNowLink

    link = EspNowLink(Endpoint(Parameters(), lambda bits: 1))
    try:
        assert link.layer_2_id == "02:00:00:00:00:02"
        assert link.most_octets == espnow.MAX_DATA_LEN
        assert link._send(b"hello", link.resolve("24:0a:c4:00:00:01"))
        assert link.unconfirmed() == 1
        assert espnow.ESPNow() is link._radio
    finally:
        del sys.modules["espnow"], sys.modules["network"]
