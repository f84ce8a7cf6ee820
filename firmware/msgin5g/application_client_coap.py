# The Application Client of application_client.py in messages of CoAP and JSON (TS 24.538, A.3), for links other than
# PC5: a UE that has no MSGin5G Client of its own (TS 23.554, 8.11). The same link drives it.
#
# What it does of CoAP (RFC 7252): POST requests, confirmable and one at a time, sent until they are answered, an
# exchange with a Message ID of its own after each MAX_RETRANSMIT; answers to requests, at once. A duplicate of what has
# come is known by what it says: that outlives the Message IDs of a gateway that has been started again. All of it is
# in RAM.

import json
from binascii import a2b_base64, b2a_base64, hexlify

from . import ticks, wire
from . import wire_application as names
from .coap import numbers as coap

_LONGEST_PAUSE = 32000
_TRANSMISSIONS = 5
_MOST_WAITING = 4
_MOST_KNOWN = 8
# Uri-Host, Uri-Port, Uri-Path: this is the one resource that an Application Client has, whatever it is called.
_UNDERSTOOD = (coap.URI_HOST, coap.URI_PORT, coap.URI_PATH)
# Of a confirmable POST with a token of two octets.
_HEAD = b"\x42\x02"


class ApplicationClient:
    # application: the Application ID. credential: text. random(n) -> n octets nobody can guess (os.urandom).
    # ack_timeout: ms.
    def __init__(self, application, credential, random, ack_timeout=2000):
        # Where the MSGin5G Client is, as the link knows it.
        self.address = None
        self.registered = False
        # on_message(message_id, originator, payload): a message, its payload text, or octets where the sender's were
        # none; False is reported as not delivered. When it raises, the message comes again.
        # on_told(message_id, cause): a message has been taken (cause 0) or refused (the code of CoAP). message_id is
        # None for a registration.
        # on_report(message_id, delivered): the delivery status report on a message.
        self.on_message = self.on_told = self.on_report = _ignore
        self._application = application
        self._credential = credential
        self._random = random
        self._ack_timeout = self._pause = ack_timeout
        # To be sent: (octets of JSON, Message ID), the first of them now and again. The Message ID is None for a
        # registration, "" for a report.
        self._waiting = []
        self._outgoing = []
        self._due = None
        # Of the exchange under way: its datagram, and how often it may still be sent.
        self._datagram = b""
        self._left = 0
        self._mid = int.from_bytes(random(2), "big")
        # What has been received last: (what tells a duplicate, the Delivery Status of a message).
        self._known = []

    def register(self, now, leave=False):
        # Or de-register. Goes before all else.
        self._enrol(wire.DEREG if leave else wire.REG)
        self._pause = self._ack_timeout
        self._transmit(now)

    def send(self, target, payload, now, target_type=wire.AS, report=False):
        # payload: text or octets. Returns the Message ID, or None when as many wait as may.
        if len(self._waiting) >= _MOST_WAITING:
            return None
        members = {
            names.NAME_OF_MESSAGE_TYPE: wire.MSG,
            names.NAME_OF_TARGET_ADDRESS: target,
            names.NAME_OF_TARGET_TYPE: target_type,
            names.NAME_OF_MESSAGE_ID: str(hexlify(self._random(8)), "ascii"),
            names.NAME_OF_APPLICATION_ID: self._application,
            names.NAME_OF_DELIVERY_STATUS_REQUIRED: report,
        }
        if not isinstance(payload, str):
            payload = str(b2a_base64(payload).strip(), "ascii")
            members[names.NAME_OF_PAYLOAD_ENCODING] = wire.BASE64
        members[names.NAME_OF_PAYLOAD] = payload
        self._waiting.append((json.dumps(members).encode(), members[names.NAME_OF_MESSAGE_ID]))
        if self._due is None:
            self._transmit(now)
        return members[names.NAME_OF_MESSAGE_ID]

    # -- what a link calls

    def timer(self):
        return self._due

    def datagrams_to_send(self):
        outgoing = self._outgoing
        self._outgoing = []
        return outgoing

    def handle_timer(self, now):
        if self._due is not None and ticks.diff(self._due, now) <= 0:
            self._transmit(now)

    def receive(self, data, size, address, now):
        # What is not understood is refused if it is a request, else ignored.
        if size < 4 or data[0] >> 6 != coap.VERSION:
            return
        kind = data[0] >> 4 & 3
        code = data[1]
        end = 4 + (data[0] & 15)
        head = bytearray(data[:end])
        if end > min(size, 12):
            return
        if code >= coap.CREATED:
            # A response: in the acknowledgement, or by itself.
            expected = end == 6 and data[4:6] == self._datagram[4:6]
            if kind == coap.CON:
                self._answer(coap.ACK if expected else coap.RST, coap.EMPTY, head[:4])
            if expected:
                self._told(code, now)
        elif kind == coap.ACK:
            if data[2:4] == self._datagram[2:4]:
                # The response comes by itself. If it does not, it is asked for again.
                self._left = 0
                self._due = ticks.add(now, _LONGEST_PAUSE)
        elif kind == coap.CON and code == coap.EMPTY:
            # A ping.
            self._answer(coap.RST, coap.EMPTY, head[:4])
        elif kind <= coap.NON and code:
            code = self._request(code, data[end:size], now)
            if kind == coap.CON:
                self._answer(coap.ACK, code, head)

    # --

    def _answer(self, kind, code, head):
        # To what had that head.
        head[0] = coap.VERSION << 6 | kind << 4 | len(head) - 4
        head[1] = code
        self._outgoing.append((head, self.address))

    def _enrol(self, kind):
        members = {
            names.NAME_OF_MESSAGE_TYPE: kind,
            names.NAME_OF_APPLICATION_ID: self._application,
            names.NAME_OF_UE_CREDENTIAL_INFORMATION: self._credential,
        }
        self._waiting.insert(0, (json.dumps(members).encode(), None))
        self._left = 0

    def _transmit(self, now):
        self._due = None
        if not self._waiting:
            return
        if not self._left:
            self._left = _TRANSMISSIONS
            self._mid = self._mid + 1 & 0xFFFF
            mid = self._mid.to_bytes(2, "big")
            token = self._random(2)
            self._datagram = b"".join((_HEAD, mid, token, names.OPTIONS, self._waiting[0][0]))
        self._left -= 1
        self._outgoing.append((self._datagram, self.address))
        # Up to half as much more, so that many do not speak at once.
        self._due = ticks.add(now, self._pause + (self._pause * self._random(1)[0] >> 9))
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    def _told(self, code, now):
        # This exchange is over. What is tried again is so with the next transmission, not at once: that might go on and
        # on.
        self._datagram = b""
        self._left = 0
        message_id = self._waiting[0][1]
        if code >> 5 == 5 or code == wire.OVERLOADED:
            return
        if code == wire.UNAUTHENTICATED and message_id is not None:
            self._enrol(wire.REG)
            return
        self._waiting.pop(0)
        if message_id is None:
            self.registered = code == wire.REGISTERED
        if code >> 5 == 2:
            # One that is refused and refused does not hurry.
            self._pause = self._ack_timeout
        self._transmit(now)
        if message_id != "":
            self.on_told(message_id, 0 if code >> 5 == 2 else code)

    def _request(self, code, data, now):
        # Returns the code of the answer.
        if code != coap.POST:
            return coap.METHOD_NOT_ALLOWED
        try:
            number = at = 0
            while data[at] != 0xFF:
                # An option (RFC 7252, 3.1). None that an Application Client has any use for is longer than 268 octets.
                delta = data[at] >> 4
                length = data[at] & 15
                at += 1
                if delta == 13:
                    delta += data[at]
                    at += 1
                if length == 13:
                    length += data[at]
                    at += 1
                number += delta
                if number & 1 and number not in _UNDERSTOOD:
                    return coap.BAD_OPTION
                at += length
            # Some MicroPythons take an object that is cut off.
            members = json.loads(data[at + 1 :] if data[-1:] == b"}" else b"")
            kind = members[names.NAME_OF_MESSAGE_TYPE]
            message_id = members[names.NAME_OF_MESSAGE_ID]
            target = members[names.NAME_OF_TARGET_ADDRESS]
            said = members[names.NAME_OF_PAYLOAD if kind == wire.MSG else names.NAME_OF_DELIVERY_STATUS]
            if names.NAME_OF_PAYLOAD_ENCODING in members:
                said = a2b_base64(said)
        except (ValueError, IndexError, KeyError, TypeError, RuntimeError):
            return wire.INVALID
        identity = (kind, target, message_id)
        for known in self._known:
            if known[0] == identity:
                break
        else:
            if len(self._waiting) > 2 * _MOST_WAITING:
                # No room for a report.
                return wire.UNAVAILABLE
            known = (identity, self._taken(kind, message_id, target, said))
            self._known.append(known)
            if len(self._known) > _MOST_KNOWN:
                self._known.pop(0)
        if known[1] and members.get(names.NAME_OF_DELIVERY_STATUS_REQUIRED):
            # Of a duplicate as well: the gateway may have forgotten.
            self._report(members, known[1], now)
        return wire.ACCEPTED

    def _taken(self, kind, message_id, target, said):
        # Hand over; returns the Delivery Status of a message.
        if kind == wire.MSG:
            taken = self.on_message(message_id, target, said)
            return wire.REPORT_FAILED if taken is False else wire.REPORT_SUCCESS
        self.on_report(message_id, said == wire.REPORT_SUCCESS)
        return None

    def _report(self, message, status, now):
        members = {
            names.NAME_OF_MESSAGE_TYPE: wire.IMDN,
            names.NAME_OF_DELIVERY_STATUS: status,
            names.NAME_OF_APPLICATION_ID: self._application,
        }
        for name in (names.NAME_OF_MESSAGE_ID, names.NAME_OF_TARGET_ADDRESS, names.NAME_OF_TARGET_TYPE):
            members[name] = message.get(name)
        report = (json.dumps(members).encode(), "")
        if report not in self._waiting:
            self._waiting.append(report)
            if self._due is None:
                self._transmit(now)


def _ignore(*about):
    return False
