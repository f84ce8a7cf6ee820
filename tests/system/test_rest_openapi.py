"""The server against 3GPP's own OpenAPI files of TS 29.538, by schemathesis: what it answers, and what it refuses.

The files are 3GPP's and not part of this project; MSGIN5G_OPENAPI names the folder where they are.
"""

import asyncio
import os
import threading
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.config import SchemathesisConfig

from tests.rest.process import HEADERS, Process

ROOT = Path(__file__).parents[2]
FOLDER = Path(os.environ.get("MSGIN5G_OPENAPI", ROOT.parent / "shared" / "openapi"))
REGISTRATION = FOLDER / "TS29538_MSGS_ASRegistration.yaml"
DELIVERY = FOLDER / "TS29538_MSGS_MSGDelivery.yaml"

if not (REGISTRATION.exists() and DELIVERY.exists()):
    pytest.skip(
        "3GPP's OpenAPI files are not here; MSGIN5G_OPENAPI names their folder", allow_module_level=True
    )

EXAMPLES = 200
# Beyond the schema a Service ID and a Message ID must not be empty, nor longer than 255: 400 is an answer to valid data.
CONFIG = SchemathesisConfig.from_dict(
    {
        "seed": 29538,
        "checks": {
            "positive_data_acceptance": {"expected-statuses": ["2xx", "400", "403", "404", "413"]},
        },
    }
)
registration = schemathesis.openapi.from_path(REGISTRATION, config=CONFIG)
delivery = schemathesis.openapi.from_path(DELIVERY, config=CONFIG)
few = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """A server in a thread with its own event loop."""
    path = tmp_path_factory.mktemp("openapi") / "server.sqlite"
    started, stop = threading.Event(), threading.Event()
    found = []

    async def serve():
        process = Process(path)
        await process.start()
        found.append(process)
        started.set()
        await asyncio.to_thread(stop.wait)
        await process.stop()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert started.wait(10)
    yield found[0].http.url
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
    assert found[0].face.counters["status_500"] == 0
    # Not only refusals.
    assert found[0].face.counters["deliveries"] > 0
    assert found[0].face.counters["registrations"] > 0


@schemathesis.hook
def map_body(context, body):
    """Let most messages come from whom the operation is for, and go to a UE, or none would be delivered.

    What has the right type is in every second body also of a plain value: generated identifiers are mostly refused.
    """
    if isinstance(body, dict):
        origin = "UE" if "deliver-ue" in context.operation.path else "AS"
        body = body | _address(body, "oriAddr", origin) | _address(body, "destAddr", "UE")
        if isinstance(body.get("msgId"), str) and len(body["msgId"]) % 2 == 0:
            body["msgId"] = f"message-{len(body['msgId'])}"
            if isinstance(body.get("stoAndFwInd"), bool):
                body["stoAndFwInd"] = True
        if isinstance(body.get("asSvcId"), str) and len(body["asSvcId"]) % 2 == 0:
            body = body | {"asSvcId": f"as-{len(body['asSvcId'])}"}
            if isinstance(body.get("targetUri"), str):
                body["targetUri"] = "http://127.0.0.1:9/"
    return body


def _address(body, member, kind):
    address = body.get(member)
    if isinstance(address, dict) and isinstance(address.get("addrType"), str):
        address = address | {"addrType": kind}
        if isinstance(address.get("addr"), str) and len(str(body.get("msgId"))) % 2 == 0:
            address["addr"] = f"{kind}-{len(address['addr'])}"
        return {member: address}
    return {}


@registration.parametrize()
@few
def test_as_registration(case, url):
    case.call_and_validate(base_url=f"{url}/msgs-asregistration/v1", headers=HEADERS)


@delivery.parametrize()
@few
def test_msg_delivery(case, url):
    case.call_and_validate(base_url=f"{url}/msgs-msgdelivery/v1", headers=HEADERS)
