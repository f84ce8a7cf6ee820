# CoAP over ESP-NOW (ESP32): one datagram in one frame, no access point.
#
#     EspNowLink(endpoint)                    frames as long as this firmware's: 250 octets, or 1470 with ESP-NOW v2
#     EspNowLink(endpoint, most_octets=250)   where somebody has v1, which does not hear longer ones at all
#
# An address is the MAC address of the other's Wi-Fi interface, six octets; resolve() takes "24:0a:c4:00:01:10".
# Frames are sent without waiting for the peer's radio to confirm them, since that stops everything else: CoAP
# retransmits, and unconfirmed() tells how many were not.

from .common import Link

_EVERYBODY = b"\xff\xff\xff\xff\xff\xff"
# Frames that are taken before other tasks have a turn.
_MOST_AT_ONCE = 16
# The radio's list of peers may have to be read, and then be found to have the peer already.
_ATTEMPTS = 3
# Frames of full length that the driver keeps for us, with 7 octets of its own and a MAC address for each.
_FRAMES_KEPT = 4
_AROUND_A_FRAME = 13


class EspNowLink(Link):
    def __init__(self, endpoint, most_octets=None, interface=None):
        # interface: an active network.WLAN; its station when not given.
        import espnow  # type: ignore[import-not-found] (ESP32 alone has it)
        import network

        super().__init__(endpoint, most_octets or espnow.MAX_DATA_LEN)
        # How often the radio was switched on again.
        self.renewed = 0
        self._interface = interface or network.WLAN(network.WLAN.IF_STA)
        self._radio = self._source = espnow.ESPNow()
        # MAC addresses that the radio may send to, the one used last at the end.
        self._known = []
        self._most_known = espnow.MAX_TOTAL_PEER_NUM
        self._switch_on()

    def _switch_on(self):
        self._interface.active(True)
        self._radio.active(False)
        self._radio.config(rxbuf=_FRAMES_KEPT * (self.most_octets + _AROUND_A_FRAME))
        # This forgets all peers.
        self._radio.active(True)
        self._known = []

    @property
    def layer_2_id(self):
        # Its own address, as resolve() takes it.
        return ":".join("%02x" % octet for octet in self._interface.config("mac"))

    def unconfirmed(self):
        # Frames that were sent and that no radio has confirmed.
        return self._radio.stats()[2]

    def quality(self, address):
        # Signal strength of what was heard from there last, in dBm; higher is better.
        heard = self._radio.peers_table.get(address)
        return heard[0] if heard else -127

    def resolve(self, host, port=None):
        address = bytes(int(octet, 16) for octet in host.split(":"))
        if len(address) != len(_EVERYBODY):
            raise ValueError("%s: expected a MAC address" % host)
        return address

    def broadcast(self, port=None):
        return _EVERYBODY

    def connect(self, address):
        self._peer = address

    def close(self):
        super().close()
        self._radio.active(False)

    def _drain(self):
        taken = 0
        while taken < _MOST_AT_ONCE and self._radio.any():
            # A buffer that the driver uses again.
            address, data = self._radio.irecv(0)
            if address is None or data is None:
                break
            taken += 1
            address = bytes(address)
            if len(data) > self.most_octets:
                self.oversized += 1
            elif self._peer is None or address == self._peer:
                self.endpoint.receive(data, len(data), address, self.now())
        return taken

    def _send(self, datagram, address):
        if len(datagram) > self.most_octets:
            return False
        for _ in range(_ATTEMPTS):
            try:
                self._admit(address)
                self._radio.send(address, datagram, False)
                return True
            except OSError as error:
                if not self._mended(error.args[-1], address):
                    break
        return False

    def _admit(self, address):
        # The radio sends to a bounded number of peers: the one that was not sent to for longest gives way.
        known = self._known
        if address in known:
            known.remove(address)
        else:
            if len(known) >= self._most_known:
                self._radio.del_peer(known.pop(0))
            self._radio.add_peer(address)
        known.append(address)

    def _mended(self, reason, address):
        # Whether sending again is of any use: the radio may have been switched off, with Wi-Fi for example, and
        # somebody else may use it, too.
        known = self._known
        if reason in ("ESP_ERR_ESPNOW_NOT_INIT", "ESP_ERR_ESPNOW_IF"):
            self._switch_on()
            self.renewed += 1
        elif reason == "ESP_ERR_ESPNOW_EXIST":
            known.append(address)
        elif reason == "ESP_ERR_ESPNOW_NOT_FOUND":
            known[:] = [peer[0] for peer in self._radio.get_peers()]
        elif reason == "ESP_ERR_ESPNOW_FULL" and self._radio.get_peers():
            known[:] = [peer[0] for peer in self._radio.get_peers()]
            self._radio.del_peer(known.pop(0))
        else:
            return False
        return True

    def _on_timer(self):
        if not self._radio.active():
            # Nobody would be heard any more.
            self._switch_on()
            self.renewed += 1
        super()._on_timer()
