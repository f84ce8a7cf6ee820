"""MSGS_ASRegistration (TS 29.538; TS 23.554, 8.2.5 and 8.2.6)."""

import pytest

REGISTRATIONS = "/msgs-asregistration/v1/registrations"
FULL = {
    "asSvcId": "as1",
    "appId": "app",
    "targetUri": "https://as.example:8443/in?x=1",
    "asProf": {
        "appName": "meters",
        "appProviders": ["p"],
        "appSenarios": ["s"],
        "appCategory": "c",
        "asStatus": "up",
    },
}


async def test_register_and_deregister(server, problem):
    response = await server.post(REGISTRATIONS, FULL)
    assert response.status_code == 201
    assert response.headers["content-type"] == "application/json"
    location = response.headers["location"]
    assert location.startswith("http://server.example" + REGISTRATIONS + "/")
    assert response.json() == {"asSvcId": "as1", "result": {"status": 201, "title": "Created"}}
    assert server.commits == 1
    assert server.callback.reachable("as1") and server.callback.known("as1")

    response = await server.client.delete(location)
    assert response.status_code == 204 and response.content == b""
    assert server.commits == 2
    assert not server.callback.known("as1")
    problem(await server.client.delete(location), 404, "REGISTRATION_NOT_FOUND")
    assert server.face.counters["registrations"] == server.face.counters["deregistrations"] == 1


async def test_a_configured_root_is_in_location(make_server):
    server = make_server(api_root="https://msgin5g.example")
    assert (await server.register()).headers["location"].startswith("https://msgin5g.example/msgs-as")


async def test_registering_again_replaces(server, problem):
    first = (await server.register(target="http://a.example")).headers["location"]
    second = (await server.register(target="http://b.example")).headers["location"]
    assert first != second and len(server.application_servers) == 1
    assert str(server.application_servers.target("as1")) == "http://b.example"
    problem(await server.client.delete(first), 404, "REGISTRATION_NOT_FOUND")
    assert (await server.client.delete(second)).status_code == 204


async def test_without_target_uri_it_is_known_but_not_reachable(server):
    assert (await server.post(REGISTRATIONS, {"asSvcId": "as1"})).status_code == 201
    assert server.callback.known("as1") and not server.callback.reachable("as1")


async def test_somebody_elses_service_id(server, problem, tokens):
    problem(await server.post(REGISTRATIONS, {"asSvcId": "as1"}, tokens["as2"]), 403, "NOT_AUTHORIZED")
    problem(await server.post(REGISTRATIONS, {"asSvcId": "as1"}, tokens["gateway"]), 403, "NOT_AUTHORIZED")
    assert len(server.application_servers) == 0 and server.commits == 0


async def test_somebody_elses_registration(server, problem, tokens):
    location = (await server.register("as1")).headers["location"]
    for who in ("as2", "gateway"):
        response = await server.client.delete(location, headers={"Authorization": f"Bearer {tokens[who]}"})
        problem(response, 403, "NOT_AUTHORIZED")
    assert len(server.application_servers) == 1


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "as.example/in",
        "/in",
        "ftp://as.example/",
        "http:///in",
        "http://",
        "http://user:password@as.example/",
        "http://user@as.example/",
        "http://as.example/#fragment",
        "http://as.example:99999/",
        "http://as.example:port/",
        "http://[::1/",
        "http://as.example/\n",
        "http://as.example/" + "x" * 2048,
        "unix:/run/x",
        "file:///etc/passwd",
    ],
)
async def test_target_uri_is_checked(server, problem, uri):
    response = await server.post(REGISTRATIONS, {"asSvcId": "as1", "targetUri": uri})
    details = problem(response, 400, "OPTIONAL_IE_INCORRECT")
    assert [one["param"] for one in details["invalidParams"]] == ["/targetUri"]
    assert "password" not in response.text
    assert len(server.application_servers) == 0


@pytest.mark.parametrize("uri", ["http://127.0.0.1:8000", "https://[::1]:8443/a/b?c=d", "HTTP://AS.example/"])
async def test_target_uris_that_are_fine(server, uri):
    assert (await server.post(REGISTRATIONS, {"asSvcId": "as1", "targetUri": uri})).status_code == 201


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"asProf": {"appProviders": []}}, "/asProf/appProviders"),
        ({"asProf": {"appSenarios": [1]}}, "/asProf/appSenarios"),
        ({"asProf": []}, "/asProf"),
        ({"targetUri": 7}, "/targetUri"),
        ({"asSvcId": 7}, "/asSvcId"),
        ({"asSvcId": ""}, "/asSvcId"),
        ({"asSvcId": "a" * 256}, "/asSvcId"),
        ({"asSvcId": "a\tb"}, "/asSvcId"),
    ],
)
async def test_schema(server, change, param):
    response = await server.post(REGISTRATIONS, {"asSvcId": "as1"} | change)
    assert response.status_code == 400
    assert [one["param"] for one in response.json()["invalidParams"]] == [param]


async def test_full_table(make_server, problem):
    server = make_server(most=2)
    assert (await server.register("as1")).status_code == (await server.register("as2")).status_code == 201
    response = await server.register("as3")
    problem(response, 503, "STORE_FULL")
    assert response.headers["retry-after"] == "5"
    # The same Application Server again is no further one.
    assert (await server.register("as2")).status_code == 201


async def test_registrations_survive_a_restart(make_server):
    first = make_server()
    location = (await first.register("as1", target="http://as.example/in")).headers["location"]
    await first.register("as2")
    await first.close()
    second = make_server()
    assert len(second.application_servers) == 2
    assert str(second.application_servers.target("as1")) == "http://as.example/in"
    assert (await second.client.delete(location)).status_code == 204
    second.store.commit()
    third = make_server()
    assert not third.application_servers.known("as1") and third.application_servers.known("as2")


async def test_configured_ones_need_no_registration(make_server, configured):
    server = make_server(configured=configured)
    assert server.callback.reachable("static")
    location = (await server.register("static", target="http://elsewhere.example")).headers["location"]
    assert str(server.application_servers.target("static")) == "http://elsewhere.example"
    await server.client.delete(location, headers={"Authorization": "Bearer lab-secret"})
    assert str(server.application_servers.target("static")) == "https://static.example/msg"


def test_a_configured_target_uri_is_checked(make_server):
    from host_tools.settings import ApplicationServer

    with pytest.raises(ValueError, match="static"):
        make_server(configured=[ApplicationServer(service_id="static", target_uri="http://u:p@x/")])
