# MSGin5G-5 in L3 messages (TS 24.538, A.2): the side of the MSGin5G Client.
#
# What goes to an Application Client is sent until it is answered, one message at a time: a message by the report on it
# where one is wanted, all else by an ACKNOWLEDGEMENT. So a report needs no acknowledgement of its own.

from binascii import hexlify, unhexlify
from hashlib import sha256

from . import l3, messages, ticks, wire
from . import l3_table as table
from .delivery import DONE, LATER

# A longer message is refused: it has to fit one datagram.
_MOST_OCTETS = 1280


class _UnderWay:
    # A message on its way to an Application Client.
    def __init__(self, hop, address, values, octets, elements, done, timeout):
        self.hop = hop
        self.address = address
        self.values = values
        self.octets = octets
        self.elements = elements
        self.done = done
        self.timeout = timeout
        self.transmissions = 0
        self.due = None


class L3Face:
    # What the entry of the registry says of one that speaks L3.
    via = "L3"

    def __init__(self, clients):
        self._clients = clients
        self._endpoint = clients.endpoint
        self._by_number = {one.number: one for one in clients.applications.values()}
        # hop -> what is under way to it
        self._under_way = {}
        self._requests = {
            table.REGISTRATION_REQUEST: self._on_registration,
            table.DEREGISTRATION_REQUEST: self._on_deregistration,
            table.MESSAGE_SENDING_REQUEST: self._on_message,
            table.DELIVERY_REPORT_SENDING_REQUEST: self._on_report,
            table.ACKNOWLEDGEMENT: self._on_acknowledgement,
        }
        clients.endpoint.on_l3 = self._on_l3
        clients.endpoint.on_timer.append(self._on_timer)

    def _count(self, what):
        self._clients.counters[what] += 1

    def _answer(self, address, kind, values, cause=None):
        if cause is not None:
            values[table.CAUSE] = cause
        self._endpoint.send(l3.encode(kind, values), address)

    # -- from Application Clients

    def _on_l3(self, data, address, now):
        here = self._clients.at(address)
        if self._clients.too_many(address if here else None, now):
            return
        try:
            values = l3.decode(data)
        except l3.BadL3:
            self._count("bad_messages")
            return
        handler = self._requests.get(values[table.MESSAGE_TYPE])
        if handler:
            handler(values, here, address, now)
        else:
            self._count("bad_messages")

    def _on_registration(self, values, here, address, now):
        application = self._by_number.get(values[table.APPLICATION_ID])
        layer_2_id = values[table.LAYER_2_ID].to_bytes(3, "big")
        credential = values.get(table.CREDENTIAL, b"")
        if self._clients.register(application, credential, address, self.via, layer_2_id, now):
            self._answer(address, table.REGISTRATION_ACCEPT, values)
        else:
            self._answer(address, table.REGISTRATION_REJECT, values, table.NOT_AUTHORIZED)

    def _on_deregistration(self, values, here, address, now):
        application = self._by_number.get(values[table.APPLICATION_ID])
        if application in here:
            self._clients.deregister(application, now)
        # One that is not registered here has nothing to lose.
        self._answer(address, table.DEREGISTRATION_ACCEPT, values)

    def _on_message(self, values, here, address, now):
        values[table.ACKNOWLEDGED_TYPE] = values[table.MESSAGE_TYPE]
        cause = self._take(values, here, now)
        self._answer(address, table.ACKNOWLEDGEMENT, values, cause)

    def _take(self, values, here, now):
        # The cause for the answer to a message.
        number = values.get(table.APPLICATION_ID)
        mine = [one for one in here if number in (None, one.number)]
        if len(mine) != 1:
            self._count("not_registered")
            return table.NOT_REGISTERED
        try:
            kind = wire.RECIPIENTS[values.get(table.TARGET_TYPE, 0)][0]
            to = (kind, str(values[table.TARGET_ADDRESS], "utf-8"))
            message_id = str(hexlify(values[table.MESSAGE_ID]), "ascii")
            report = bool(values.get(table.DELIVERY_STATUS_REQUIRED))
            taken = self._clients.message(mine[0], to, message_id, values[table.PAYLOAD], report, now)
            return table.ACCEPTED if taken else table.CONGESTION
        except (ValueError, IndexError, KeyError):
            # No such Target Type, or a Target address that is nobody's.
            self._count("bad_messages")
            return table.INVALID

    def _on_report(self, values, here, address, now):
        under_way = self._found(values, here, address, table.MESSAGE_RECEIVED)
        if under_way is None or under_way.values[table.TARGET_ADDRESS] != values[table.TARGET_ADDRESS]:
            # The message is reported on already, or never came this way.
            self._count("unexpected")
        elif not under_way.elements.get(wire.DELIVERY_STATUS_REQUIRED):
            self._end(under_way, now)
        else:
            cause = wire.REJECTED_BY_RECIPIENT if values[table.DELIVERY_STATUS] else None
            if self._clients.report(under_way.elements, cause, now):
                self._end(under_way, now)

    def _on_acknowledgement(self, values, here, address, now):
        under_way = self._found(values, here, address, values[table.ACKNOWLEDGED_TYPE])
        if under_way is None:
            self._count("unexpected")
        elif under_way.values.get(table.DELIVERY_STATUS_REQUIRED):
            # It is the report that is waited for, which may be lost.
            pass
        else:
            self._end(under_way, now)

    def _found(self, values, here, address, kind):
        for application in here:
            under_way = self._under_way.get(application.hop)
            if (
                under_way
                and under_way.address == address
                and under_way.octets[0] == kind
                and under_way.values[table.MESSAGE_ID] == values[table.MESSAGE_ID]
            ):
                return under_way
        return None

    # -- to Application Clients

    def send(self, application, entry, item, elements, done, now):
        hop = entry.ue_service_id
        values = {}
        octets = b""
        try:
            kind, values = _to_l3(elements, item.kind)
            values[table.APPLICATION_ID] = application.number
            octets = l3.encode(kind, values)
        except (ValueError, KeyError, IndexError):
            # It has no L3 form.
            pass
        if not 0 < len(octets) <= _MOST_OCTETS:
            self._clients.refused(item, elements, done, now)
            return
        under_way = _UnderWay(
            hop, entry.address, values, octets, elements, done, self._endpoint.parameters.ack_timeout
        )
        self._under_way[hop] = under_way
        self._transmit(under_way, now)

    def forget(self, hop, now):
        under_way = self._under_way.pop(hop, None)
        if under_way:
            under_way.done(LATER, now)

    def _transmit(self, under_way, now):
        under_way.transmissions += 1
        self._endpoint.send(under_way.octets, under_way.address)
        pause = under_way.timeout + self._endpoint.random(under_way.timeout >> 1)
        under_way.timeout *= 2
        under_way.due = ticks.add(now, pause)
        self._endpoint.arm(under_way.due)

    def _end(self, under_way, now, verdict=DONE):
        del self._under_way[under_way.hop]
        self._count("taken" if verdict == DONE else "no_answer")
        under_way.done(verdict, now)

    def _on_timer(self, now):
        for under_way in list(self._under_way.values()):
            if ticks.diff(under_way.due, now) > 0:
                self._endpoint.arm(under_way.due)
            elif under_way.transmissions <= self._endpoint.parameters.max_retransmit:
                self._transmit(under_way, now)
            else:
                self._end(under_way, now, LATER)


def _to_l3(elements, kind):
    # A message, a report or a message response -> (type, values); values lack what has no L3 form.
    values = {table.MESSAGE_ID: _message_id(elements[wire.MESSAGE_ID], kind)}
    kind_of_originator, originator = messages.originator(elements)
    for number, (kind_of_recipient, _) in enumerate(wire.RECIPIENTS):
        if kind_of_recipient == kind_of_originator:
            values[table.TARGET_TYPE] = number
    values[table.TARGET_ADDRESS] = (originator or "").encode()
    if kind == wire.MSG:
        payload = messages.payload(elements)
        values[table.PAYLOAD] = payload.encode() if isinstance(payload, str) else payload
        values[table.DELIVERY_STATUS_REQUIRED] = int(bool(elements.get(wire.DELIVERY_STATUS_REQUIRED)))
        return table.MESSAGE_RECEIVED, values
    status = elements.get(wire.DELIVERY_STATUS)
    meaning = wire.status(status) if status else wire.STORED
    if kind == wire.MSGRESP and meaning == wire.STORED:
        # There will be a report; L3 has no message for less.
        return table.DELIVERY_REPORT_RECEIVED, {}
    values[table.DELIVERY_STATUS] = int(meaning != wire.SUCCESS)
    cause = elements.get(wire.FAILURE_CAUSE)
    if cause:
        values[table.FAILURE_CAUSE] = cause.encode()[:255]
    return table.DELIVERY_REPORT_RECEIVED, values


def _message_id(text, kind):
    # 16 octets. An Application Client's own: what it has chosen. Another's: itself if it is a UUID, else its digest;
    # it is compared with the message under way, so nobody has to find the text again.
    digits = text.split("/")[-1] if kind != wire.MSG else text.replace("-", "")
    try:
        octets = unhexlify(digits)
    except ValueError:
        octets = b""
    return octets if len(octets) == 16 else sha256(text.encode()).digest()[:16]
