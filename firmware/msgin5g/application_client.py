# The Application Client of a UE that has no MSGin5G Client of its own (TS 23.554, 8.11), in L3 messages (TS 24.538,
# A.2): as little as a board can do with, for a sensor or an actuator. A MSGin5G Client on another UE speaks for it.
#
# No I/O and no clock: a link drives it as it does a CoAP endpoint, by receive(), handle_timer(), timer() and
# datagrams_to_send(); one datagram or frame is one message. (application_client_udp.py is the smallest.)
#
# L3 has no retransmission: one message at a time is sent until it is answered, so an outage costs time alone. What
# comes is handed over before it is answered, and the other side sends it until it is answered. All of it is in RAM.

from . import l3, ticks
from . import l3_table as table

_ANSWERS = (
    table.REGISTRATION_ACCEPT,
    table.REGISTRATION_REJECT,
    table.DEREGISTRATION_ACCEPT,
    table.ACKNOWLEDGEMENT,
)
_LONGEST_PAUSE = 32000
_MOST_WAITING = 4
_MOST_KNOWN = 8


class ApplicationClient:
    # application: the Application ID, a number. random(n) -> n octets nobody can guess (os.urandom). ack_timeout: ms.
    def __init__(self, application, credential, random, layer_2_id=0, ack_timeout=2000):
        # Where the MSGin5G Client is, as the link knows it.
        self.address = None
        self.registered = False
        # on_message(message_id, originator, payload): a message; False is reported as not delivered. When it raises,
        # the message comes again.
        # on_told(message_id, cause): a message has been taken (cause 0) or refused. message_id is None for a
        # registration.
        # on_report(message_id, delivered): the delivery status report on a message.
        self.on_message = self.on_told = self.on_report = _ignore
        self._values = {
            table.APPLICATION_ID: application,
            table.CREDENTIAL: credential,
            table.LAYER_2_ID: layer_2_id,
        }
        self._random = random
        self._ack_timeout = self._pause = ack_timeout
        # To be sent: (octets, Message ID), the first of them now and again.
        self._waiting = []
        self._outgoing = []
        self._due = None
        # What has been received last, with the answer it was given.
        self._known = []

    def register(self, now, leave=False):
        # Or de-register. Goes before all else.
        kind = table.DEREGISTRATION_REQUEST if leave else table.REGISTRATION_REQUEST
        self._waiting.insert(0, (l3.encode(kind, self._values), None))
        self._pause = self._ack_timeout
        self._transmit(now)

    def send(self, target, payload, now, target_type=1, report=False):
        # target and payload are octets; target_type as in l3_table, an Application Server unless it says otherwise.
        # Returns the Message ID, or None when as many wait as may.
        if len(self._waiting) >= _MOST_WAITING:
            return None
        values = {
            table.TARGET_ADDRESS: target,
            table.TARGET_TYPE: target_type,
            table.MESSAGE_ID: self._random(16),
            table.PAYLOAD: payload,
            table.APPLICATION_ID: self._values[table.APPLICATION_ID],
            table.DELIVERY_STATUS_REQUIRED: int(report),
        }
        message_id = values[table.MESSAGE_ID]
        self._waiting.append((l3.encode(table.MESSAGE_SENDING_REQUEST, values), message_id))
        if self._due is None:
            self._transmit(now)
        return message_id

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
        # What is not understood is ignored.
        try:
            values = l3.decode(data)
        except l3.BadL3:
            return
        kind = values[table.MESSAGE_TYPE]
        if kind not in (table.MESSAGE_RECEIVED, table.DELIVERY_REPORT_RECEIVED):
            if kind in _ANSWERS:
                self._told(kind, values, now)
            return
        identity = (kind, values[table.TARGET_ADDRESS], values[table.MESSAGE_ID])
        for known in self._known:
            if known[0] == identity:
                break
        else:
            known = (identity, self._taken(kind, values))
            self._known.append(known)
            if len(self._known) > _MOST_KNOWN:
                self._known.pop(0)
        self._outgoing.append((known[1], self.address))

    # --

    def _transmit(self, now):
        self._due = None
        if self._waiting:
            self._outgoing.append((self._waiting[0][0], self.address))
            # Up to half as much more, so that many do not speak at once.
            self._due = ticks.add(now, self._pause + (self._pause * self._random(1)[0] >> 9))
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    def _told(self, kind, values, now):
        message_id = values.get(table.MESSAGE_ID)
        cause = values.get(table.CAUSE, table.ACCEPTED)
        if cause == table.CONGESTION or not self._waiting:
            return
        octets, asked = self._waiting[0]
        leaving = octets[0] == table.DEREGISTRATION_REQUEST
        if asked != message_id or leaving != (kind == table.DEREGISTRATION_ACCEPT):
            # Not the answer to what is being sent.
            return
        if cause == table.NOT_REGISTERED:
            # With the next transmission, not at once: that might go on and on.
            self._waiting.insert(0, (l3.encode(table.REGISTRATION_REQUEST, self._values), None))
            return
        self._waiting.pop(0)
        if not message_id:
            self.registered = kind == table.REGISTRATION_ACCEPT
        self._pause = self._ack_timeout
        self._transmit(now)
        self.on_told(message_id, cause)

    def _taken(self, kind, values):
        # Hand over; returns what to answer.
        message_id = values[table.MESSAGE_ID]
        if kind == table.DELIVERY_REPORT_RECEIVED:
            self.on_report(message_id, not values[table.DELIVERY_STATUS])
        else:
            taken = self.on_message(message_id, values[table.TARGET_ADDRESS], values[table.PAYLOAD])
            if values.get(table.DELIVERY_STATUS_REQUIRED):
                # The report is the acknowledgement.
                values[table.DELIVERY_STATUS] = int(taken is False)
                return l3.encode(table.DELIVERY_REPORT_SENDING_REQUEST, values)
        values[table.ACKNOWLEDGED_TYPE] = kind
        values[table.CAUSE] = table.ACCEPTED
        return l3.encode(table.ACKNOWLEDGEMENT, values)


def _ignore(*about):
    return False
