# The serial console of a gateway on a board: what comes octet by octet, and is no command.

import io
import json

from msgin5g import provisioning  # noqa: F401 (from here on it is not as deep)

from msgin5g import gateway_console  # isort: skip

RUNTIMES = ("micropython",)


class Stream(io.IOBase):
    def __init__(self, text):
        self.text = text

    def read(self, count):
        text, self.text = self.text[:count], self.text[count:]
        return text

    def ioctl(self, request, flags):
        # Always readable: at its end it says so.
        return 1 if request == 3 else 0


class Board:
    contexts = None
    revoked = ()

    def enrol(self, name, address=None):
        if name == "full":
            raise OSError(28)
        return {"ue_service_id": name, "gateway": address}

    def revoke(self, name):
        self.revoked += (name,)

    def counts(self):
        raise MemoryError


async def told(text):
    said = []
    await gateway_console.run(Board(), Stream(text), said.append)
    return [json.loads(one) for one in said]


async def test_lines_are_answered_whatever_ends_them():
    assert await told("enrol a@b 192.0.2.1:5683\r\n\n  \nenrol c@d\rrevoke a@b\n") == [
        {"enrolled": {"ue_service_id": "a@b", "gateway": "192.0.2.1:5683"}},
        {"enrolled": {"ue_service_id": "c@d", "gateway": None}},
        {"revoked": "a@b"},
    ]
    assert await told("devices\n") == [{"devices": []}]


async def test_what_is_no_command_or_cannot_be_done_is_said_and_the_next_one_is_answered():
    noise = "x" * 5000 + "\nenrol\nenrol a b c\nrevoke\n\x00\x1b[A\nenrol full\nstate\ndevices\n"
    said = await told(noise)
    assert len(said) == 8 and said[-1] == {"devices": []}
    assert all("expected" in one["error"] for one in said[:5])
    assert "can't be stored" in said[5]["error"] and said[6] == {"error": "MemoryError"}


async def test_half_a_line_is_waited_for_and_dropped_at_the_end():
    assert await told("enrol a@b") == []
