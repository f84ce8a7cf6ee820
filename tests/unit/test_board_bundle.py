# Bundles: what is taken, and what is refused before or while it is written. Seeds repeat what is damaged at random.

import os

from bundles import APP, CREDENTIALS, KEY, body, in_pieces, made, signed
from flash import folder
from msgin5g.board import bundle
from msgin5g.board.slots import Slots
from world import Random

OTHER = bundle.key({"master_secret": "02" * 16, "master_salt": "01" * 8})


def refusal(octets, key=KEY, size=100):
    # Why it is refused, None when it is not; nothing but the spare slot is touched.
    root = folder().rpartition("/")[0] + "/"
    spare = Slots(root).spare()
    try:
        bundle.Bundle(in_pieces(octets, size), key).unpack(spare)
    except bundle.Refused as refused:
        assert os.listdir(root) == ["a"]
        return refused.args[0]
    return None


def unpacked(octets, size=100):
    root = folder().rpartition("/")[0] + "/"
    spare = Slots(root).spare()
    bundle.Bundle(in_pieces(octets, size), KEY).unpack(spare)
    return spare


def content(name):
    with open(name, "rb") as file:
        return file.read()


def test_files_are_as_they_were_whatever_the_pieces():
    large = bytes([number & 255 for number in range(5000)])
    files = [("app.py", APP), ("data/curves/one.bin", large), ("empty.txt", b""), ("data/x.py", b"x = 1\n")]
    for size in (1, 7, 37, 1000, 100000):
        spare = unpacked(made(files), size)
        for name, octets in files:
            assert content(spare + "/" + name) == octets


def test_the_number_of_the_version():
    for version in (0, 1, 1800000000, 0xFFFFFFFF):
        assert bundle.Bundle(in_pieces(made(version=version)), KEY).version == version


def test_the_key_is_none_of_oscore():
    from binascii import unhexlify

    from msgin5g.oscore.derive import keys

    secret, salt = unhexlify(CREDENTIALS["master_secret"]), unhexlify(CREDENTIALS["master_salt"])
    assert len(KEY) == 32 and secret not in KEY
    for one in keys(secret, salt, b"\5", b"", None):
        assert one not in KEY
    without_salt = bundle.key({"master_secret": "00" * 16})
    assert without_salt not in (KEY, OTHER) and len(without_salt) == 32


def test_another_devices_bundle_is_refused():
    assert "signature" in refusal(made(key=OTHER))


def test_every_octet_is_signed():
    random = Random(7)
    octets = made([("app.py", APP), ("more.py", b"y = 2\n")])
    for at in range(len(octets)):
        damaged = bytearray(octets)
        damaged[at] ^= 1 << random.bits(3)
        try:
            bundle.Bundle(in_pieces(bytes(damaged)), KEY)
            raise AssertionError(at)
        except bundle.Refused:
            pass


def test_what_is_cut_off_is_refused():
    octets = made()
    for end in range(len(octets)):
        try:
            bundle.Bundle(in_pieces(octets[:end]), KEY)
            raise AssertionError(end)
        except bundle.Refused:
            pass


def test_what_is_signed_but_ends_early_is_refused():
    octets = body([("app.py", APP), ("more.py", b"y = 2\n")])
    whole = (len(octets), len(body([("app.py", APP)])))
    for end in range(len(octets)):
        if end not in whole:
            why = refusal(signed(octets[:end]))
            assert why in ("it ends early", "there is no app.py in it"), (end, why)


def test_no_name_leads_out_of_the_folder():
    for name in (
        "../app.py",
        "/app.py",
        "a/../../device.json",
        "a//b.py",
        "a/",
        "",
        ".",
        "..",
        ".hidden",
        "a/.hidden",
        "a\\b.py",
        "a\0b.py",
        "a b.py",
        "a\nb.py",
        "c:app.py",
        "ä.py",
        "x" * 65,
        "a/b/c/d/e.py",
    ):
        assert not bundle.is_name(name), name
        assert "there can be no file" in refusal(made([("app.py", APP), (name, b"bad")])), name
    for name in ("app.py", "app.mpy", "a/b/c/d.py", "A-1_b.txt", "x" * 64):
        assert bundle.is_name(name), name


def test_a_name_that_is_no_text_is_refused():
    octets = body([("abc", b"")])
    octets = octets[:-3] + b"\xff\xfe\xfd"
    assert "there can be no file ''" == refusal(signed(octets))


def test_names_are_there_once():
    assert "there can be no file 'app.py'" in refusal(made([("app.py", APP), ("app.py", b"")]))


def test_there_has_to_be_an_application():
    assert refusal(made([])) == "there is no app.py in it"
    assert refusal(made([("lib/app.py", APP)])) == "there is no app.py in it"
    assert refusal(made([("app.mpy", b"M")])) is None


def test_the_number_of_files_is_bounded():
    files = [("app.py", APP)] + [("f%d.py" % number, b"") for number in range(bundle.MOST_FILES)]
    assert refusal(made(files[:-1])) is None
    assert "more than 32 files" in refusal(made(files))


def test_a_file_can_not_be_a_folder_as_well():
    try:
        assert refusal(made([("app.py", APP), ("lib", b"x"), ("lib/x.py", b"")])) is None
        raise AssertionError
    except OSError:
        # Whoever unpacks it refuses it then.
        pass


def test_noise_that_is_signed_does_no_harm():
    for seed in range(1, 60):
        random = Random(seed)
        octets = bytearray(body([("app.py", APP), ("lib/more.py", b"y = 2\n"), ("z.txt", b"z" * 300)]))
        for _ in range(1 + random.bits(3)):
            octets[random.bits(16) % len(octets)] = random.bits(8)
        try:
            refusal(signed(bytes(octets)), size=1 + random.bits(7))
        except OSError:
            pass
