# A gateway on a board with PSRAM: the gateway service (gateway.py) between two links, its store on flash, its devices
# in a file.
#
#     gateway = gateway_board.from_file("gateway.json")
#     asyncio.run(gateway.run(machine.WDT(timeout=30000).feed))
#
# Whatever has arrived, on either link, is committed at once, and only then does anything leave, on either.

import asyncio
import gc

from . import forget, provisioning, wire
from .client import _randbits, wall_clock
from .coap.endpoint import Endpoint, Parameters
from .delivery import AGAIN, DONE
from .gateway import Gateway
from .gateway_devices import DeviceContexts, Devices
from .gateway_settings import NONE, BadSettings, read
from .link.udp import UdpLink
from .link.udp_everybody import ListeningLink
from .store.counter import Counter
from .store.gateway import GatewayStore
from .store.numbers import Numbers

# Sequence numbers that are reserved at a time, of all devices together.
_NUMBERS_AHEAD = 1024
# Peers besides the devices: whoever else sends something.
_STRANGERS = 16
_MOST_WAITING = 64
# Seconds between two looks at the watchdog; until the server's address is asked for again; to wait for its answer to
# the de-registration.
_TURN = 1
_AGAIN = 5
_FAREWELL = 2
# Documents of the server's that are kept, and observed, for the clients; clients that observe one.
_MOST_DOCUMENTS = 16


def from_file(file="gateway.json", **options):
    # Raises BadSettings, provisioning.NotProvisioned, OSError.
    settings = read(file)
    forget("msgin5g.gateway_settings")
    return GatewayBoard(settings, **options)


class GatewayBoard:
    # link(endpoint), uplink(endpoint): towards the devices and the server; UDP, at the port of the settings, when not
    # given. on_event(word, {detail}): what an operator wants to read.
    def __init__(self, settings, link=None, on_event=None, uplink=None):
        self.settings = settings
        self.on_event = on_event or _nobody_listens
        # None until there is a network, and the server's address is known.
        self.gateway = None
        self._security = _uplink_security(settings)
        self.ue_service_id = settings.ue_service_id
        self.store = GatewayStore(
            settings.folder,
            settings.most_octets,
            settings.most_messages,
            settings.most_devices,
            settings.most_known,
            on_error=self._on_flash_error,
        )
        self.contexts = None if settings.security == NONE else self._device_contexts()
        self._down = Endpoint(self._parameters_down(), _randbits, security=self.contexts)
        self._up = Endpoint(self._parameters_up(), _randbits, security=self._security)
        self.down = link(self._down) if link else ListeningLink(self._down, settings.port)
        self.up = (uplink or UdpLink)(self._up)
        # What a link sends for itself, which _settle() does for both.
        self._flushes = []
        for one in (self.down, self.up):
            self._flushes.append(one.flush)
            one.flush = self._settle
            one.before_send = self.store.commit
            one.on_error = self._on_error
        for endpoint in (self._down, self._up):
            endpoint.on_error = self._on_error

    async def run(self, feed=None, done=None):
        # feed(): called every second, as long as the board gets round to it. done: an asyncio.Event that ends it; for
        # ever when there is none.
        feed = feed or _nothing
        try:
            while self.gateway is None and not (done and done.is_set()):
                feed()
                if not self._start():
                    await asyncio.sleep(_AGAIN)
            while not (done and done.is_set()):
                feed()
                await asyncio.sleep(_TURN)
        finally:
            await self._stop()

    def enrol(self, name, address=None):
        # What the device is to be given (gateway_devices.py).
        return self._contexts().enrol(name, address)

    def revoke(self, name):
        self._contexts().revoke(name)

    def counts(self):
        # Everything that is counted; heap_free: octets, after a collection.
        gc.collect()
        counts = {"heap_free": gc.mem_free() if hasattr(gc, "mem_free") else 0, "health": self.store.health}
        counts["messages"] = self.store.on_their_way()
        for name, counters in (
            ("store", self.store.counters),
            ("down", self._down.counters),
            ("up", self._up.counters),
        ):
            for key, value in counters.items():
                counts[name + "_" + key] = value
        for name, link in (("down", self.down), ("up", self.up)):
            counts[name + "_link_errors"] = link.errors
            counts[name + "_oversized"] = link.oversized
        if self.contexts:
            counts["contexts"] = self.contexts.held()
        if self.gateway:
            counts.update(self.gateway.counters)
            counts["registered"] = self.gateway.registration.registered
            counts["clients"] = len(self.gateway.registry)
        return counts

    # -- making it

    def _device_contexts(self):
        settings = self.settings
        devices = Devices(
            settings.devices_file, self.ue_service_id, settings.most_devices, self._on_file_error
        )
        numbers = Numbers(Counter(settings.devices_file + ".sequence"), _NUMBERS_AHEAD)
        contexts = DeviceContexts(devices, numbers, (wire.SELECTION_PATH,))
        contexts.on_revoked = self._on_revoked
        return contexts

    def _contexts(self):
        if self.contexts is None:
            raise BadSettings('security = "none": nobody needs to be enrolled')
        return self.contexts

    def _parameters_down(self):
        settings = self.settings
        return Parameters(
            settings.ack_timeout,
            max_retransmit=settings.max_retransmit,
            most_waiting=_MOST_WAITING,
            most_peers=settings.most_devices + _STRANGERS,
            most_unanswered=settings.most_devices,
            most_recent=4 * settings.most_devices,
            most_recent_octets=512 * settings.most_devices,
        )

    def _parameters_up(self):
        settings = self.settings
        return Parameters(
            settings.ack_timeout,
            max_retransmit=settings.max_retransmit,
            nstart=settings.up_window,
            most_waiting=_MOST_WAITING,
            most_unanswered=_MOST_WAITING,
            most_recent=8 * _MOST_WAITING,
            most_recent_octets=128 * _MOST_WAITING,
        )

    def _start(self):
        # False while nobody knows where the server is.
        settings = self.settings
        try:
            address = self.up.resolve(*provisioning.host_and_port(settings.server))
            self.up.connect(address)
        except OSError as error:
            self._on_error(error)
            return False
        self.gateway = gateway = Gateway(
            self.ue_service_id,
            self._down,
            self._up,
            address,
            self.store,
            wall_clock,
            most_devices=settings.most_devices,
            most_body=settings.most_body,
            most_transfers=settings.most_transfers,
            up_window=settings.up_window,
            most_messages_per_ue=settings.most_messages_per_ue,
            most_requests_per_second=settings.most_requests_per_second,
            packet_size=self._packet_size,
            most_documents=_MOST_DOCUMENTS,
        )
        gateway.on_event = self._event
        for delivery in (gateway._relay.uplink, gateway._relay.downlink):
            delivery._send = self._passing_over(delivery._send)
        for link in (self.down, self.up):
            link.start()
        gateway.start(self.up.now())
        self._settle()
        self._event("listening", {"ue_service_id": self.ue_service_id, "server": settings.server})
        for side, security in (("clients", settings.security), ("server", settings.server_security)):
            if security == NONE:
                self._event("NOT PROTECTED", {"links": side})
        gc.collect()
        if hasattr(gc, "threshold"):
            # Before all of the heap is garbage in between what stays: more often costs time, less often pieces.
            gc.threshold(gc.mem_free() >> 2)
        return True

    async def _stop(self):
        # What is stored is sent when it runs again.
        if self.gateway is not None:
            answered = asyncio.Event()
            self.gateway.stop(lambda now: answered.set(), self.up.now())
            self._settle()
            try:
                await asyncio.wait_for(answered.wait(), _FAREWELL)
            except asyncio.TimeoutError:
                self._event("the server did not answer the de-registration", {})
        for link in (self.down, self.up):
            link.close()
        self.store.commit()

    # -- while it runs

    def _settle(self):
        # What one link has heard of may be to be sent on the other.
        for flush in self._flushes:
            flush()

    def _passing_over(self, send):
        # What the flash has lost is not sent, and must not hold up what is behind it.
        def guarded(hop, items, done, now):
            try:
                send(hop, items, done, now)
            except OSError:
                together = isinstance(items, list)
                if all(self.store.holds(item) for item in (items if together else (items,))):
                    raise
                if together:
                    # Each by itself from here on: the others are there.
                    self.gateway.registry.get(hop).alone = True
                    done(AGAIN, now)
                    return
                self._event("lost on flash", {"originator": items.originator, "id": items.message_id})
                done(DONE, now)

        return guarded

    def _packet_size(self, address):
        return self.down.most_octets

    def _on_revoked(self, ue_service_id):
        if self.gateway is not None:
            self.gateway.expel(ue_service_id, self.up.now())
            self._settle()

    def _on_error(self, error):
        self._event("error", {"error": "%s: %s" % (type(error).__name__, error)})

    def _on_flash_error(self, text):
        self._event("flash", {"error": text})

    def _on_file_error(self, text):
        self._event("a device is left out", {"cause": text})

    def _event(self, word, detail):
        self.on_event(word, detail)


def _uplink_security(settings):
    # Of the link to the server: the gateway is one of its devices. What the settings leave open, its key says.
    security = None
    if settings.server_security != NONE:
        file = settings.key_file
        device = provisioning.read(file)
        name = device["ue_service_id"]
        if settings.ue_service_id not in (None, name):
            raise BadSettings(
                "ue_service_id = %r: %s is the key of %s" % (settings.ue_service_id, file, name)
            )
        settings.ue_service_id = name
        settings.server = settings.server or device.get("gateway")
        try:
            security = provisioning.DeviceSecurity(
                device["oscore"], Numbers(Counter(file + ".sequence"), _NUMBERS_AHEAD)
            )
            security.use(device["gateway_ue_service_id"])
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise provisioning.NotProvisioned("%s: %s" % (file, error))
    for key in ("ue_service_id", "server"):
        if getattr(settings, key) is None:
            raise BadSettings(key + " is missing")
    return security


def _nothing():
    pass


def _nobody_listens(word, detail):
    pass
