"""UE configuration documents (TS 24.546, annex C): what is one, for whom, over CoAP, watched, after a restart."""

from xml.etree import ElementTree as ET

import pytest
from msgin5g import cbor
from msgin5g import wire_configuration as wire
from msgin5g.coap import numbers as coap
from msgin5g.coap.message import dotted, uri_options
from msgin5g.coap.observation import Observation

from host_tools.server import configuration_face
from host_tools.server.configuration import (
    BadDocument,
    Documents,
    applies,
    check,
    decode,
    of_all_settings,
    on_network,
)
from host_tools.server.configuration_face import ConfigurationFace
from host_tools.settings import UeConfiguration
from tests.server.lab import SERVER, Lab

COLLECTION = wire.COLLECTION_PATH % "msgin5g"
METER = UeConfiguration(
    ue_service_id="meter-17@a",
    server="coap://server.example/msgin5g",
    ue_ids=["urn:uuid:17"],
    segment_size=512,
)
PUMP = UeConfiguration(ue_service_id="pump@a", server="coap://s & t", ue_ids=["urn:uuid:18"])
DOCUMENT = {wire.NAME: "n", wire.DOMAIN: "d"}


class Setup:
    def __init__(self, path, writable=True, most=10):
        self.lab = Lab(path)
        self.writable = writable
        self.most = most
        self.serve()
        self.peer = self.lab.peer("ue")

    def serve(self):
        fixed = of_all_settings([METER, PUMP], "msgin5g.example")
        self.documents = Documents(self.lab.store, fixed, self.most)
        ConfigurationFace(self.lab.face.server, self.documents, lambda _request: self.writable)

    def ask(self, method, path=COLLECTION, query="", body=b"", options=()):
        responses = []
        self.peer.client.request(
            SERVER,
            method,
            [*uri_options(path, query), *options],
            body,
            lambda response, now: responses.append(response),
            self.lab.world.now,
        )
        self.lab.world.settle()
        (self.response,) = responses
        value = cbor.decode(self.response.payload) if self.response.payload else None
        return dotted(self.response.code), value

    def post(self, document=DOCUMENT):
        code, _ = self.ask(coap.POST, body=cbor.encode(document))
        assert code == "2.01"
        return self.response.location


@pytest.fixture
def setup(tmp_path):
    setup = Setup(tmp_path / "server.sqlite")
    yield setup
    setup.lab.store.close()


def detail(answer):
    code, problem = answer
    return code, problem[wire.PROBLEM_DETAIL]


# -- what a UE asks for


def test_a_ue_finds_its_document(setup):
    code, documents = setup.ask(coap.GET, query="ue-uri=urn:uuid:17")
    assert code == "2.05"
    (document,) = documents
    assert document[wire.UE_IDS] == {wire.URIS: ["urn:uuid:17"]}
    (configuration,) = document[wire.CONFIGURATIONS]
    assert configuration[wire.TYPE] == wire.ON_NETWORK
    root = ET.fromstring(configuration[wire.DATA])
    told = {element.tag.partition("}")[2]: element.text for element in root}
    assert told == {
        wire.SERVER_ADDRESS_ELEMENT: "coap://server.example/msgin5g",
        wire.UE_SERVICE_ID_ELEMENT: "meter-17@a",
        wire.SEGMENT_SIZE_ELEMENT: "512",
    }
    assert root.tag == f"{{{wire.NAMESPACE}}}{wire.ON_NETWORK_ELEMENT}"
    assert {element.tag.partition("}")[0] for element in root} == {"{" + wire.MSGIN5G_NAMESPACE}


def test_the_document_alone_is_the_same(setup):
    (document,) = setup.ask(coap.GET, query="ue-uri=urn:uuid:17")[1]
    path = f"{COLLECTION}/{document[wire.DOCUMENT_ID]}"
    assert setup.ask(coap.GET, path) == ("2.05", document)


def test_who_does_not_say_who_it_is_gets_all(setup):
    assert len(setup.ask(coap.GET)[1]) == 2
    assert setup.ask(coap.GET, query="ue-uri=urn:uuid:99")[1] == []
    assert setup.ask(coap.GET, query="ue-vendor=acme&what=ever")[0] == "2.05"


def test_xml_has_no_markup_of_others():
    assert "&lt;x&gt;" in on_network("<x>", "u")


@pytest.mark.parametrize(
    ("imei_range", "tac", "serial_number", "expected"),
    [
        ({wire.TAC: "12345678"}, "12345678", None, True),
        ({wire.TAC: "12345678"}, "12345678", "7", True),
        ({wire.TAC: "12345678"}, "87654321", "7", False),
        ({wire.TAC: "12345678"}, None, "7", False),
        ({wire.TAC: "1", wire.SERIAL_NUMBERS: ["000007"]}, "1", "7", True),
        ({wire.TAC: "1", wire.SERIAL_NUMBERS: ["8"]}, "1", "7", False),
        ({wire.TAC: "1", wire.SERIAL_NUMBERS: ["8"]}, "1", None, False),
        ({wire.TAC: "1", wire.SERIAL_NUMBER_RANGE: {wire.LOW: "5", wire.HIGH: "10"}}, "1", "7", True),
        ({wire.TAC: "1", wire.SERIAL_NUMBER_RANGE: {wire.LOW: "8", wire.HIGH: "10"}}, "1", "7", False),
    ],
)
def test_by_imei(imei_range, tac, serial_number, expected):
    document = DOCUMENT | {wire.UE_IDS: {wire.IMEI_RANGES: [imei_range]}}
    assert applies(check(document), None, tac, serial_number) is expected


def test_one_that_names_nobody_is_for_all_and_comes_last(setup):
    setup.post()
    documents = setup.ask(coap.GET, query="ue-uri=urn:uuid:17")[1]
    assert [wire.UE_IDS in document for document in documents] == [True, False]


# -- changing them


def test_add_change_and_remove(setup):
    path = setup.post()
    code, document = setup.ask(coap.GET, path)
    assert (code, document[wire.NAME]) == ("2.05", "n")
    assert setup.ask(coap.PUT, path, body=cbor.encode(DOCUMENT | {wire.NAME: "m"})) == ("2.04", None)
    assert setup.ask(coap.GET, path)[1][wire.NAME] == "m"
    assert setup.ask(coap.DELETE, path) == ("2.02", None)
    for method in (coap.GET, coap.PUT, coap.DELETE):
        assert setup.ask(method, path)[0] == "4.04"
    assert len(setup.documents) == 2


def test_they_survive_a_power_cut(setup):
    path, other = setup.post(), setup.post()
    setup.ask(coap.PUT, path, body=cbor.encode(DOCUMENT | {wire.NAME: "m"}))
    setup.ask(coap.DELETE, other)
    setup.lab.restart()
    setup.serve()
    assert setup.ask(coap.GET, path)[1][wire.NAME] == "m"
    assert setup.ask(coap.GET, other)[0] == "4.04"


def test_those_of_the_settings_are_not_changed(setup):
    (document,) = setup.ask(coap.GET, query="ue-uri=urn:uuid:17")[1]
    path = f"{COLLECTION}/{document[wire.DOCUMENT_ID]}"
    for method in (coap.PUT, coap.DELETE):
        assert detail(setup.ask(method, path, body=cbor.encode(DOCUMENT)))[0] == "4.03"
    assert setup.ask(coap.GET, path)[1] == document


def test_nobody_writes_where_that_is_not_allowed(setup):
    path = setup.post()
    setup.writable = False
    for method, where in ((coap.POST, COLLECTION), (coap.PUT, path), (coap.DELETE, path)):
        assert setup.ask(method, where, body=cbor.encode(DOCUMENT))[0] == "4.03"


def test_there_are_only_so_many(tmp_path):
    setup = Setup(tmp_path / "server.sqlite", most=3)
    setup.post()
    assert detail(setup.ask(coap.POST, body=cbor.encode(DOCUMENT))) == (
        "5.03",
        "there are too many documents",
    )


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not CBOR"),
        (b"\xff", "not CBOR"),
        (cbor.encode([]), "not a map"),
        (cbor.encode({}), f"{wire.NAME}: missing"),
        (cbor.encode({wire.NAME: 7, wire.DOMAIN: "d"}), f"{wire.NAME}: not a text"),
        (cbor.encode({wire.NAME: "x" * 256, wire.DOMAIN: "d"}), "longer than"),
        (cbor.encode(DOCUMENT | {wire.CONFIGURATIONS: []}), "one or more"),
        (cbor.encode(DOCUMENT | {wire.CONFIGURATIONS: [{wire.TYPE: "T"}]}), f"{wire.DATA}: missing"),
        (cbor.encode(DOCUMENT | {wire.CONFIGURATIONS: [{wire.TYPE: "T", wire.DATA: ""}] * 2}), "the same"),
        (cbor.encode(DOCUMENT | {wire.UE_IDS: {wire.URIS: [7]}}), "texts"),
        (cbor.encode(DOCUMENT | {wire.UE_IDS: {wire.IMEI_RANGES: [{}]}}), f"{wire.TAC}: missing"),
    ],
)
def test_what_is_no_document(setup, body, said):
    code, problem = setup.ask(coap.POST, body=body)
    assert code == "4.00"
    assert said in problem[wire.PROBLEM_DETAIL]
    assert problem[wire.PROBLEM_RESPONSE_CODE] == coap.BAD_REQUEST
    assert len(setup.documents) == 2


def test_another_content_format(setup):
    answer = setup.ask(coap.POST, body=b"{}", options=[(coap.CONTENT_FORMAT, coap.JSON)])
    assert detail(answer)[0] == "4.15"


def test_members_that_nobody_knows_are_left_out():
    given = DOCUMENT | {"more": 1, wire.DOCUMENT_ID_TOO: "mine"}
    assert decode(cbor.encode(given)) == DOCUMENT


def test_a_document_of_absurd_depth_is_none():
    with pytest.raises(BadDocument):
        decode(b"\x81" * 100 + b"\x01")


def test_more_than_one_datagram(setup):
    data = [{wire.TYPE: f"T{number}", wire.DATA: "x" * 1000} for number in range(3)]
    path = setup.post(DOCUMENT | {wire.CONFIGURATIONS: data})
    assert setup.ask(coap.GET, path)[1][wire.CONFIGURATIONS] == data


def test_too_much_at_once(tmp_path):
    setup = Setup(tmp_path / "server.sqlite", most=1000)
    data = [{wire.TYPE: "T", wire.DATA: "x" * 30_000}]
    for _ in range(3):
        setup.post(DOCUMENT | {wire.CONFIGURATIONS: data})
    assert detail(setup.ask(coap.GET))[0] == "4.13"


# -- watching one


def test_who_watches_a_document_is_told(setup):
    path = setup.post()
    told = []
    watch = Observation(
        setup.peer.client,
        SERVER,
        uri_options(path),
        lambda response, now: told.append((dotted(response.code), cbor.decode(response.payload))),
    )
    watch.start(setup.lab.world.now)
    setup.lab.world.settle()
    setup.ask(coap.PUT, path, body=cbor.encode(DOCUMENT | {wire.NAME: "m"}))
    setup.lab.world.settle()
    setup.ask(coap.DELETE, path)
    setup.lab.world.settle()
    assert [code for code, _ in told] == ["2.05", "2.05", "4.04"]
    assert [document[wire.NAME] for _, document in told[:2]] == ["n", "m"]
    assert watch.over


def test_two_of_the_settings_for_one_ue_are_refused():
    with pytest.raises(ValueError, match="is there twice"):
        of_all_settings([METER, METER], "d")


# -- in bulk (TS 23.554, 8.1.4)


def fetch(setup, *queries):
    body = {wire.NUMBER: len(queries), wire.REQUESTS: [{wire.QUERY: query} for query in queries]}
    return setup.ask(coap.FETCH, body=cbor.encode(body), options=[(coap.CONTENT_FORMAT, coap.CBOR)])


def test_several_ues_are_asked_for_at_once(setup):
    code, told = fetch(setup, "ue-uri=urn:uuid:17", "ue-uri=urn:uuid:18", "ue-uri=nobody")
    assert code == "2.05" and told[wire.NUMBER] == 3
    for response in told[wire.RESPONSES]:
        assert (code, response[wire.DOCUMENTS]) == setup.ask(coap.GET, query=response[wire.QUERY])
    assert [len(one[wire.DOCUMENTS]) for one in told[wire.RESPONSES]] == [1, 1, 0]


def test_who_asks_for_too_much_leaves_room_for_the_others(setup, monkeypatch):
    monkeypatch.setattr(configuration_face, "_MOST_BODY", 1500)
    code, told = fetch(setup, "ue-uri=urn:uuid:17", *["ue-vendor=any"] * 3, "ue-uri=urn:uuid:18")
    assert code == "2.05"
    codes = [one.get(wire.CODE) for one in told[wire.RESPONSES]]
    assert codes[0] is None and codes[-1] is None and coap.REQUEST_ENTITY_TOO_LARGE in codes


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        cbor.encode([]),
        cbor.encode({wire.REQUESTS: []}),
        cbor.encode({wire.REQUESTS: [3]}),
        cbor.encode({wire.REQUESTS: [{wire.QUERY: 3}]}),
        cbor.encode({wire.REQUESTS: [{wire.QUERY: "x" * 513}]}),
        cbor.encode({wire.REQUESTS: [{wire.QUERY: "x"}] * 101}),
    ],
)
def test_no_list_of_questions(setup, body):
    code, told = setup.ask(coap.FETCH, body=body, options=[(coap.CONTENT_FORMAT, coap.CBOR)])
    assert code == "4.00" and told[wire.PROBLEM_DETAIL]
