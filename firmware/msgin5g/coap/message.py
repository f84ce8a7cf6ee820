# One CoAP message: a datagram to fields and back (RFC 7252, 3).
#
# A Message is allocated once and refilled by decode(), which keeps offsets into the datagram and allocates
# nothing. What it tells is therefore valid until the next decode(); whoever wants to keep a value copies it.
#
# The contract, checked by the fuzzer: any bytes are accepted, or raise NotCoap or FormatError, nothing else.

from . import numbers as n

ABSENT = -1
_LARGE = 0x3FFFFFFF


class NotCoap(ValueError):
    # Too short, or another version: RFC 7252 says to ignore it in silence.
    pass


class FormatError(ValueError):
    # It says it is CoAP and breaks its format. type and mid are known, so it can be rejected with RST.
    pass


class Message:
    def __init__(self):
        self.data = b""
        self.type = n.RST
        self.code = n.EMPTY
        self.mid = 0
        self._token_end = 4
        self._payload = 0
        self._end = 0
        # The latest path, as octets and as text: most requests have that of the one before.
        self._path_octets = b""
        self._path_text = ""
        self._clear_options()

    def _clear_options(self):
        # Options with one value; ABSENT where the datagram has none.
        self.observe = ABSENT
        self.content_format = ABSENT
        self.max_age = ABSENT
        self.accept = ABSENT
        self.block1 = ABSENT
        self.block2 = ABSENT
        self.size1 = ABSENT
        self.size2 = ABSENT
        # Number of the first critical option that is not understood; 0 when all are.
        self.unrecognized = 0
        # Runs of repeatable options: where the first one's header starts, where the last one's value ends.
        self._path = self._path_end = 0
        self._query = self._query_end = 0
        self._location = self._location_end = 0
        self._etag = self._etag_end = 0
        self._oscore = self._oscore_end = 0
        self._echo = self._echo_end = 0

    def decode(self, data, size):
        if size < 4 or data[0] >> 6 != n.VERSION:
            raise NotCoap
        first = data[0]
        code = data[1]
        self.data = data
        self.type = (first >> 4) & 3
        self.code = code
        self.mid = data[2] << 8 | data[3]
        self._clear_options()
        self._token_end = end = 4 + (first & 15)
        self._payload = self._end = size
        if code == n.EMPTY:
            if size != 4 or end != 4:
                raise FormatError("an empty message has no token and nothing behind its Message ID")
            return
        if end > 12 or end > size:
            raise FormatError("token length")
        if code >> 5 in (1, 6, 7):
            raise FormatError("reserved code class")
        try:
            self._payload = self._decode_options(data, end, size)
        except IndexError:
            raise FormatError("option header cut off")

    def _decode_options(self, data, at, size):
        number = 0
        while at < size:
            header = data[at]
            if header == 0xFF:
                if at + 1 == size:
                    raise FormatError("payload marker without payload")
                return at + 1
            start = at
            at += 1
            delta = header >> 4
            if delta > 12:
                if delta == 13:
                    delta = 13 + data[at]
                    at += 1
                elif delta == 14:
                    delta = 269 + (data[at] << 8 | data[at + 1])
                    at += 2
                else:
                    raise FormatError("option delta 15")
            length = header & 15
            if length > 12:
                if length == 13:
                    length = 13 + data[at]
                    at += 1
                elif length == 14:
                    length = 269 + (data[at] << 8 | data[at + 1])
                    at += 2
                else:
                    raise FormatError("option length 15")
            number += delta
            end = at + length
            if end > size or number > 0xFFFF:
                raise FormatError("option cut off")
            if number == n.URI_PATH:
                # The commonest option first: this loop runs for every option of every message.
                if length > 255:
                    self._not_understood(number)
                self._path = self._path or start
                self._path_end = end
            elif number == n.CONTENT_FORMAT and length == 1:
                if self.content_format < 0:
                    self.content_format = data[at]
            else:
                self._option(number, start, at, end)
            at = end
        return size

    def _option(self, number, start, at, end):
        length = end - at
        if number == n.CONTENT_FORMAT:
            if self.content_format < 0 and length <= 2:
                self.content_format = self._uint(at, end)
        elif number == n.URI_QUERY:
            if length > 255:
                self._not_understood(number)
            self._query = self._query or start
            self._query_end = end
        elif number == n.BLOCK1:
            if self.block1 >= 0 or length > 3:
                self._not_understood(number)
            else:
                self.block1 = self._uint(at, end)
        elif number == n.BLOCK2:
            if self.block2 >= 0 or length > 3:
                self._not_understood(number)
            else:
                self.block2 = self._uint(at, end)
        elif number == n.OBSERVE:
            if self.observe < 0 and length <= 3:
                self.observe = self._uint(at, end)
        elif number == n.ACCEPT:
            if self.accept >= 0 or length > 2:
                self._not_understood(number)
            else:
                self.accept = self._uint(at, end)
        elif number == n.MAX_AGE:
            if self.max_age < 0 and length <= 4:
                self.max_age = self._uint(at, end)
        elif number == n.LOCATION_PATH:
            self._location = self._location or start
            self._location_end = end
        elif number == n.ETAG:
            if not self._etag and 0 < length <= 8:
                self._etag = at
                self._etag_end = end
        elif number == n.SIZE1:
            if self.size1 < 0 and length <= 4:
                self.size1 = self._uint(at, end)
        elif number == n.SIZE2:
            if self.size2 < 0 and length <= 4:
                self.size2 = self._uint(at, end)
        elif number == n.URI_HOST or number == n.URI_PORT:
            # This endpoint serves every host and port that it is reached by, named once. (A header below 16
            # has delta 0: the same option again.)
            if self.data[start] < 16 or length > (255 if number == n.URI_HOST else 2):
                self._not_understood(number)
        elif number == n.ECHO:
            if not self._echo and 0 < length <= 40:
                self._echo = at
                self._echo_end = end
        elif number == n.OSCORE:
            # Not understood until a layer that does has replaced this message by the one inside (RFC 8613, 8).
            # Repeated, it is empty.
            self._oscore_end = 0 if self._oscore else end
            self._oscore = at
            self._not_understood(number)
        elif number & 1:
            self._not_understood(number)

    def _not_understood(self, number):
        # A repeated or overlong critical option counts as not understood (RFC 7252, 5.4.3 and 5.4.5).
        self.unrecognized = self.unrecognized or number

    def _uint(self, at, end):
        value = 0
        while at < end:
            # What does not fit into a board's small int is as good as the largest: no heap for a stranger's
            # number.
            value = (value << 8 | self.data[at]) if value < _LARGE >> 8 else _LARGE
            at += 1
        return value

    def is_bare(self):
        # Nothing behind its token.
        return self._token_end == self._end

    def token(self):
        return bytes(self.data[4 : self._token_end])

    def has_token(self, token):
        return self.data[4 : self._token_end] == token

    def payload(self):
        return memoryview(self.data)[self._payload : self._end]

    def body(self):
        # The payload, to be kept.
        body = self.data[self._payload : self._end]
        return body if isinstance(body, bytes) else bytes(body)

    def etag(self):
        return bytes(self.data[self._etag : self._etag_end])

    def echo(self):
        return bytes(self.data[self._echo : self._echo_end])

    def oscore(self):
        # The value of the OSCORE option; None where there is none.
        return bytes(self.data[self._oscore : self._oscore_end]) if self._oscore else None

    def path(self):
        # "a/b" for the segments a and b; None where one is not UTF-8 or has a slash inside.
        octets = self.data[self._path : self._path_end]
        if octets != self._path_octets:
            self._path_text = self._joined(self._path, self._path_end, "/")
            self._path_octets = bytes(octets)
        return self._path_text

    def query(self):
        # "a=1&b=2" for the parameters a=1 and b=2; None where one is not UTF-8 or has an ampersand inside.
        return self._joined(self._query, self._query_end, "&") if self._query else ""

    def location(self):
        return self._joined(self._location, self._location_end, "/")

    def _joined(self, at, end, between):
        if at == end:
            return ""
        data = self.data
        between = between.encode()
        parts = []
        while at < end:
            header = data[at]
            at += 1 + _EXTENDED[header >> 4]
            length = header & 15
            if length == 13:
                length = 13 + data[at]
                at += 1
            elif length == 14:
                length = 269 + (data[at] << 8 | data[at + 1])
                at += 2
            part = bytes(data[at : at + length])
            if between in part:
                return None
            parts.append(part)
            at += length
        try:
            return str(between.join(parts), "utf-8")
        except UnicodeError:
            return None


# Octets that follow the header for an option delta nibble of 13 and 14; decode() has refused 15.
_EXTENDED = b"\0\0\0\0\0\0\0\0\0\0\0\0\0\1\2\0"


def encode(type, code, mid, token=b"", options=b"", payload=b""):
    # options are what encode_options() made: those of a path can be made once and used for every message.
    head = 4 + len(token)
    body = head + len(options)
    datagram = bytearray(body + 1 + len(payload) if payload else body)
    datagram[0] = n.VERSION << 6 | type << 4 | len(token)
    datagram[1] = code
    datagram[2] = mid >> 8
    datagram[3] = mid & 0xFF
    datagram[4:head] = token
    datagram[head:body] = options
    if payload:
        datagram[body] = 0xFF
        datagram[body + 1 :] = payload
    return datagram


def encode_options(options):
    # options: (number, value) pairs in any order, value an int, str or bytes. Equal numbers keep their order:
    # sorted() would not do on MicroPython, where it is not stable and would scramble a path.
    ordered = []
    for option in options:
        place = len(ordered)
        while place and ordered[place - 1][0] > option[0]:
            place -= 1
        ordered.insert(place, option)
    encoded = bytearray()
    previous = 0
    for number, value in ordered:
        if isinstance(value, int):
            value = _minimal(value)
        elif isinstance(value, str):
            value = value.encode()
        _append_header(encoded, number - previous, len(value))
        encoded.extend(value)
        previous = number
    return bytes(encoded)


def uri_options(path, query=""):
    # "a/b", "x=1&y=2" -> option pairs for encode_options()
    options = []
    options.extend((n.URI_PATH, segment) for segment in path.split("/") if segment)
    options.extend((n.URI_QUERY, parameter) for parameter in query.split("&") if parameter)
    return options


def _minimal(value):
    # An uint option value has no leading zero octets; zero has none at all (RFC 7252, 3.2).
    size = 0
    while value >> (8 * size) > 0:
        size += 1
    return value.to_bytes(size, "big")


def _append_header(encoded, delta, length):
    encoded.append(_nibble(delta) << 4 | _nibble(length))
    for value in (delta, length):
        if value >= 269:
            encoded.append((value - 269) >> 8)
            encoded.append((value - 269) & 0xFF)
        elif value >= 13:
            encoded.append(value - 13)


def _nibble(value):
    return value if value < 13 else 13 if value < 269 else 14


def dotted(code):
    # 0x84 -> "4.04", the way the RFCs print a code.
    return "%d.%02d" % (code >> 5, code & 31)
