"""The operator's page over HTTP: who gets in, what is shown, what is done."""

import asyncio
import json
import re

import pytest
from msgin5g.application import RegistrationRefused

from host_tools.gateway.page import streams
from host_tools.gateway.page.guard import COOKIE
from host_tools.serial_link import SerialPort
from tests.server.page_world import Site, until

UE, OTHER = "meter-1@example.org", "meter-2@example.org"
PAGES = ("/", "/messages", "/counters", "/enrol", f"/device?ue={UE}")


@pytest.fixture
async def site(tmp_path):
    site = await Site(tmp_path).start()
    yield site
    await site.stop()


@pytest.fixture
async def open_site(tmp_path):
    site = await Site(tmp_path, "none").start()
    yield site
    await site.stop()


def log_lines(capsys):
    return capsys.readouterr().out


# -- who gets in


async def test_without_a_session_there_is_the_login_and_nothing_else(site):
    for path in PAGES:
        answer = await site.http.get(path)
        assert (answer.status_code, answer.headers["location"], answer.text) == (303, "/login", ""), path
    login = await site.http.get("/login")
    assert login.status_code == 200 and str(site.directory) not in login.text
    for path in ("/revoked", "/flushed", "/de-registered", "/enrol", "/device.json", "/logout"):
        assert (await site.post(path, ue=UE)).status_code == 401
    assert (await site.http.get("/live/devices", headers={"Sec-Fetch-Mode": "cors"})).status_code == 401
    assert site.counters["page_not_logged_in"] == len(PAGES) + 7
    for path in ("/healthz", "/metrics", "/static/page.css"):
        assert (await site.http.get(path)).status_code == 200


async def test_the_api_takes_the_key_or_a_session_and_says_401_else(site):
    for headers in ({}, site.bearer("wrong"), {"Authorization": "Basic x"}):
        answer = await site.http.get("/api/state", headers=headers)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="msgin5g"')
    state = (await site.http.get("/api/state", headers=site.bearer())).json()
    assert state["uplink"]["registered"] is True and state["devices"]["enrolled"] == 0
    await site.log_in()
    assert (await site.http.get("/api/state")).status_code == 200


async def test_a_wrong_key_is_refused_counted_logged_and_after_five_they_have_to_wait(site, capsys):
    for _ in range(5):
        answer = await site.post("/login", key="wrong")
        assert answer.status_code == 401 and COOKIE not in answer.cookies
    answer = await site.post("/login", key=site.key)
    assert answer.status_code == 429 and int(answer.headers["retry-after"]) > 0
    assert (await site.http.get("/api/state", headers=site.bearer())).status_code == 429
    assert site.counters["page_wrong_keys"] == 5 and site.counters["page_too_many_wrong_keys"] == 2
    said = log_lines(capsys)
    assert said.count("wrong operator key") >= 5 and "too many wrong operator keys" in said


async def test_the_key_and_the_session_are_nowhere_to_be_read(site, capsys):
    answer = await site.log_in()
    cookie = answer.headers["set-cookie"]
    for flag in ("HttpOnly", "SameSite=strict", "Path=/", "Max-Age="):
        assert flag in cookie
    assert "Secure" not in cookie
    token = answer.cookies[COOKIE]
    shown = [(await site.http.get(path)).text for path in PAGES[:4]]
    shown += [(await site.http.get(path)).text for path in ("/metrics", "/api/state")]
    for text in (*shown, log_lines(capsys)):
        assert site.key not in text and token not in text


async def test_logout_ends_the_session_not_only_the_cookie(site):
    token = (await site.log_in()).cookies[COOKIE]
    assert (await site.http.get("/")).status_code == 200
    assert (await site.post("/logout")).headers["location"] == "/login"
    answer = await site.http.get("/", headers={"Cookie": f"{COOKIE}={token}"})
    assert answer.status_code == 303


async def test_what_comes_from_another_site_is_refused_and_counted(site):
    await site.log_in()
    await site.registered(UE)
    own = site.url
    for headers in (
        {},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": own, "Sec-Fetch-Site": "cross-site"},
        {"Origin": own, "Sec-Fetch-Site": "same-site"},
        {"Origin": own + "1"},
        {"Sec-Fetch-Site": "none"},
    ):
        for path in ("/revoked", "/login"):
            answer = await site.post(path, headers=headers, ue=UE)
            assert answer.status_code == 403, headers
    assert site.counters["page_cross_site_refused"] == 14
    assert site.process.gateway.registry.get(UE)
    answer = await site.post(
        "/de-registered", headers={"Origin": own, "Sec-Fetch-Site": "same-origin"}, ue=UE
    )
    assert answer.status_code == 303


async def test_a_form_that_is_too_long_is_refused(site):
    assert (await site.post("/login", key="x" * 5000)).status_code == 413

    async def chunks():
        yield b"key=x"

    answer = await site.http.post("/login", content=chunks(), headers={"Origin": site.url})
    assert answer.status_code == 413


async def test_every_answer_keeps_others_out(site):
    await site.log_in()
    for path in (*PAGES, "/login", "/static/page.css", "/metrics", "/nowhere", "/api/state"):
        headers = (await site.http.get(path)).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "script-src 'self'" in policy and "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff" and headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cache-control"] == ("no-cache" if path.startswith("/static") else "no-store")


async def test_pages_have_no_script_or_style_of_their_own(site):
    await site.registered(UE)
    await site.log_in()
    for path in (*PAGES, "/nowhere"):
        text = (await site.http.get(path)).text
        assert not re.search(
            r"<script(?! src=)|<style|\sstyle=|\son\w+=|javascript:|https?://(?!127)", text
        ), path


# -- what is shown


async def test_a_device_from_enrolled_to_delivered_to(site):
    await site.log_in()
    page = (await site.http.get("/")).text
    assert "enrol the first one" in page
    await site.registered(UE)
    other = await site.registered(OTHER)
    sent = await other.send("on", ue=UE, report=False)
    await sent.accepted()
    await until(lambda: site.process.watch.times["down"], "delivered")
    page = (await site.http.get("/")).text
    assert "2</p>\n    <p>registered of 2 enrolled" in page
    assert len(re.findall(r'class="pill registered">registered</span></td>', page)) == 2
    assert re.search(r"UDP 127\.0\.0\.1:\d+", page)
    page = (await site.http.get("/messages")).text
    assert page.count(sent.message_id) == 4 and "delivered" in page
    assert (await site.http.get("/device", params={"ue": UE})).text.count(sent.message_id) == 2
    assert re.search(r'title="messages_up">messages up</dt><dd>1<', (await site.http.get("/counters")).text)


async def test_messages_are_filtered(site):
    await site.log_in()
    await site.registered(UE)
    other = await site.registered(OTHER)
    await (await other.send("on", ue=UE, report=False)).accepted()
    await until(lambda: site.process.watch.times["down"], "delivered")

    async def rows(**query):
        return re.findall(
            r'id="seen-\d+" class="(\w+)"', (await site.http.get("/messages", params=query)).text
        )

    assert set(await rows(direction="up")) == {"up"} and set(await rows(direction="down")) == {"down"}
    assert set(await rows(kind="event")) == {"event"} and await rows(kind="IMDN") == []
    assert await rows(search="nobody") == [] and len(await rows(search="METER-2", kind="MSG")) == 4
    assert "Nothing of that kind" in (await site.http.get("/messages?search=%25")).text


async def test_devices_are_searched_by_name_and_state_and_come_in_pages(site):
    await site.log_in()
    devices = [f"ue-{number:03}@example.org" for number in range(60)]
    with site.devices() as registry:
        for ue in devices:
            with registry.enrol(ue):
                pass
        registry.revoke(devices[5])
    site.process.contexts.look()
    await site.registered("ue_1@example.org")

    async def names(**query):
        page = (await site.http.get("/", params=query)).text
        return re.findall(r"<bdi>([^<]*)</bdi>", page), re.findall(r'href="(/\?[^"]+)">Next', page)

    first, following = await names()
    assert first == devices[:50] and len(following) == 1
    page = (await site.http.get(following[0].replace("&amp;", "&"))).text
    assert re.findall(r"<bdi>([^<]*)</bdi>", page) == [*devices[50:], "ue_1@example.org"]
    assert (await names(search="e_1"))[0] == ["ue_1@example.org"]
    assert (await names(search="%"))[0] == []
    assert (await names(state="revoked"))[0] == [devices[5]]
    assert (await names(state="registered"))[0] == ["ue_1@example.org"]
    assert len((await names(state="never seen"))[0]) == 50
    assert (await names(state="nothing like it"))[0] == [] == (await names(after="zzz"))[0]


async def test_serial_ports_are_shown_with_what_is_wrong_with_them(site, monkeypatch):
    assert "Serial ports" not in (await _devices_page(site))
    closed = SerialPort("/dev/<b>tty", 9600)
    monkeypatch.setattr(site.process.field, "status", lambda: [closed.status() | {"broken": 3}])
    text = await _devices_page(site)
    assert "/dev/&lt;b&gt;tty" in text and "client, 9,600 baud" in text and "never heard" in text
    assert '<span class="pill revoked">missing</span>' in text and "3 broken" in text


async def _devices_page(site):
    await site.log_in()
    return (await site.http.get("/")).text


async def test_names_are_text_whatever_is_in_them(open_site, capsys):
    site = open_site
    await site.log_in()
    # No name has control characters, so none ends a line of a log.
    with pytest.raises(RegistrationRefused, match="INVALID_IE"):
        await site.registered("ue\n2026-11-22 [warning] revoked ue=other")
    name = "</td><script>alert(1)</script>\"' [warning] \u202e\x85\x7f{{ 7 * 7 }}"
    await site.registered(name)
    for path in ("/", "/messages", "/device"):
        text = (await site.http.get(path, params={"ue": name})).text
        assert "<script>alert" not in text and "&lt;script&gt;alert(1)" in text and "{{ 7 * 7 }}" in text, (
            path
        )
    (event,) = await site.events("/live/devices", 1)
    assert "<script>alert" not in event and "&lt;script&gt;" in event
    said = log_lines(capsys)
    assert "<script>alert(1)" in said and "\u202e" not in said and "\x85" not in said and "\x7f" not in said


async def test_half_a_character_breaks_no_page(open_site):
    site = open_site
    await site.log_in()
    half = {"cause": "half \ud800 of one"}
    site.process.watch.on_event("client refused", half)
    assert "half ? of one" in (await site.http.get("/messages")).text
    events = asyncio.create_task(site.events("/api/events", 1))
    await until(lambda: len(site.page._streams), "watched")
    site.process.watch.on_event("client refused", half)
    assert json.loads((await events)[0])["detail"] == "cause half \ud800 of one"


async def test_a_gateway_without_protection_says_what_cannot_be_done(open_site):
    site = open_site
    await site.log_in()
    await site.registered(UE)
    page = (await site.http.get("/")).text
    assert "not protected" in page and "Enrol a device" not in page
    answer = await site.post("/revoked", ue=UE)
    assert answer.status_code == 409 and "security is" in answer.text
    assert (await site.post("/enrol", ue=OTHER)).status_code == 409


# -- while one looks


async def test_the_page_goes_on_by_itself_with_what_has_changed(site):
    await site.log_in()
    stream = asyncio.create_task(site.events("/live/devices?search=meter", 2))
    await until(lambda: len(site.page._streams), "watched")
    await site.registered(UE)
    first, second = await stream
    assert first.count("<hx-partial") == 3 and UE not in first
    assert 'hx-target="#table"' in second and UE in second


async def test_a_stream_ends_with_its_session_and_streams_are_bounded(site, monkeypatch):
    await site.log_in()
    monkeypatch.setattr(streams, "MOST_STREAMS", 1)
    async with site.http.stream("GET", "/live/messages") as stream:
        lines = stream.aiter_lines()
        assert await anext(lines)
        assert (await site.http.get("/api/events")).status_code == 503
        await site.post("/logout")
        async for _ in lines:
            pass
    await until(lambda: not len(site.page._streams), "over")


async def test_events_for_programs(site):
    events = asyncio.create_task(site.events("/api/events", 2, site.bearer()))
    await until(lambda: len(site.page._streams), "watched")
    one = await site.registered(UE)
    await (await one.send("on", ue=UE, report=False)).accepted()
    registered, stored = map(json.loads, await events)
    assert (registered["word"], registered["ue"], registered["direction"]) == ("client registered", UE, None)
    assert (stored["word"], stored["kind"], stored["peer"], stored["direction"]) == (
        "stored",
        "MSG",
        UE,
        "up",
    )


async def test_there_is_no_such_page(site):
    await site.log_in()
    assert (await site.http.get("/live/nothing")).status_code == 404
    assert (await site.http.get("/device?ue=nobody")).status_code == 404
    assert (await site.http.get("/static/../page.py")).status_code == 404


# -- what is done


async def test_a_device_is_enrolled_and_its_key_can_be_had_once(site, capsys):
    await site.log_in()
    answer = await site.post("/enrol", ue=UE, address="192.0.2.1:5683")
    (ticket,) = re.findall(r'name="ticket" value="([^"]+)"', answer.text)
    file = await site.post("/device.json", ticket=ticket)
    device = file.json()
    assert (device["ue_service_id"], device["gateway"]) == (UE, "192.0.2.1:5683")
    assert file.headers["content-disposition"] == 'attachment; filename="device.json"'
    assert file.headers["cache-control"] == "no-store"
    secret = device["oscore"]["master_secret"]
    again = await site.post("/device.json", ticket=ticket)
    assert again.status_code == 410 and (await site.post("/device.json", ticket="")).status_code == 410
    shown = [answer.text, again.text, log_lines(capsys)]
    shown += [(await site.http.get(path)).text for path in PAGES]
    assert not [text for text in shown if secret in text]


async def test_what_cannot_be_enrolled_is_said_in_the_form(site):
    await site.log_in()
    await site.enrolled(UE)
    for ue, where, said in (
        (UE, "", "is enrolled already; for another key revoke it first"),
        ("", "", "1 to 255 characters"),
        ("x" * 256, "", "1 to 255 characters"),
        ("ue\n2026-11-22 [warning] revoked", "", "no control characters"),
        ("ue\0", "", "no control characters"),
        (OTHER, "no port:x", "expected host:port"),
        (site.process.settings.ue_service_id, "", "is the one that devices are enrolled at"),
    ):
        answer = await site.post("/enrol", ue=ue, address=where)
        assert answer.status_code == 409 and said in answer.text
    assert site.process.store.rows("SELECT count(*) FROM devices")[0][0] == 1


async def test_a_revoked_device_is_refused_at_once(site, capsys):
    await site.log_in()
    ue = await site.registered(UE)
    answer = await site.post("/revoked", ue=UE)
    assert answer.status_code == 303
    page = (await site.http.get(answer.headers["location"])).text
    assert "Its key is refused from now on" in page and 'class="pill revoked"' in page
    await until(lambda: site.process.gateway.registry.get(UE) is None, "expelled")
    await ue.send("on", ue=OTHER, report=False)
    await until(lambda: site.counters["down_oscore_revoked"], "refused")
    assert (await site.post("/revoked", ue=UE)).status_code == 409
    assert (await site.post("/revoked", ue="nobody")).status_code == 409
    assert "by the operator" in log_lines(capsys)


async def test_a_device_is_deregistered_here_and_at_the_server(site):
    await site.log_in()
    await site.registered(UE)
    server = site.lab.server
    await until(lambda: server.snapshot()["ues"] == 2, "at the server")
    assert (await site.post("/de-registered", ue=UE)).status_code == 303
    assert site.process.gateway.registry.get(UE) is None
    await until(lambda: server.snapshot()["ues"] == 1, "gone at the server")
    assert (await site.post("/de-registered", ue=UE)).status_code == 409


async def test_a_queue_is_flushed_and_the_sender_is_told(site):
    await site.log_in()
    away = await site.registered(UE)
    sender = await site.registered(OTHER)
    away.close()
    sent = [await sender.send(str(number), ue=UE, report=True) for number in range(3)]
    for one in sent:
        await one.accepted()
    await until(lambda: site.counters["messages_down"] == 3, "at the gateway")
    page = (await site.http.get("/device", params={"ue": UE})).text
    assert re.search(r"Waiting for it</dt><dd>3 ", page)
    assert (await site.post("/flushed", ue=UE)).status_code == 303
    assert site.counters["flushed"] == 2
    assert [await one.delivered() for one in sent[1:]] == [False, False]
