# The UE configuration document: asked for, applied, kept in a file, watched; and documents that are not ours, or none.

import json
import os

from msgin5g import cbor, wire_configuration
from msgin5g.client import NOT_PROTECTED, Client
from msgin5g.coap import numbers as coap
from msgin5g.configuration import SEGMENT_SIZE, SERVER_ADDRESS, UE_SERVICE_ID, Configuration, NotConfigured
from server import FakeServer
from world import FakeLink, World

UE_ID = "urn:uuid:1"
FILE = "configuration.tmp.json"
XML = """<on-network xmlns:m="urn:3gpp:ns:seal:MSGin5GUEConfig:1.0">
 <m:MSGin5G-Server-address>coaps://server.example/?a=1&amp;b=2</m:MSGin5G-Server-address>
 <m:MSGin5G-UE-Service-id >ue1@example.org</m:MSGin5G-UE-Service-id>
 <m:Segment-size>%s</m:Segment-size></on-network>"""
VALUES = {
    SERVER_ADDRESS: "coaps://server.example/?a=1&b=2",
    UE_SERVICE_ID: "ue1@example.org",
    SEGMENT_SIZE: 700,
}


def document(data=XML % 700, **more):
    made = {
        "UeConfigDocId": "d1",
        "valServiceDomain": "example.org",
        "valServiceId": "msgin5g",
        "valUeIds": {"uris": [UE_ID]},
        "ueConfigs": [
            {"configType": "COMMON", "configData": "<common/>"},
            {"configType": "ON_NETWORK", "configData": data},
        ],
    }
    made.update(more)
    return made


class Setup:
    def __init__(self, documents=None):
        self.world = World()
        self.server = FakeServer(self.world)
        self.documents = [document()] if documents is None else documents
        self.code = coap.CONTENT
        # Seconds after which those are to ask again that have not asked so often.
        self.interim = 30
        self.interim_times = 0
        self.asked = []
        self.coap = self.server.resource._server
        path = wire_configuration.COLLECTION_PATH % wire_configuration.VAL_SERVICE
        self.coap.add(path, coap.GET, self.on_get)
        self.document_path = path + "/d1"
        self.coap.add_observable(self.document_path, self.render)
        self.client = Client(UE_ID, "server", security=NOT_PROTECTED, link=FakeLink.at(self.world, "ue"))
        self.client._start_link()
        self.changes = []
        self.configuration = self.configure()

    def configure(self):
        configuration = Configuration(self.client, UE_ID, FILE)
        configuration.on_change = self.changes.append
        return configuration

    def on_get(self, request, now):
        self.asked.append(request.query)
        if len(self.asked) <= self.interim_times:
            options = [(coap.MAX_AGE, self.interim)]
            self.coap.respond(request, coap.SERVICE_UNAVAILABLE, now, options=options)
            return
        payload = self.documents if isinstance(self.documents, bytes) else cbor.encode(self.documents)
        self.coap.respond(request, self.code, now, payload, coap.CBOR)

    def render(self, query):
        return coap.CONTENT, coap.CBOR, cbor.encode(self.documents[0])

    def change(self, changed):
        self.documents[0] = changed
        self.coap.notify(self.document_path, self.world.now)
        self.world.settle()

    async def get(self):
        return await self.world.run(self.configuration.get())

    async def refused(self):
        try:
            await self.get()
        except NotConfigured as why:
            return why.args[0]
        raise AssertionError("configured")


def forget():
    for name in (FILE, FILE + ".new"):
        try:
            os.remove(name)
        except OSError:
            pass


def exists(name):
    try:
        return bool(os.stat(name))
    except OSError:
        return False


async def test_an_interim_response_says_when_to_ask_again():
    forget()
    setup = Setup()
    setup.interim_times = 2
    assert await setup.get() == VALUES
    assert len(setup.asked) == 3 and 60000 <= setup.world.now < 70000


async def test_nobody_is_asked_for_good():
    forget()
    setup = Setup()
    setup.interim_times = 1000
    assert await setup.refused() == "refused: 5.03"
    assert len(setup.asked) == 4
    # Nor much later than anybody would say.
    setup.interim = 1 << 31
    setup.interim_times = 1 + len(setup.asked)
    assert await setup.world.run(setup.configuration.get(), 4000000) == VALUES


async def test_asked_for_applied_and_kept():
    forget()
    setup = Setup()
    assert setup.configuration.values is None
    assert await setup.get() == VALUES
    assert setup.asked == ["ue-uri=" + UE_ID]
    assert setup.client.segment_size == 700 and setup.changes == [VALUES]
    # Used after a restart, with nobody to ask.
    again = Setup()
    again.world.leave("server")
    assert again.configuration.values == VALUES and again.client.segment_size == 700
    forget()


async def test_watched():
    forget()
    setup = Setup()
    await setup.get()
    setup.change(document(XML % 900))
    assert setup.configuration.values[SEGMENT_SIZE] == 900 and setup.client.segment_size == 900
    assert len(setup.changes) == 2
    setup.change(document(XML % 900))
    assert len(setup.changes) == 2
    forget()


async def test_a_change_to_nonsense_changes_nothing():
    forget()
    setup = Setup()
    await setup.get()
    for nonsense in (
        {},
        document(ueConfigs=[]),
        document(XML % -1),
        document("<on-network>"),
        document(7),
        [],
        5,
    ):
        setup.change(nonsense)
        assert setup.configuration.values == VALUES, nonsense
    assert setup.configuration.counters["bad_documents"] == 7
    forget()


async def test_json_in_place_of_xml():
    forget()
    data = {"MSGin5G-Server-address": "coap://s", "MSGin5G-UE-Service-id": "u@x"}
    setup = Setup([document(json.dumps(data))])
    assert await setup.get() == {SERVER_ADDRESS: "coap://s", UE_SERVICE_ID: "u@x"}
    assert setup.client.segment_size == 2048
    forget()


async def test_documents_that_are_not_ours_are_passed_over():
    forget()
    setup = Setup(
        [
            document(valUeIds={"uris": ["urn:uuid:2"]}),
            document(valServiceId="something-else"),
            "no document",
            document(XML % "many"),
            document(),
        ]
    )
    assert await setup.get() == VALUES
    assert setup.configuration.counters["not_ours"] == 2
    assert setup.configuration.counters["bad_documents"] == 2
    forget()


async def test_no_document_is_said():
    forget()
    for documents in ([], b"\xff\xff", b"", cbor.encode({}), [document(valUeIds={"uris": []})]):
        assert UE_ID in await Setup(documents).refused()
    setup = Setup()
    setup.code = coap.FORBIDDEN
    assert "4.03" in await setup.refused()
    away = Setup()
    away.world.leave("server")
    assert "no answer" in await away.refused()
    assert not exists(FILE)


async def test_a_damaged_file_is_as_good_as_none():
    for content in (
        "",
        "{",
        "[]",
        "5",
        '{"server_address": 5, "ue_service_id": "x"}',
        '{"server_address": "x"}',
    ):
        with open(FILE, "w") as file:  # noqa: ASYNC230 (a test's own)
            file.write(content)
        assert Setup().configuration.values is None, content
    forget()


async def test_where_nothing_can_be_written_it_holds_until_the_restart():
    setup = Setup()
    setup.configuration._file = "no-such-folder/configuration.json"
    assert await setup.get() == VALUES
    assert setup.configuration.counters["not_saved"] == 1
