# A MSGin5G Client that speaks for Application Clients on other UEs (MSGin5G-5; TS 23.554, 8.11): here the gateway, in
# the name of its own UE Service ID.
#
# An Application Client registers with its Application ID and that application's credential; one at a time per
# Application ID, which is all that tells whose a message from above is: who comes later with the right credential takes
# over. It is an entry of the gateway's registry, as a hop of its own, so that the gateway's store and delivery do the
# rest: what is for it is stored until it has taken it.
#
# A report on a message does not say which application sent it. So the Message ID does: "<Application ID>/<its own>".
#
# What is on the wire is in l3_application_clients.py and in coap_application_clients.py. A client gets its messages in
# the form that it has registered in.

from hashlib import sha256

from . import messages, ticks, wire
from .coap.endpoint import Endpoint
from .coap_application_clients import CoapFace
from .delivery import DONE, LATER
from .l3_application_clients import L3Face
from .registry import Registered

# No UE Service ID has a control character.
_HOP = "\tapplication/"
# Datagrams in a second: of one Application Client, and of all that are not registered together.
MOST_A_SECOND = 50


class Application:
    # identity: the Application ID. number: what L3 messages know it by. credential: octets.
    def __init__(self, identity, number, credential):
        self.identity = identity
        self.number = number
        self.hop = _HOP + identity
        self._digest = sha256(credential).digest()

    def knows(self, credential):
        # Takes as long whether it is right or wrong.
        different = 0
        for ours, theirs in zip(self._digest, sha256(credential).digest()):
            different |= ours ^ theirs
        return not different


class ApplicationEndpoint(Endpoint):
    # One port for both kinds of messages: the first octet of CoAP is 64 or more, that of an L3 message is less.
    def __init__(self, parameters, randbits):
        super().__init__(parameters, randbits)
        # on_l3(octets, address, now)
        self.on_l3 = _ignore

    def receive(self, data, size, address, now):
        if not size or data[0] >= 64:
            super().receive(data, size, address, now)
            return
        self.counters["received"] += 1
        try:
            self.on_l3(bytes(memoryview(data)[:size]), address, now)
        except Exception as error:
            self._callback_failed(error)

    def send(self, datagram, address):
        self.counters["sent"] += 1
        self._outgoing.append((datagram, address))


class ApplicationClients:
    def __init__(self, gateway, relay, endpoint, applications):
        self.gateway = gateway
        self._relay = relay
        self.endpoint = endpoint
        self.applications = {one.identity: one for one in applications}
        self.counters = {
            "registrations": 0,
            "registrations_refused": 0,
            "not_registered": 0,
            "bad_messages": 0,
            "wrong_format": 0,
            "handler_errors": 0,
            "too_many": 0,
            "unexpected": 0,
            "messages_up": 0,
            "reports_up": 0,
            "taken": 0,
            "refused": 0,
            "no_answer": 0,
        }
        self._second = 0
        self._counts = {}
        faces = (L3Face(self), CoapFace(self))
        self._faces = {face.via: face for face in faces}

    def hop(self, elements):
        # Which Application Client is a message, a report or a message response for? None for one that is not known.
        if elements[wire.MESSAGE_TYPE] == wire.MSG:
            identity = elements.get(wire.APPLICATION_ID)
        else:
            identity = elements[wire.MESSAGE_ID].split("/")[0]
        application = self.applications.get(identity)
        return application.hop if application and self.entry(application) else None

    def entry(self, application):
        return self.gateway.registry.get(application.hop)

    def at(self, address):
        # The applications that are registered from an address.
        entries = [(one, self.entry(one)) for one in self.applications.values()]
        return [one for one, entry in entries if entry and entry.address == address]

    def too_many(self, who, now):
        # Has it sent more in this second than it may?
        if ticks.age(self._second, now) >= 1000:
            self._second = now
            self._counts = {}
        count = self._counts[who] = self._counts.get(who, 0) + 1
        if count > MOST_A_SECOND:
            self.counters["too_many"] += 1
            return True
        return False

    # -- from Application Clients

    def register(self, application, credential, address, via, layer_2_id, now):
        # Whether it is. via: of its face; what the entry of the registry keeps as body is the Layer-2 ID.
        if application is None or not application.knows(credential):
            self.counters["registrations_refused"] += 1
            return False
        if self.entry(application):
            self._forget(application, now)
        self.gateway.registry.save(Registered(application.hop, address, via, layer_2_id))
        self.counters["registrations"] += 1
        self.gateway.event("application registered", application=application.identity, address=address)
        self._relay.downlink.resume(application.hop, now)
        return True

    def deregister(self, application, now):
        self.gateway.registry.remove(application.hop)
        self._forget(application, now)
        self.gateway.event("application de-registered", application=application.identity)

    def _forget(self, application, now):
        # What is under way to it need not be waited for: it may be elsewhere, or have forgotten it.
        self._relay.downlink.forget(application.hop)
        for face in self._faces.values():
            face.forget(application.hop, now)

    def message(self, application, to, message_id, payload, report, now):
        # False when the store has no room.
        ours = self.gateway.ue_service_id
        elements = messages.message(
            (wire.UE, ours), to, application.identity + "/" + message_id, True, report
        )
        elements[wire.APPLICATION_ID] = application.identity
        messages.set_payload(elements, payload)
        messages.check(elements)
        if not self._relay.queue_up(elements, ours, messages.encode(elements), now):
            return False
        self.counters["messages_up"] += 1
        if self._relay.downlink.waiting(application.hop):
            self._relay.downlink.resume(application.hop, now)
        return True

    def report(self, elements, cause, now):
        # On a message with these elements. False when the store has no room.
        report = messages.report_on(elements, cause)
        queued = self._relay.queue_up(report, self.gateway.ue_service_id, messages.encode(report), now)
        self.counters["reports_up"] += queued
        return queued

    # -- to Application Clients

    def send(self, entry, item, done, now):
        face = self._faces.get(entry.via)
        application = [one for one in self.applications.values() if one.hop == item.hop]
        try:
            elements = messages.decode(item.body)
        except messages.BadMessage:
            # Stored by a version that took what this one does not.
            self.counters["refused"] += 1
            done(DONE, now)
            return
        if face and application and wire.SEGMENTATION_SET_ID not in elements:
            face.send(application[0], entry, item, elements, done, now)
        else:
            # Its application is not in the settings any more, or it is a part of a message.
            self.refused(item, elements, done, now)

    def refused(self, item, elements, done, now):
        # By an Application Client, or in its name.
        self.counters["refused"] += 1
        wanted = item.kind == wire.MSG and item.report
        told = not wanted or self.report(elements, wire.REJECTED_BY_RECIPIENT, now)
        done(DONE if told else LATER, now)


def _ignore(octets, address, now):
    pass
