# Message IDs in octets: short ones of a store, UUIDs, and what is neither.

from msgin5g import message_id

UE = "ue-1@example.org"


def test_short_octets_of_a_store():
    assert message_id.short(b"\x0a\x0b\x0c", 0) == b"\x0a\x0b\x0c\x00"
    assert message_id.short(b"\x0a\x0b\x0c", 255) == b"\x0a\x0b\x0c\xff"
    assert message_id.short(b"\x0a\x0b\x0c", 256) == b"\x0a\x0b\x0c\x01\x00"
    assert message_id.short(b"\x0a\x0b\x0c", 0xFFFFFFFF) == b"\x0a\x0b\x0c\xff\xff\xff\xff"
    assert message_id.short(b"\x0a\x0b\x0c", 1 << 32) is None
    assert message_id.short(b"12345678", 1) is None


def test_the_text_that_both_ends_derive():
    # sha256sum of the UE Service ID begins with 435d16f7a8d6e5727a.
    assert message_id.text(b"\x0a\x0b\x0c\x01", UE) == EXPECTED
    for octets in (b"\0", b"\0\0", b"\1", b"\1\2\3\4\5\6\7"):
        text = message_id.text(octets, UE)
        assert text[14] == "8" and text[19] in "89ab" and len(text) == 36
        assert message_id.octets(text, UE) == octets
        # Somebody else's message: only the whole is known.
        whole = message_id.octets(text, "ue-2@example.org")
        assert len(whole) == 16 and message_id.text(whole, None) == text
        assert message_id.octets(text, None) == whole


EXPECTED = "435d16f7-a8d6-8472-ba00-00000a0b0c01"


def test_no_two_are_the_same():
    texts = set()
    for ue in (UE, "ue-2@example.org"):
        for birth in (b"\0\0\0", b"\0\0\1"):
            for key in (0, 1, 255, 256, 65535, 65536):
                texts.add(message_id.text(message_id.short(birth, key), ue))
    # With as many octets each, those of zeros too.
    for size in range(1, 8):
        texts.add(message_id.text(bytes(size), "ue-3@example.org"))
    assert len(texts) == 2 * 2 * 6 + 7


def test_uuids_are_their_octets():
    text = "01234567-89ab-4def-8123-456789abcdef"
    assert message_id.octets(text, UE) == b"\x01\x23\x45\x67\x89\xab\x4d\xef\x81\x23\x45\x67\x89\xab\xcd\xef"
    assert message_id.text(message_id.octets(text, UE), None) == text


def test_what_is_no_uuid_stays_a_text():
    for text in (
        "",
        "m-1",
        "0123456789ab4def8123456789abcdef",
        "01234567-89AB-4def-8123-456789abcdef",
        "01234567-89ab-4def-8123-456789abcde",
        "01234567-89ab-4def-8123-456789abcdeg",
        "0123456-789ab-4def-8123-456789abcdef",
        "\u6c34" * 12,
    ):
        assert message_id.octets(text, UE) is None, text


def test_octets_that_are_no_message_id():
    for octets in (b"", b"12345678", b"x" * 15, b"x" * 17):
        try:
            message_id.text(octets, UE)
            raise AssertionError(octets)
        except ValueError:
            pass
    try:
        message_id.text(b"1", None)
        raise AssertionError("whose?")
    except ValueError:
        pass
