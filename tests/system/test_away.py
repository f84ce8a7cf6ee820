"""Whoever is away gets its messages when it is back: UEs, boards, gateways, servers."""

import asyncio
import time

import pytest

from tests.system.processes import GATEWAY, until

UE, OTHER, AS = "ue@example.org", "other@example.org", "as@example.org"
SECOND_GATEWAY = "gateway-2@example.org"


async def test_a_message_to_a_ue_that_never_was_there_waits_for_it(place):
    gateway, server = await place.gateway_and_server()
    application_server = await place.application_server(server)
    message_id, status = await application_server.send("first", UE)
    assert status == "DELY_STORED"
    ue = await place.board(UE, gateway)
    await until(lambda: application_server.report_on(message_id), "report")
    assert ue.received() == ["first"]
    assert application_server.report_on(message_id).delivered


async def test_a_message_to_a_ue_that_has_de_registered_waits_for_it(place):
    gateway, server = await place.gateway_and_server()
    application_server = await place.application_server(server)
    ue, other = await asyncio.gather(place.board(UE, gateway), place.board(OTHER, gateway))
    await ue.deregister()
    await until(lambda: server.metrics()["ues"] == 2, "de-registered at the server")
    message_id, status = await application_server.send("from an AS", UE)
    assert status == "DELY_STORED"
    from_ue = await other.send("from a UE", ue=UE)
    await until(lambda: server.metrics()["store_messages"] == 2, "stored")
    assert ue.received() == []
    await ue.register()
    await other.state(from_ue, "delivered")
    await until(lambda: application_server.report_on(message_id), "report")
    assert sorted(ue.received()) == ["from a UE", "from an AS"]


async def test_a_board_that_is_killed_and_comes_back_takes_its_name_over(place):
    gateway, server = await place.gateway_and_server()
    application_server = await place.application_server(server)
    ue = await place.board(UE, gateway)
    await ue.kill()
    # Nobody knows yet that it is gone.
    message_id, status = await application_server.send("for later", UE)
    assert status is None
    back = await place.board(UE, gateway)
    await until(lambda: application_server.report_on(message_id), "report")
    assert back.received() == ["for later"]
    sent = await back.send("it is me", **{"as": AS})
    await back.state(sent, "delivered")
    assert gateway.metrics()["clients"] == 1


async def test_a_name_whose_holder_answers_is_not_given_away(place):
    gateway, server = await place.gateway_and_server(security="none")
    ue = await place.board(UE, gateway)
    thief = await place.board(UE, gateway, register=False)
    thief.tell("register")
    refused = await thief.wait(lambda event: event["event"] == "refused")
    assert refused["cause"] == "UE_SERVICE_ID_NOT_OWNED"
    application_server = await place.application_server(server)
    sent = await ue.send("still me", **{"as": AS})
    await ue.state(sent, "delivered")
    assert application_server.received() == ["still me"]


@pytest.mark.parametrize("silent", [True, False])
async def test_what_expires_is_reported_as_failed(place, silent):
    gateway, server = await place.gateway_and_server()
    application_server = await place.application_server(server)
    ue = await place.board(UE, gateway)
    if silent:
        # The gateway has to find out.
        await ue.kill()
    else:
        await ue.deregister()
        await until(lambda: server.metrics()["ues"] == 1, "de-registered at the server")
    message_id, _ = await application_server.send("too late", UE, expires=time.time() + 2)
    await until(lambda: application_server.report_on(message_id), "report")
    report = application_server.report_on(message_id)
    assert (report.delivered, report.cause) == (False, "EXPIRED")
    back = await place.board(UE, gateway)
    later, _ = await application_server.send("in time", UE)
    await until(lambda: application_server.report_on(later), "report")
    assert back.received() == ["in time"]


async def test_a_gateway_without_its_server_takes_messages_and_delivers_them_later(place):
    gateway, server = await place.gateway_and_server()
    application_server = await place.application_server(server)
    ue = await place.board(UE, gateway)
    await server.kill()
    sent = [await ue.send(f"message {number}", **{"as": AS}) for number in range(5)]
    for message_id in sent:
        await ue.state(message_id, "accepted")
    assert len(gateway.stored()) == 5
    await gateway.kill()
    await gateway.start()
    await server.start()
    for message_id in sent:
        await ue.state(message_id, "delivered")
    assert application_server.received() == [f"message {number}" for number in range(5)]


async def test_a_board_registers_when_the_server_is_there_at_last(place):
    gateway, server = await place.gateway_and_server()
    application_server = await place.application_server(server)
    await server.kill()
    ue = await place.board(UE, gateway, register=False)
    ue.tell("register")
    await asyncio.sleep(1)
    await server.start()
    await ue.wait(lambda event: event["event"] == "registered")
    sent = await ue.send("at last", **{"as": AS})
    await ue.state(sent, "delivered")
    assert application_server.received() == ["at last"]


async def test_an_application_server_that_is_away_gets_its_messages_when_it_is_back(place):
    gateway, server = await place.gateway_and_server()
    application_server = await place.application_server(server)
    ue = await place.board(UE, gateway)
    await application_server.stop()
    sent = await ue.send("for later", **{"as": AS})
    await ue.state(sent, "accepted")
    back = await place.application_server(server)
    await ue.state(sent, "delivered")
    assert back.received() == ["for later"]


async def test_a_ue_at_the_server_itself_works_both_ways(place):
    gateway, server = await place.gateway_and_server()
    application_server = await place.application_server(server)
    direct, behind = await asyncio.gather(place.board(UE, server), place.board(OTHER, gateway))
    up = await direct.send("up", **{"as": AS})
    across = await direct.send("across", ue=OTHER)
    back = await behind.send("back", ue=UE)
    down, _ = await application_server.send("down", UE)
    for board, message_id in ((direct, up), (direct, across), (behind, back)):
        await board.state(message_id, "delivered")
    await until(lambda: application_server.report_on(down), "report")
    assert application_server.received() == ["up"]
    assert sorted(direct.received()) == ["back", "down"] and behind.received() == ["across"]
    # It is off, and back, at another address.
    await direct.kill()
    later, _ = await application_server.send("later", UE)
    direct = await place.board(UE, server)
    await until(lambda: application_server.report_on(later), "report")
    assert direct.received() == ["later"]


async def test_a_ue_moves_from_one_gateway_to_the_other(place):
    server = await place.server(gateways=(GATEWAY, SECOND_GATEWAY))
    first = await place.gateway(server)
    second = await place.gateway(server, ue_service_id=SECOND_GATEWAY, name="gateway-2")
    application_server = await place.application_server(server)
    ue = await place.board(UE, first)
    before, _ = await application_server.send("at the first", UE)
    await until(lambda: application_server.report_on(before), "report")
    assert ue.received() == ["at the first"]
    await ue.kill()
    # What the first gateway has taken waits there, until it expires or the UE is back.
    held, _ = await application_server.send("held at the first", UE)
    await until(first.stored, "taken by the first gateway")
    moved = await place.board(UE, second)
    after, _ = await application_server.send("at the second", UE)
    await until(lambda: application_server.report_on(after), "report")
    assert moved.received() == ["at the second"]
    sent = await moved.send("from the second", **{"as": AS})
    await moved.state(sent, "delivered")
    assert application_server.received() == ["from the second"]
    assert second.metrics()["messages_down"] >= 1
    # And back again: the first still knows it from before.
    await moved.kill()
    again = await place.board(UE, first)
    last, _ = await application_server.send("back at the first", UE)
    await until(lambda: application_server.report_on(last), "report")
    await until(lambda: application_server.report_on(held), "report")
    assert sorted(again.received()) == ["back at the first", "held at the first"]


async def test_a_gateway_that_comes_back_finds_its_clients(place):
    gateway, server = await place.gateway_and_server()
    application_server = await place.application_server(server)
    ue = await place.board(UE, gateway)
    assert await gateway.end() == 0
    message_id, _ = await application_server.send("meanwhile", UE)
    await gateway.start()
    await until(lambda: application_server.report_on(message_id), "report")
    assert ue.received() == ["meanwhile"]
