# L3 messages of MSGin5G-5 (TS 24.538, A.2; coding rules: TS 24.007, 11.2): octets to {element: value} and back, by
# l3_table. Numbers are ints, everything else is bytes.

from . import l3_table as table


class BadL3(ValueError):
    # Not a message of MSGin5G-5: cut off, of an unknown type, or with a length or value that its element can't have.
    pass


def encode(message_type, values):
    # values may have more than the message has a place for.
    octets = bytearray((message_type,))
    optional = False
    for element in table.MESSAGES[message_type]:
        if not element:
            optional = True
            continue
        value = values.get(element)
        length, least, most, iei = table.ELEMENTS[element]
        if optional:
            if value is None:
                continue
            octets.append(iei)
        if isinstance(value, int):
            if not 0 <= value < 1 << (8 * least or 4):
                raise BadL3
            if not least:
                octets[-1] = iei | value
                continue
            value = value.to_bytes(least, "big")
        if value is None or not least <= len(value) <= most:
            raise BadL3
        if length:
            octets.extend(len(value).to_bytes(length, "big"))
        octets.extend(value)
    return octets


def decode(data):
    # data: bytes, one message and nothing behind it. Raises BadL3 only.
    try:
        layout = table.MESSAGES[data[0]]
        values = {table.MESSAGE_TYPE: data[0]}
        at = 1
        for element in layout:
            if not element:
                break
            at = _take(values, element, data, at)
        while at < len(data):
            iei = data[at]
            half = iei > 127
            found = None
            for element in layout:
                if element and table.ELEMENTS[element][3] == (iei & 0xF0 if half else iei):
                    found = element
            at += 1
            if not half:
                at = _take(values, found, data, at)
            elif found and found not in values:
                values[found] = iei & 15
    except (IndexError, KeyError):
        raise BadL3
    return values


def _take(values, element, data, at):
    # Returns where the next one begins. Of several, the first counts; what is not known (None) has its length in the
    # first octet (TS 24.007, 11.2.4), and is passed over.
    length, least, most, _ = table.ELEMENTS[element] if element else (1, 0, 255, 0)
    size = least
    if length:
        size = data[at] if length == 1 else data[at] << 8 | data[at + 1]
    at += length
    end = at + size
    if end > len(data) or not least <= size <= most:
        raise BadL3
    if element and element not in values:
        if length or size > 3:
            values[element] = data[at:end]
        else:
            number = 0
            while at < end:
                number = number << 8 | data[at]
                at += 1
            values[element] = number
    return end
