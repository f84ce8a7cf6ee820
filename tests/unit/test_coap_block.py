# Block-wise transfer: RFC 7959, in both roles, with limits.

from coap_pair import A, B, Pair, body, path_options
from msgin5g.coap import block
from msgin5g.coap import numbers as n
from msgin5g.coap.endpoint import CANCELLED, UNUSABLE, Full
from msgin5g.coap.message import ABSENT, encode, encode_options
from msgin5g.coap.server_blocks import Bodies, append

BIG = body(5000)


def serving(pair, get=None):
    # A server that keeps what is posted to x, and gives `get` for a GET.
    posted = []

    def on_post(request, now):
        posted.append(request.payload)
        pair.server.respond(request, n.CHANGED, now)

    def on_get(request, now):
        pair.server.respond(request, n.CONTENT, now, get() if callable(get) else get, n.OCTET_STREAM)

    pair.server.add("x", n.POST, on_post)
    pair.server.add("x", n.GET, on_get)
    return posted


# -- arithmetic


def test_the_value_of_a_block_option():
    # RFC 7959, 2.2
    assert block.value(0, False, 0) == 0
    assert block.value(1, True, 6) == 0x1E
    assert block.value(block.MOST_BLOCKS - 1, True, 6) == 0xFFFFFE
    for value in (0, 0x1E, 0x2F0, 0xFFFFFE):
        assert block.value(block.number(value), block.more(value), block.szx(value)) == value
    assert [block.size(szx) for szx in range(7)] == [16, 32, 64, 128, 256, 512, 1024]


def test_the_block_that_fits():
    # With 96 octets around it.
    sizes = (5, 112, 127, 128, 250, 1119, 1120, 5000)
    # With 96 octets around it.
    sizes = (5, 112, 127, 128, 250, 1119, 1120, 5000)
    assert [block.szx_for(octets) for octets in sizes] == [0, 0, 0, 1, 3, 5, 6, 6]


def test_cut():
    assert block.cut(b"", 0, 0) == (b"", False)
    assert block.cut(b"a" * 16, 0, 0) == (b"a" * 16, False)
    assert block.cut(b"a" * 17, 0, 0) == (b"a" * 16, True)
    assert block.cut(b"a" * 17, 1, 0) == (b"a", False)
    assert block.cut(b"a" * 16, 1, 0) == (None, False)
    assert block.cut(b"", 1, 0) == (None, False)
    assert block.cut(b"a", block.MOST_BLOCKS - 1, 6) == (None, False)


def test_append():
    def tried(held, number, more, szx, size, most=100):
        return append(bytearray(held), block.value(number, more, szx), bytes(size), most)

    assert tried(0, 0, True, 0, 16) is None
    assert tried(16, 1, False, 0, 5) is None
    assert tried(16, 1, False, 0, 0) is None
    assert tried(16, 2, True, 0, 16) == n.REQUEST_ENTITY_INCOMPLETE
    assert tried(16, 0, True, 0, 16) == n.REQUEST_ENTITY_INCOMPLETE
    assert tried(96, 6, False, 0, 5) == n.REQUEST_ENTITY_TOO_LARGE
    assert tried(0, 0, True, 0, 15) == n.BAD_REQUEST
    assert tried(0, 0, False, 0, 17) == n.BAD_REQUEST
    assert tried(0, 0, False, 7, 5) == n.BAD_REQUEST


def test_bodies_are_bounded_in_number_and_time():
    bodies = Bodies(2, 1000)
    assert bodies.put("a", 1, 0) and bodies.put("b", 2, 500)
    assert not bodies.put("c", 3, 900)
    assert bodies.get("a", 900) == 1
    assert bodies.put("b", 4, 900)
    assert bodies.put("c", 5, 1900)
    assert len(bodies) == 1 and bodies.expired == 2
    assert bodies.get("a", 1900) is None and bodies.get("c", 1900) == 5
    assert bodies.sweep(1950) == 2900
    assert bodies.sweep(2900) is None and len(bodies) == 0


# -- both roles together


def test_upload():
    for size in (1024, 1025, 2048, 5000):
        pair = Pair(server={"most_body": 5000})
        posted = serving(pair)
        assert pair.ask(n.POST, payload=body(size)).code == n.CHANGED
        assert posted == [body(size)]
        sent = [message for message in pair.wire.sent(A) if message.type == n.CON]
        assert len(sent) == (size + 1023) // 1024
        if size > 1024:
            assert sent[0].size1 == size and sent[0].block1 == 0x0E
            assert not block.more(sent[-1].block1)
            answers = pair.wire.sent(B)
            assert [answer.code for answer in answers[:-1]] == [n.CONTINUE] * (len(sent) - 1)
            assert answers[-1].block1 == sent[-1].block1


def test_download():
    for size in (0, 1024, 1025, 2048, 5000):
        pair = Pair(client={"most_body": 5000})
        serving(pair, body(size))
        response = pair.ask(n.GET)
        assert response.code == n.CONTENT and response.payload == body(size)
        assert response.content_format == n.OCTET_STREAM
        answers = pair.wire.sent(B)
        assert len(answers) == max(1, (size + 1023) // 1024)
        if size > 1024:
            assert answers[0].size2 == size and len(answers[0].etag) == 4
            assert {answer.etag for answer in answers} == {answers[0].etag}


def test_upload_and_download_in_one_request():
    pair = Pair(server={"most_body": 5000}, client={"most_body": 5000})
    times = []

    def echo(request, now):
        times.append(now)
        pair.server.respond(request, n.CHANGED, now, bytes(reversed(request.payload)), n.OCTET_STREAM)

    pair.server.add("x", n.POST, echo)
    response = pair.ask(n.POST, payload=BIG)
    assert response.code == n.CHANGED and response.payload == bytes(reversed(BIG))
    assert len(times) == 1


def test_through_loss_duplication_and_reordering():
    for seed in range(1, 9):
        # With so much loss MAX_RETRANSMIT of 4 gives up now and then.
        faults = {"loss": 20, "duplication": 20, "jitter": 3000}
        pair = Pair(
            {"max_retransmit": 8}, seed=seed, server={"most_body": 5000}, client={"most_body": 5000}, **faults
        )
        posted = serving(pair, BIG)
        assert pair.ask(n.POST, payload=BIG).code == n.CHANGED, seed
        assert posted == [BIG]
        assert pair.ask(n.GET).payload == BIG, seed


def test_non_confirmable():
    pair = Pair(server={"most_body": 5000}, client={"most_body": 5000})
    posted = serving(pair, BIG)
    assert pair.ask(n.POST, payload=BIG, confirmable=False).code == n.CHANGED
    assert pair.ask(n.GET, confirmable=False).payload == BIG
    assert posted == [BIG]
    assert {message.type for message in pair.wire.sent(A)} == {n.NON}


def test_a_deferred_response():
    pair = Pair(server={"most_body": 5000})
    held = []
    pair.server.add("x", n.POST, lambda request, now: held.append(request))
    responses = pair.request(n.POST, payload=BIG)
    pair.run(60000, until=lambda: held)
    pair.run(5000)
    assert held[0].payload == BIG and not responses
    pair.server.respond(held[0], n.CHANGED, pair.now(), b"late")
    pair.run(5000)
    assert responses[0].payload == b"late"


def test_the_client_asks_for_blocks_of_its_size():
    pair = Pair(client={"szx": 2, "most_body": 5000})
    serving(pair, BIG)
    assert pair.ask(n.GET).payload == BIG
    assert {len(answer.payload) for answer in pair.wire.sent(B)} == {64, 5000 % 64}


def test_the_server_answers_in_blocks_of_its_size():
    pair = Pair(server={"szx": 1})
    serving(pair, BIG[:1000])
    assert pair.ask(n.GET).payload == BIG[:1000]
    assert max(len(answer.payload) for answer in pair.wire.sent(B)) == 32


def test_the_client_changes_to_the_servers_block_size():
    pair = Pair(server={"szx": 3, "most_body": 5000})
    posted = serving(pair)
    assert pair.ask(n.POST, payload=BIG).code == n.CHANGED
    assert posted == [BIG]
    sizes = [len(message.payload) for message in pair.wire.sent(A)]
    assert sizes[0] == 1024 and set(sizes[1:-1]) == {128}


def test_4_13_with_a_smaller_block_starts_again_with_that():
    pair = Pair(server={"most_body": 5000})
    posted = serving(pair)
    original = pair.b.on_request

    def small_blocks_only(request, message, now):
        if len(message.payload()) > 256:
            options = encode_options([(n.BLOCK1, block.value(0, False, 4))])
            pair.b.respond(request, n.REQUEST_ENTITY_TOO_LARGE, options, b"", now)
        else:
            original(request, message, now)

    pair.b.on_request = small_blocks_only
    assert pair.ask(n.POST, payload=BIG).code == n.CHANGED
    assert pair.ask(n.POST, payload=BIG[:1000]).code == n.CHANGED
    assert posted == [BIG, BIG[:1000]]


def test_uploads_to_one_resource_go_one_after_another():
    pair = Pair({"nstart": 4}, server={"most_body": 5000})
    posted = serving(pair)
    all_responses = [pair.request(n.POST, payload=BIG[:size]) for size in (3000, 4000, 5000, 10)]
    pair.run()
    assert [responses[0].code for responses in all_responses] == [n.CHANGED] * 4
    assert sorted([len(payload) for payload in posted]) == [10, 3000, 4000, 5000]
    for payload in posted:
        assert payload == BIG[: len(payload)]


def test_uploads_to_different_resources_go_side_by_side():
    pair = Pair({"nstart": 4}, server={"most_body": 5000})
    pair.server.add("x", n.POST, lambda request, now: None)
    pair.server.add("y", n.POST, lambda request, now: None)
    pair.request(n.POST, "x", BIG)
    pair.request(n.POST, "y", BIG)
    pair.wire.collect()
    assert len(pair.wire.sent(A)) == 2


def test_waiting_uploads_are_bounded_and_can_be_cancelled():
    pair = Pair({"most_waiting": 3}, server={"most_body": 5000})
    posted = serving(pair)
    ends = []
    transfers = []

    def on_response(response, now):
        ends.append(response.how)

    def start(payload):
        transfers.append(pair.client.request(B, n.POST, path_options("x"), payload, on_response, pair.now()))

    for _ in range(3):
        start(BIG)
    try:
        start(BIG)
        raise AssertionError("taken")
    except Full:
        pass
    transfers[1].cancel(pair.now())
    transfers[0].cancel(pair.now())
    assert ends == [CANCELLED, CANCELLED]
    pair.run()
    assert len(ends) == 3 and len(posted) == 1


# -- the server's limits


class Script:
    # A peer that sends what it likes.
    def __init__(self, **options):
        self.pair = Pair(**options)
        self.posted = serving(self.pair, BIG)
        self.mid = 0

    def ask(self, code=n.POST, options=(), payload=b"", path="x", address="scripted"):
        self.mid += 1
        encoded = encode_options(path_options(path) + list(options))
        datagram = encode(n.CON, code, self.mid, b"t", encoded, payload)
        self.pair.b.receive(datagram, len(datagram), address, self.pair.now())
        self.pair.wire.collect()
        return self.pair.wire.sent(B)[-1]

    def block1(self, number, more=True, szx=0, size=None, options=(), **rest):
        payload = bytes(block.size(szx) if size is None else size)
        return self.ask(n.POST, [(n.BLOCK1, block.value(number, more, szx))] + list(options), payload, **rest)


def test_a_body_that_is_too_large_in_one_datagram():
    script = Script(server={"most_body": 100})
    answer = script.ask(payload=bytes(101))
    assert answer.code == n.REQUEST_ENTITY_TOO_LARGE and answer.size1 == 100


def test_a_body_that_is_announced_too_large():
    script = Script(server={"most_body": 100})
    answer = script.block1(0, options=[(n.SIZE1, 101)])
    assert answer.code == n.REQUEST_ENTITY_TOO_LARGE and answer.size1 == 100
    assert len(script.pair.server.blocks().uploads) == 0


def test_an_endless_upload_ends_and_leaves_nothing():
    script = Script(server={"most_body": 100})
    for number in range(6):
        assert script.block1(number).code == n.CONTINUE
    answer = script.block1(6)
    assert answer.code == n.REQUEST_ENTITY_TOO_LARGE and answer.size1 == 100
    assert len(script.pair.server.blocks().uploads) == 0
    assert script.block1(7).code == n.REQUEST_ENTITY_INCOMPLETE


def test_an_upload_that_begins_again_for_ever_holds_one_body():
    script = Script(server={"most_body": 100})
    for _ in range(100):
        assert script.block1(0).code == n.CONTINUE
    assert len(script.pair.server.blocks().uploads) == 1


def test_blocks_out_of_order_are_incomplete():
    script = Script()
    assert script.block1(1).code == n.REQUEST_ENTITY_INCOMPLETE
    assert script.block1(0).code == n.CONTINUE
    assert script.block1(2).code == n.REQUEST_ENTITY_INCOMPLETE
    assert script.block1(1).code == n.REQUEST_ENTITY_INCOMPLETE
    assert script.posted == []


def test_the_content_format_may_not_change_between_blocks():
    script = Script()
    assert script.block1(0, options=[(n.CONTENT_FORMAT, 50)]).code == n.CONTINUE
    assert script.block1(1, more=False, options=[(n.CONTENT_FORMAT, 60)]).code == n.REQUEST_ENTITY_INCOMPLETE


def test_a_block_that_is_not_full_is_a_bad_request():
    script = Script()
    assert script.block1(0, size=15).code == n.BAD_REQUEST
    assert script.block1(0, more=False, size=17).code == n.BAD_REQUEST


def test_the_reserved_size_is_a_bad_request():
    script = Script()
    assert script.ask(n.POST, [(n.BLOCK1, 0x0F)], bytes(1024)).code == n.BAD_REQUEST
    assert script.ask(n.GET, [(n.BLOCK2, 0x07)]).code == n.BAD_REQUEST


def test_uploads_are_bounded_in_number_and_given_up_in_time():
    script = Script(server={"most_transfers": 2})
    assert script.block1(0, address="p1").code == n.CONTINUE
    assert script.block1(0, address="p2").code == n.CONTINUE
    assert script.block1(0, address="p3").code == n.SERVICE_UNAVAILABLE
    # One block alone needs no place.
    assert script.block1(0, more=False, size=5, address="p3").code == n.CHANGED
    # MAX_TRANSMIT_WAIT: until then the next block may be on its way again and again.
    script.pair.run(92000)
    assert len(script.pair.server.blocks().uploads) == 2
    script.pair.run(2000)
    assert len(script.pair.server.blocks().uploads) == 0
    assert script.block1(1, address="p1").code == n.REQUEST_ENTITY_INCOMPLETE
    assert script.block1(0, address="p3").code == n.CONTINUE


def test_two_peers_upload_to_one_resource():
    script = Script()
    for number in range(3):
        for address in ("p1", "p2"):
            code = script.block1(number, more=number < 2, address=address).code
            assert code == (n.CONTINUE if number < 2 else n.CHANGED)
    assert script.posted == [bytes(48)] * 2


def test_a_block_beyond_the_end():
    script = Script()
    assert script.ask(n.GET, [(n.BLOCK2, block.value(400, False, 0))]).code == n.BAD_OPTION


def test_a_later_block_is_cut_from_the_same_body():
    pair = Pair(client={"most_body": 5000})
    states = [body(3000), body(4000), body(5000)]
    rendered = []

    def render():
        rendered.append(1)
        return states[len(rendered) - 1]

    serving(pair, render)
    assert pair.ask(n.GET).payload == states[0]
    assert len(rendered) == 1


def test_without_room_to_keep_the_body_the_etag_tells_that_it_has_changed():
    pair = Pair(server={"most_transfers": 0}, client={"most_body": 5000})
    states = [bytes(3000), body(3000)]
    calls = []

    def render():
        calls.append(1)
        return states[min(len(calls), 2) - 1]

    serving(pair, render)
    assert pair.ask(n.GET).payload == states[1]


def test_a_later_block_of_a_post_whose_body_is_gone_is_not_done_again():
    script = Script()
    assert script.ask(n.POST, [(n.BLOCK2, block.value(1, False, 0))]).code == n.REQUEST_ENTITY_INCOMPLETE
    assert script.posted == []


def test_an_error_is_not_cut_into_blocks():
    pair = Pair()
    pair.server.add("x", n.GET, lambda request, now: pair.server.respond(request, n.NOT_FOUND, now, b"no"))
    script = Script()
    script.pair = pair
    for number in (0, 3):
        answer = script.ask(n.GET, [(n.BLOCK2, block.value(number, False, 0))])
        assert answer.code == n.NOT_FOUND and answer.payload == b"no" and answer.block2 == ABSENT


# -- the client's limits: a server that sends what it likes


def against(answer, code=n.GET, payload=b"", **client):
    # answer(number of the request) -> (code, options, payload); the client's response, and how often it asked
    pair = Pair(client=client)
    count = []

    def on_request(request, message, now):
        count.append(1)
        assert len(count) < 50, "endless"
        response_code, options, octets = answer(len(count) - 1)
        pair.b.respond(request, response_code, encode_options(options), octets, now)

    pair.b.on_request = on_request
    return pair.ask(code, payload=payload), len(count)


def test_a_response_that_is_too_large():
    response, count = against(
        lambda at: (n.CONTENT, [(n.BLOCK2, block.value(at, True, 0))], bytes(16)), most_body=100
    )
    assert response.how == UNUSABLE and response.code is None and count == 7


def test_the_first_block_again_and_again():
    response, count = against(lambda at: (n.CONTENT, [(n.BLOCK2, block.value(0, True, 0))], bytes(16)))
    assert response.how == UNUSABLE and count == 2


def test_empty_blocks_for_ever():
    response, count = against(lambda at: (n.CONTENT, [(n.BLOCK2, block.value(0, True, 0))], b""))
    assert response.how == UNUSABLE and count == 1


def test_a_response_that_begins_in_the_middle():
    response, count = against(lambda at: (n.CONTENT, [(n.BLOCK2, block.value(3, False, 0))], bytes(16)))
    assert response.how == UNUSABLE and count == 1


def test_the_reserved_size_in_a_response():
    response, count = against(lambda at: (n.CONTENT, [(n.BLOCK2, block.value(0, False, 7))], bytes(16)))
    assert response.how == UNUSABLE and count == 1


def test_a_body_that_changes_all_the_time():
    def answer(at):
        # Two requests for each try.
        return n.CONTENT, [(n.BLOCK2, block.value(at & 1, True, 0)), (n.ETAG, bytes([at]))], bytes(16)

    response, count = against(answer)
    assert response.how == UNUSABLE and count == 8
    # A POST is not done again.
    response, count = against(answer, n.POST)
    assert response.how == UNUSABLE and count == 2


def test_a_server_that_makes_its_blocks_smaller_on_the_way():
    whole = body(96)

    def answer(at):
        start, szx = ((0, 2), (64, 0), (80, 0))[at]
        number = start >> (szx + 4)
        more = start + block.size(szx) < 96
        return n.CONTENT, [(n.BLOCK2, block.value(number, more, szx))], whole[start : start + block.size(szx)]

    response, count = against(answer)
    assert response.payload == whole and count == 3


def test_a_refusal_in_the_middle_of_an_upload():
    codes = [n.CONTINUE, n.CONTINUE, n.REQUEST_ENTITY_INCOMPLETE]
    response, count = against(
        lambda at: (codes[at], [(n.BLOCK1, block.value(at, True, 6))], b""), n.POST, payload=BIG
    )
    assert response.code == n.REQUEST_ENTITY_INCOMPLETE and count == 3


def test_a_server_that_answers_4_13_for_ever():
    response, count = against(
        lambda at: (n.REQUEST_ENTITY_TOO_LARGE, [(n.BLOCK1, block.value(0, False, 0))], b""),
        n.POST,
        payload=BIG,
    )
    assert response.code == n.REQUEST_ENTITY_TOO_LARGE and count == 2
