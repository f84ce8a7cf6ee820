"""The data types of TS 29.538 (MSGS_ASRegistration, MSGS_MSGDelivery), and messages as them.

An attribute is called as its information element in :mod:`msgin5g.wire`; :func:`wire_api.member` has the JSON name.
Unknown members are ignored, enumerations are open, a null is not an absent member: as the OpenAPI files have it.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgin5g import messages, messages_json, wire
from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import fields

from host_tools.server.rest import wire_api
from host_tools.server.rest.problems import ProblemDetails  # noqa: TC001 (a type that msgspec reads at run time)

if TYPE_CHECKING:
    from host_tools.server.service import Elements

DateTime = Annotated[datetime, Meta(tz=True)]
# Larger numbers are none that any peer could read.
Integer = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Names = Annotated[list[str], Meta(min_length=1)]


class _Body(msgspec.Struct, omit_defaults=True, rename=wire_api.member):
    """Base of all data types."""


class Address(_Body, kw_only=True):
    """Who a message is from or for."""

    address_type: str
    address: str


class MessageSegmentParameters(_Body, kw_only=True):
    """Which part of a message this is."""

    segmentation_set_id: str | UnsetType = UNSET
    total_segments: Integer | UnsetType = UNSET
    segment_number: Integer | UnsetType = UNSET
    last_segment_flag: bool | UnsetType = UNSET


class StoreAndForwardParameters(_Body, kw_only=True):
    """Until when a message is of use."""

    message_expiration_time: DateTime | UnsetType = UNSET


class UEMessageDelivery(_Body, kw_only=True):
    """A message from a UE; also what an Application Server is sent."""

    originator: Address
    destination: Address
    application_id: str | UnsetType = UNSET
    message_id: str
    delivery_status_required: bool | UnsetType = UNSET
    payload: str | UnsetType = UNSET
    # Not in TS 29.538: tells that the payload is octets as base64.
    payload_encoding: str | UnsetType = UNSET
    message_is_segmented: bool | UnsetType = UNSET
    segmentation_parameters: MessageSegmentParameters | UnsetType = UNSET
    store_and_forward_flag: bool
    store_and_forward_parameters: StoreAndForwardParameters | UnsetType = UNSET


class ASMessageDelivery(UEMessageDelivery, kw_only=True):
    """A message from an Application Server."""

    priority_type: str | UnsetType = UNSET
    latency: Integer | UnsetType = UNSET


class DeliveryStatusReport(_Body, kw_only=True):
    """What became of a message, from its recipient."""

    originator: Address
    destination: Address
    message_id: str
    failure_cause: str | UnsetType = UNSET
    delivery_status: str


Delivery = UEMessageDelivery | DeliveryStatusReport


class MessageDeliveryAck(_Body, kw_only=True):
    """The answer to a message or report."""

    originator: Address
    message_id: str
    status: str | None = None
    failure_cause: str | None = None


class ASProfile(_Body, kw_only=True):
    """What an Application Server says about itself."""

    application_name: str | UnsetType = UNSET
    application_providers: Names | UnsetType = UNSET
    application_scenarios: Names | UnsetType = UNSET
    application_category: str | UnsetType = UNSET
    as_status: str | UnsetType = UNSET


class ASRegistration(_Body, kw_only=True):
    """The registration of an Application Server (TS 23.554, 8.2.5)."""

    as_service_id: str
    application_id: str | UnsetType = UNSET
    target_uri: str | UnsetType = UNSET
    as_profile: ASProfile | UnsetType = UNSET


class ASRegistrationAck(_Body, kw_only=True):
    """The answer to a registration."""

    as_service_id: str
    result: ProblemDetails


class TopicUnsubscription(_Body, kw_only=True):
    """The end of subscriptions to Messaging Topics."""

    originator: Address
    messaging_topics: Names


class TopicSubscription(TopicUnsubscription, kw_only=True):
    """Subscriptions to Messaging Topics, and until when."""

    message_expiration_time: DateTime | UnsetType = UNSET


class TopicSubscriptionAck(_Body, kw_only=True):
    """The answer to a subscription."""

    subscription_status: str
    message_expiration_time: DateTime | UnsetType = UNSET


class ManyMessageDelivery(UEMessageDelivery, kw_only=True):
    """A message for many on its way to one Application Server: by which group or topic it comes.

    Not in TS 29.538, whose receivers ignore members they do not know.
    """

    group_service_id: str | UnsetType = UNSET
    messaging_topic: str | UnsetType = UNSET


# -- messages


def to_elements(body: Delivery, message_type: str) -> Elements:
    """A valid body as the information elements of a message, checked.

    Raises:
        BadMessage: an identifier is empty or too long, or an address is of no kind that can stand there.
    """
    elements = messages_json.from_members(msgspec.to_builtins(body))
    elements[wire.MESSAGE_TYPE] = message_type
    messages.check(elements)
    return elements


def from_elements(elements: Elements) -> dict[str, Any]:
    """A message or report as the members of UEMessageDelivery or DeliveryStatusReport."""
    report = elements[wire.MESSAGE_TYPE] == wire.IMDN
    return _members(DeliveryStatusReport if report else ManyMessageDelivery, elements)


def _members(kind: type[_Body], elements: Elements) -> dict[str, Any]:
    members = {}
    for field in fields(kind):
        value = _value(wire_api.element(field.name), elements)
        if value is not None and value != {}:
            members[field.encode_name] = value
    return members


def _value(element: int, elements: Elements) -> Any:
    if element == wire.ORIGINATOR:
        return _address(messages.originator(elements))
    if element == wire.DESTINATION:
        return _address(messages.recipient(elements))
    if element == wire.SEGMENTATION_PARAMETERS:
        # One object here, single elements in a message.
        return _members(MessageSegmentParameters, elements)
    if element == wire.STORE_AND_FORWARD_PARAMETERS:
        return _members(StoreAndForwardParameters, elements.get(element, {}))
    return elements.get(element)


def _address(address: tuple[Any, Any]) -> dict[str, str]:
    kind, identity = address
    return msgspec.to_builtins(Address(address_type=kind, address=identity))
