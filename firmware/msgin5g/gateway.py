# The MSGin5G Gateway UE: gateway service between many clients (MSGin5G-6) and one server (MSGin5G-1).
#
# It is registered at the server itself, registers the clients behind it, and relays messages, reports and message
# responses both ways. Everything that passes is in its store before it is acknowledged, and stays there until the
# next hop has accepted it, so neither an outage of the server nor of a client nor its own loses anything.
#
# This file has who is registered and who may send; relay.py has what becomes of it.
#
# No I/O and no clock: the process around it drives two endpoints, commits the store before either of them sends.

from . import messages, wire
from .coap.client import Client as CoapClient
from .coap.server import Server as CoapServer
from .gateway_forward import Forwarding
from .gateway_selection import SelectionResponder
from .gateway_server import GatewayServer
from .gateway_share import Shares
from .gateway_stored import Stored
from .registration import Registration
from .registry import LONGEST_REQUEST, Registered, Registry
from .relay import UP, Relay
from .resource import (
    ACCEPTED,
    NOT_NOW,
    MessageResource,
    failure_cause,
    from_peer,
    in_json,
    meaning,
)
from .store import Full


class Gateway:
    def __init__(
        self,
        ue_service_id,
        down,
        up,
        server_address,
        store,
        wall_clock,
        most_devices=10000,
        most_body=65536,
        most_transfers=64,
        up_window=32,
        most_messages_per_ue=10000,
        most_requests_per_second=1000,
        bulk_registration_seconds=0,
        bulk_configuration_seconds=0,
        packet_size=None,
        most_documents=256,
        aggregate_linger=0,
        drops=True,
        held_clock=None,
    ):
        # down, up: the endpoints towards the clients and the server; wall_clock() -> seconds since 1970 or None.
        # held_clock(): the same, but it never jumps: what is held goes by it.
        # most_messages_per_ue: that it has sent, and that wait for it; most_requests_per_second: of one client.
        # bulk_registration_seconds: so long clients wait for others to be registered with; 0: each by itself.
        # bulk_configuration_seconds: so long those wait that ask for their configuration.
        # aggregate_linger: so long small messages wait for company on their way up, in ms; 0: what waits anyway travels
        # as one; None: nothing does.
        # drops: where the store is full, what goes up makes room for what is no less urgent.
        # packet_size(address) -> octets of the longest packet on the link of a client. most_documents: of the server's
        # that are kept for the clients, and that are observed for them.
        self.ue_service_id = ue_service_id
        self.counters = {
            "messages_up": 0,
            "messages_down": 0,
            "duplicates": 0,
            "not_registered": 0,
            "unknown_recipient": 0,
            "not_from_server": 0,
            "store_full": 0,
            "registrations_refused": 0,
            "refused_by_server": 0,
            "refused_by_client": 0,
            "expired": 0,
        }
        # Called with (word, {detail}) for what an operator wants to read.
        self.on_event = _nobody_listens
        # Called, unless None, with (word, item or None, UE Service ID, now) for each message: gateway_operator.py.
        self.on_traffic = None
        store = Shares(store, most_messages_per_ue, self.counters)
        up_coap = CoapClient(up, most_body=most_body)
        self.coap_server = GatewayServer(
            down, most_body, most_transfers, most_requests_per_second, self.counters
        )
        self.clients = MessageResource(
            self.coap_server,
            {
                wire.REG: self._on_reg,
                wire.DEREG: self._on_dereg,
                wire.MSG: self._on_client_message,
                wire.IMDN: self._on_client_message,
                wire.SEGREC: self._on_segments_told,
                wire.SEGCONFIR: self._on_segments_told,
                wire.SFUPD: self._on_amendment,
            },
            implied=from_peer,
        )
        self._server = MessageResource(
            CoapServer(up, most_body, most_transfers),
            {
                wire.MSG: self._on_server_message,
                wire.IMDN: self._on_server_message,
                wire.SEGREC: self._on_server_message,
                wire.SEGCONFIR: self._on_server_message,
                wire.MSGRESP: self._on_server_message,
            },
        )
        self.registry = Registry(down, store, most_devices)
        self.registration = Registration(
            up_coap,
            server_address,
            messages.encode(messages.registration(ue_service_id)),
            messages.encode(messages.deregistration(ue_service_id)),
            self._on_registration,
        )
        self._relay = Relay(
            self,
            down,
            up_coap,
            server_address,
            store,
            (wall_clock, held_clock or wall_clock),
            most_body,
            up_window,
            aggregate_linger,
            drops,
        )
        # REG requests of clients that the server has not answered yet: UE Service ID -> the latest request.
        self._registering = {}
        self.application_clients = None
        self._stored = Stored(self, self._relay, store)
        self._relay.clients.packet_size = packet_size
        self.selection = SelectionResponder(self, self.coap_server, down, packet_size)
        self._forwarding = Forwarding(self, self.coap_server, up_coap, server_address, most_documents)
        if bulk_configuration_seconds:
            self._forwarding.bulk_configuration(up, wall_clock, bulk_configuration_seconds)
        self._bulk = None
        if bulk_registration_seconds:
            from .gateway_bulk import Bulk

            self._bulk = Bulk(self, self._relay, up, wall_clock, bulk_registration_seconds)

    def speak_for(self, applications, endpoint):
        # Of UEs without a MSGin5G Client (8.11), at an endpoint of their own. To be called before start().
        from .application_clients import ApplicationClients

        self.application_clients = ApplicationClients(self, self._relay, endpoint, applications)

    def start(self, now):
        self.registration.start(now)
        self._relay.start(now)

    def clock_jumped(self, now):
        self._relay.clients.sleepers.clock_jumped(now)

    def stop(self, on_done, now):
        self.registration.stop(on_done, now)

    def registering(self, ue):
        # Has it asked to be registered, and the server not answered yet?
        return ue in self._registering or (self._bulk is not None and self._bulk.holds(ue))

    def speak_to(self, addresses):
        # The server's addresses: messages go to the one that has Message IDs.
        self._relay.server_addresses = addresses

    def keep_ready(self, most):
        # So many messages for the server in memory: where more of one UE wait, more of them travel as one.
        self._relay.uplink.most_loaded = most

    def resources(self):
        # For their counters.
        return {"clients": self.clients, "server": self._server}

    def reachable(self, is_there, now):
        # A link is there again: who did not answer on it need not be waited for. is_there(address) -> on that link?
        for entry in self.registry:
            if is_there(entry.address) and self._relay.downlink.waiting(entry.ue_service_id):
                self._relay.downlink.resume(entry.ue_service_id, now)

    # -- the gateway's own registration

    def _on_registration(self, registered, cause, now):
        self.event("registered" if registered else "not registered", cause=cause)
        if registered:
            self._relay.uplink.resume(UP, now)
            self._forwarding.watches.renew(now)
        else:
            self._relay.uplink.forget(UP)

    # -- registration of clients

    def _on_reg(self, request, elements, now):
        if wire.UE_SERVICE_ID not in elements:
            # Of several UEs at once: a gateway's right.
            self.clients.refuse(request, wire.REFUSED, elements, wire.NOT_AUTHORIZED, now)
            return
        ue_service_id = elements[wire.UE_SERVICE_ID]
        address = request.peer.address

        def decided(granted, now):
            if not granted:
                self._refuse_registration(request, elements, wire.REFUSED, wire.UE_SERVICE_ID_NOT_OWNED, now)
            elif self.registry.get(ue_service_id):
                self._register_again(request, elements, now)
            elif self.registry.full():
                self._refuse_registration(request, elements, wire.UNAVAILABLE, wire.STORE_FULL, now)
            else:
                self._register_at_server(request, elements, now)

        if ue_service_id == self.ue_service_id:
            self._refuse_registration(request, elements, wire.REFUSED, wire.UE_SERVICE_ID_NOT_OWNED, now)
        elif len(request.payload) > LONGEST_REQUEST:
            self._refuse_registration(request, elements, wire.TOO_LARGE, wire.MALFORMED, now)
        elif request.context:
            # It has proved who it is: nobody else need be asked.
            decided(request.context.name == ue_service_id, now)
        else:
            self.registry.claim(ue_service_id, address, decided, now)

    def _register_again(self, request, elements, now):
        # Known already, so it need not wait for the server, which may be out of reach: it is told in its turn.
        if self._relay.queue_up(elements, elements[wire.UE_SERVICE_ID], in_json(request, elements), now):
            self._registered(request, elements, now)
        else:
            self._refuse_registration(request, elements, wire.UNAVAILABLE, wire.STORE_FULL, now)

    def _register_at_server(self, request, elements, now):
        ue_service_id = elements[wire.UE_SERVICE_ID]
        if not self.registration.registered:
            # A server that does not know this gateway yet would take the client for one of its own.
            self._refuse_registration(request, elements, wire.UNAVAILABLE, wire.SERVER_NOT_REACHABLE, now)
            return
        under_way = self._registering.get(ue_service_id)
        if under_way:
            # One of the two has been given up by its sender, or is somebody else's.
            self.clients.refuse(
                under_way, wire.UNAVAILABLE, elements, wire.SERVER_NOT_REACHABLE, now, max_age=5
            )
        if self._bulk is not None:
            if not under_way and self._bulk.takes(elements):
                self._bulk.hold(request, elements, now)
                return
            self._bulk.drop(ue_service_id)
        self._registering[ue_service_id] = request

        def on_response(response, now):
            latest = self._registering.pop(ue_service_id)
            outcome = meaning(response)
            if outcome == ACCEPTED:
                self._registered(latest, elements, now)
            elif outcome == NOT_NOW:
                self._refuse_registration(latest, elements, wire.UNAVAILABLE, wire.SERVER_NOT_REACHABLE, now)
            else:
                self._refuse_registration(latest, elements, response.code, failure_cause(response), now)

        if not under_way:
            self._relay.post_up(in_json(request, elements), on_response, now)

    def _registered(self, request, elements, now):
        ue_service_id = elements[wire.UE_SERVICE_ID]
        body = in_json(request, elements)
        entry = Registered(ue_service_id, request.peer.address, None, body, request.content_format)
        try:
            self.enter(entry, now)
        except Full:
            self._refuse_registration(request, elements, wire.UNAVAILABLE, wire.STORE_FULL, now)
            return
        result = self.result(entry)
        self.clients.answer(request, wire.REGISTERED, now, result)
        if result.get(wire.MESSAGES_WAITING):
            self._relay.clients.sleepers.heard(entry, now)
        self._relay.downlink.resume(ue_service_id, now)

    def enter(self, entry, now):
        before = self.registry.get(entry.ue_service_id)
        if before and before.address != entry.address:
            # What is under way to where it was need not be waited for.
            self._relay.downlink.forget(entry.ue_service_id)
        self.registry.save(entry)
        self.event("client registered", ue=entry.ue_service_id, address=entry.address)

    def result(self, entry):
        # Of its registration: how much waits for it is said if anything does, or if it would sleep otherwise.
        result = messages.registration_result(wire.REG, entry.ue_service_id)
        waiting = self._relay.clients.waiting(entry.ue_service_id)
        if not waiting:
            self._relay.clients.sleepers.told_nothing_waits(entry)
        if waiting or entry.said()[0]:
            result[wire.MESSAGES_WAITING] = waiting
        return result

    def _refuse_registration(self, request, elements, code, cause, now):
        self.counters["registrations_refused"] += 1
        self.event("client refused", ue=elements[wire.UE_SERVICE_ID], cause=cause)
        max_age = 5 if code == wire.UNAVAILABLE else None
        self.clients.refuse(request, code, elements, cause, now, max_age)

    def _on_dereg(self, request, elements, now):
        ue_service_id = elements[wire.UE_SERVICE_ID]
        if not self._owns(request, elements, ue_service_id, now):
            return
        # In the lane of its messages: the server learns of it when it has them.
        if not self._relay.queue_up(elements, ue_service_id, in_json(request, elements), now):
            self._full(request, elements, now)
            return
        self.registry.remove(ue_service_id)
        self._relay.clients.forget(ue_service_id)
        self.clients.answer(
            request, wire.DEREGISTERED, now, messages.registration_result(wire.DEREG, ue_service_id)
        )
        self.event("client de-registered", ue=ue_service_id)

    def expel(self, ue_service_id, now):
        # A client that is not wanted any more.
        if self.registry.get(ue_service_id) is None:
            return
        elements = messages.deregistration(ue_service_id)
        # Without room for that the server learns of it when it next has something for it.
        self._relay.queue_up(elements, ue_service_id, messages.encode(elements), now)
        self.registry.remove(ue_service_id)
        self._relay.downlink.forget(ue_service_id)
        self.event("client expelled", ue=ue_service_id)

    def _owns(self, request, elements, ue_service_id, now):
        # Is it the UE that it says? Answers it when not.
        cause = self.refusal(request, ue_service_id, now)
        if cause:
            self.clients.refuse(request, wire.REFUSED, elements, cause, now)
        return cause is None

    def refusal(self, request, ue_service_id, now):
        # None when the request comes from this UE, as its keys prove, or else from where it is registered; why it is
        # refused when not.
        entry = self.registry.get(ue_service_id)
        there = entry is not None and entry.address == request.peer.address
        if entry is not None and (request.context.name == ue_service_id if request.context else there):
            self._relay.clients.sleepers.heard(entry, now)
            if self.on_traffic is not None:
                self.on_traffic("heard", None, ue_service_id, now)
            if not there:
                self._moved(entry, request.peer.address, now)
            elif self._relay.downlink.waiting(ue_service_id):
                self._relay.downlink.resume(ue_service_id, now)
            return None
        self.counters["not_registered"] += 1
        return wire.UE_SERVICE_ID_NOT_OWNED if entry else wire.NOT_REGISTERED

    def _moved(self, entry, address, now):
        # It is where it is heard: nobody else has its keys.
        ue = entry.ue_service_id
        self.registry.save(Registered(ue, address, entry.via, entry.body, entry.content_format))
        self.event("client moved", ue=ue, address=address)
        self._relay.downlink.forget(ue)
        self._relay.downlink.resume(ue, now)

    # -- from clients to the server

    def _is_from_ue(self, request, elements, now):
        # Of the UE that it names as its originator. Answers it when not.
        kind, ue_service_id = messages.originator(elements)
        if kind == wire.UE:
            return self._owns(request, elements, ue_service_id, now)
        # An Application Server does not speak through a gateway.
        self.counters["not_registered"] += 1
        self.clients.refuse(request, wire.REFUSED, elements, wire.NOT_AUTHORIZED, now)
        return False

    def _on_client_message(self, request, elements, now):
        if not self._is_from_ue(request, elements, now):
            return
        ue_service_id = elements[wire.ORIGINATING_UE]
        for one, body in self._singly(request, elements):
            if not self._relay.queue_up(one, ue_service_id, body, now):
                # Those that found room are known when all come again.
                self._full(request, elements, now)
                return
            self.counters["messages_up"] += 1
        self.clients.answer(request, wire.ACCEPTED, now)

    def _singly(self, request, elements):
        # What is aggregated is stored as what it is made of (8.4).
        if wire.INDIVIDUAL_MESSAGES in elements or wire.INDIVIDUAL_REPORTS in elements:
            from .aggregation import split

            return [(one, messages.encode(one)) for one in split(elements)]
        return ((elements, in_json(request, elements)),)

    def _on_segments_told(self, request, elements, now):
        if self._is_from_ue(request, elements, now):
            if self._relay.clients.segments_told(messages.originator(elements)[1], elements, now):
                self.clients.answer(request, wire.ACCEPTED, now)
            else:
                self._on_client_message(request, elements, now)

    def _on_amendment(self, request, elements, now):
        if self._is_from_ue(request, elements, now):
            self._stored.on_request(request, elements, now)

    def own_hop(self, elements):
        # Which Application Client is meant by what comes for this UE itself?
        return self.application_clients.hop(elements) if self.application_clients else None

    def _full(self, request, elements, now):
        self.counters["store_full"] += 1
        self.clients.refuse(request, wire.UNAVAILABLE, elements, wire.STORE_FULL, now, max_age=5)

    # -- from the server to clients

    def _on_server_message(self, request, elements, now):
        if request.peer.address not in self._relay.server_addresses:
            self.counters["not_from_server"] += 1
            self._server.refuse(request, wire.REFUSED, elements, wire.NOT_AUTHORIZED, now)
            return
        kind = elements[wire.MESSAGE_TYPE]
        of = messages.originator if kind == wire.MSGRESP else messages.recipient
        kind_of_recipient, ue_service_id = of(elements)
        if kind_of_recipient == wire.UE and ue_service_id == self.ue_service_id:
            ue_service_id = self.own_hop(elements)
            if ue_service_id is None:
                # The server need not try that again, and other applications of this UE have their messages behind it.
                self.counters["unknown_recipient"] += 1
                self._server.refuse(request, wire.REFUSED, elements, wire.UNKNOWN_RECIPIENT, now)
                return
        if kind_of_recipient != wire.UE or self.registry.get(ue_service_id) is None:
            self.counters["unknown_recipient"] += 1
            self._server.refuse(request, wire.NO_SUCH_RECIPIENT, elements, wire.UNKNOWN_RECIPIENT, now)
            return
        if kind == wire.MSG and self._relay.clients.unwanted(ue_service_id, elements):
            self._server.refuse(request, wire.REFUSED, elements, wire.RECIPIENT_NOT_REACHABLE, now)
            return
        for one, body in self._singly(request, elements):
            if not self._relay.queue_down(ue_service_id, one, body, now):
                self.counters["store_full"] += 1
                self._server.refuse(request, wire.UNAVAILABLE, elements, wire.STORE_FULL, now, max_age=5)
                return
            self.counters["messages_down"] += 1
        self._server.answer(request, wire.ACCEPTED, now)

    def event(self, word, **detail):
        self.on_event(word, detail)


def _nobody_listens(word, detail):
    pass
