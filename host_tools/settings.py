"""Settings of the gateway and of the server: TOML files, checked as they are read.

A setting that is wrong is named with its file, its key, its value and what is allowed.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
from msgin5g import wire
from msgin5g.coap.endpoint import Parameters
from msgspec import Meta

from host_tools.addresses import host_and_port
from host_tools.link_settings import RelaySettings, SerialPorts, check_serial
from host_tools.settings_base import (
    MOST_OCTETS,
    RESERVE_OCTETS,
    Count,
    Milliseconds,
    Octets,
    Port,
    ServiceId,
    SettingsError,
)
from host_tools.settings_base import Settings as _Settings
from host_tools.settings_mistakes import explained

# Said by every process that starts with security = "none".
NOT_PROTECTED = "NOT PROTECTED: the CoAP links are neither encrypted nor authenticated"
# How the CoAP links of one side are protected: by a key for each device (RFC 8613), or, in a lab, not at all.
OSCORE = "oscore"
NONE = "none"
DROP = "drop"
Protection = Annotated[str, Meta(pattern="^(oscore|none)$")]
# Between gateway and server also with keys from AKMA (TS 33.535): by DTLS, or by OSCORE.
DTLS, AKMA_OSCORE = "dtls", "oscore-akma"
UplinkProtection = Annotated[str, Meta(pattern="^(oscore|dtls|oscore-akma|none)$")]


class Coap(_Settings):
    """CoAP transmission (RFC 7252, 4.8).

    Attributes:
        ack_timeout: milliseconds to the first retransmission.
        max_retransmit: how often a message is retransmitted.
    """

    ack_timeout: Milliseconds = 2000
    max_retransmit: Annotated[int, Meta(ge=0, le=10)] = 4

    def parameters(self, nstart: int = 1) -> Parameters:
        """Parameters for an endpoint that many peers speak to; nstart is for peers that are hosts themselves."""
        return Parameters(
            ack_timeout=self.ack_timeout,
            max_retransmit=self.max_retransmit,
            nstart=nstart,
            most_waiting=1024,
            most_peers=200_000,
            most_unanswered=50_000,
            most_recent=262_144,
            most_recent_octets=64 << 20,
        )


class ApplicationSettings(_Settings):
    """An application whose clients have no MSGin5G Client of their own (MSGin5G-5; TS 23.554, 8.11).

    Attributes:
        id: its Application ID.
        number: what L3 messages (TS 24.538, A.2) know it by: two octets.
        credential_file: what its client has to know to register; white space around it does not count.
    """

    id: Annotated[str, Meta(min_length=1, max_length=64, pattern="^[^/\\x00-\\x1f]+$")]
    number: Annotated[int, Meta(ge=0, le=65535)]
    credential_file: Path

    def credential(self) -> bytes:
        """What is in the credential file.

        Raises:
            SettingsError: nothing that can be used.
        """
        try:
            credential = self.credential_file.read_bytes().strip()
        except OSError as error:
            raise SettingsError(f"{self.credential_file}: {error.strerror}") from error
        if not 0 < len(credential) <= 255:
            raise SettingsError(f"{self.credential_file}: expected 1 to 255 octets")
        return credential


class GatewaySettings(_Settings):
    """A Gateway UE.

    Attributes:
        ue_service_id: the gateway's own.
        server: host and port of the MSGin5G Server, ``host:port``.
        host: address to listen on for clients.
        port: port to listen on for clients; 0 for any.
        database: file of the store.
        http_host: where the operator's page, /healthz and /metrics are served.
        http_port: its port; 0 for any.
        http_certificate: PEM file; with http_key that is https.
        http_key: PEM file.
        page: is there an operator's page?
        most_devices: bound of registered clients.
        most_messages: bound of messages in the store.
        most_octets: bound of the octets of these messages.
        reserve_octets: what is left free on the disk of the database: with less, nothing is taken.
        when_full: "drop": the oldest message of the lowest priority on its way to the server makes room for one of the
            same or a higher priority; "refuse": it does not.
        most_messages_per_ue: bound of those that one UE has sent, and of those that wait for it.
        most_requests_per_second: requests of one client in a second; more are answered 4.29.
        bulk_registration_seconds: how long clients that are in no hurry wait at most to be registered together; 0 for
            each by itself.
        bulk_configuration_seconds: the same for those that ask for their configuration.
        uplink_ports: from so many ports it speaks to the server, where OSCORE tells the server who it is; from each of
            them it can send some 265 requests a second for long.
        aggregate: let small messages of one originator that wait for the server travel as one.
        aggregate_linger: how long the first of them waits for others, in milliseconds; 0: what waits anyway.
        multicast: names of network interfaces on which "All CoAP Nodes" is heard, for clients that look for a gateway.
        mdns: whether it lets itself be found by mDNS, which needs the extra ``discovery``.
        serial: serial ports with a client at the other end, beside UDP: paths, patterns, or tables with more.
        espnow_bridges: serial ports with a bridge board at the other end, for devices that speak ESP-NOW.
        baud: bits a second on serial ports that do not say otherwise.
        application_clients_port: UDP port for clients of ``applications``, at ``host``; not set for none.
        application_clients_serial: serial ports with such a client at the other end.
        relay: for devices whose keys are the server's.
        applications: which applications may have clients without a MSGin5G Client.
        coap: transmission parameters.
        security: of the links to clients: "oscore" or "none".
        server_security: of the link to the server: "oscore", "dtls", "oscore-akma" or "none".
        key_file: its own key for the server, as ``msgin5g enrol``, or ``msgin5g akma enrol``, with the server's
            settings writes it.
    """

    ue_service_id: ServiceId
    server: str
    host: str = "0.0.0.0"
    port: Port = wire.PORT
    database: Path = Path("gateway.sqlite")
    http_host: str = "127.0.0.1"
    http_port: Port = 8081
    http_certificate: Path | None = None
    http_key: Path | None = None
    page: bool = True
    most_devices: Count = 10_000
    most_messages: Count = 1_000_000
    most_octets: Octets = MOST_OCTETS
    reserve_octets: Annotated[int, Meta(ge=0)] = RESERVE_OCTETS
    when_full: Annotated[str, Meta(pattern="^(drop|refuse)$")] = DROP
    most_messages_per_ue: Count = 10_000
    most_requests_per_second: Count = 1000
    bulk_registration_seconds: Annotated[int, Meta(ge=0, le=3600)] = 0
    bulk_configuration_seconds: Annotated[int, Meta(ge=0, le=3600)] = 0
    uplink_ports: Annotated[int, Meta(ge=1, le=64)] = 4
    aggregate: bool = True
    aggregate_linger: Annotated[int, Meta(ge=0, le=60_000)] = 0
    multicast: list[Annotated[str, Meta(min_length=1)]] = msgspec.field(default_factory=list)
    mdns: bool = False
    serial: SerialPorts = msgspec.field(default_factory=list)
    espnow_bridges: SerialPorts = msgspec.field(default_factory=list)
    baud: int = 115200
    application_clients_port: Port | None = None
    application_clients_serial: SerialPorts = msgspec.field(default_factory=list)
    relay: RelaySettings = msgspec.field(default_factory=RelaySettings)
    applications: list[ApplicationSettings] = msgspec.field(default_factory=list)
    coap: Coap = msgspec.field(default_factory=Coap)
    security: Protection = OSCORE
    server_security: UplinkProtection = OSCORE
    key_file: Path = Path("gateway-device.json")

    @property
    def service_id(self) -> str:
        """What devices know it by."""
        return self.ue_service_id

    def __post_init__(self) -> None:
        """Check what one type alone can't say."""
        host_and_port(self.server)
        if self.relay.server:
            host_and_port(self.relay.server, "relay.server")
        elif self.relay.wanted and self.server_security == DTLS:
            raise SettingsError("relay.server is missing: `server` is for DTLS, and devices have OSCORE")
        if (self.http_certificate is None) != (self.http_key is None):
            raise SettingsError("http_certificate and http_key: one needs the other")
        check_serial(
            self.baud,
            serial=self.serial,
            espnow_bridges=self.espnow_bridges,
            application_clients_serial=self.application_clients_serial,
            relay_serial=self.relay.serial,
        )
        if self.multicast and self.host not in {"0.0.0.0", "::"}:
            raise SettingsError(
                f'multicast: a socket on host = "{self.host}" does not hear it; "::" or "0.0.0.0" does'
            )
        for key in ("id", "number"):
            if len({getattr(one, key) for one in self.applications}) < len(self.applications):
                raise SettingsError(f"applications: two have the same {key}")


class Credential(_Settings):
    """Who may use the HTTP interfaces, by bearer token.

    Attributes:
        service_id: the AS Service ID it stands for; ``*`` for any (a lab's).
        token_file: file with the token.
        token_sha256: or the token's SHA-256, in hex.
        roles: ``as`` for Application Servers, ``message-gateway`` for L3G and N3G.
    """

    service_id: ServiceId
    token_file: Path | None = None
    token_sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")] | None = None
    roles: list[Annotated[str, Meta(pattern="^(as|message-gateway)$")]] = msgspec.field(
        default_factory=lambda: ["as"]
    )


class ApplicationServer(_Settings):
    """An Application Server that is reachable without registering.

    Attributes:
        service_id: its AS Service ID.
        target_uri: where messages for it are POSTed to.
    """

    service_id: ServiceId
    target_uri: Annotated[str, Meta(pattern="^https?://")]


class Group(_Settings):
    """A group of UEs that are sent the same messages.

    Attributes:
        service_id: its Group Service ID.
        members: UE Service IDs of those who get its messages, and may send to it.
        senders: UE Service IDs of others who may send to it.
        application_servers: AS Service IDs of those who may send to it.
    """

    service_id: ServiceId
    members: Annotated[list[ServiceId], Meta(max_length=10_000)]
    senders: list[ServiceId] = msgspec.field(default_factory=list)
    application_servers: list[ServiceId] = msgspec.field(default_factory=list)


class Topics(_Settings):
    """Subscriptions to Messaging Topics.

    Attributes:
        longest: seconds that a subscription lasts at most, and when it does not say.
        most_for_one: bound of the topics of one UE or Application Server.
        most_for_topic: bound of the subscribers of one topic.
        most: bound of all subscriptions.
    """

    longest: Count = 30 * 86400
    most_for_one: Count = 100
    most_for_topic: Count = 10_000
    most: Count = 200_000


class Configuration(_Settings):
    """UE configuration documents.

    Attributes:
        domain: of the VAL service, as the documents say it.
        val_service: the VAL service identifier that stands for MSGin5G.
        content_format: the number of the documents' content format.
        writable: may documents be added, changed and removed over CoAP, by anyone who reaches the server?
        most: bound of documents.
    """

    domain: ServiceId = "msgin5g.invalid"
    val_service: Annotated[str, Meta(pattern="^[A-Za-z0-9._~-]+$", max_length=255)] = "msgin5g"
    content_format: Annotated[int, Meta(ge=0, le=65535)] = 60
    writable: bool = False
    most: Count = 10_000


class UeConfiguration(_Settings):
    """What a UE is told when it asks for its configuration.

    Attributes:
        ue_service_id: its UE Service ID.
        server: MSGin5G Server address, as a URI.
        ue_ids: MSGin5G UE IDs it asks with; any UE is told when there are none.
        segment_size: octets of payload in one segment.
        name: of the document, for people.
    """

    ue_service_id: ServiceId
    server: Annotated[str, Meta(min_length=1, max_length=2048)]
    ue_ids: list[ServiceId] = msgspec.field(default_factory=list)
    segment_size: Count | None = None
    name: ServiceId | None = None


class ServerSettings(_Settings):
    """An MSGin5G Server.

    Attributes:
        host: address to listen on for CoAP.
        port: port to listen on for CoAP; 0 for any.
        http_host: address of the HTTP interfaces.
        http_port: port of the HTTP interfaces; 0 for any.
        tls_certificate: PEM file; with tls_key the HTTP interfaces are https.
        tls_key: PEM file.
        database: file of the store.
        gateways: UE Service IDs of the gateways that may register the UEs behind them.
        credentials: who may use the HTTP interfaces.
        application_servers: those that do not register themselves.
        groups: the groups of UEs.
        topics: bounds of subscriptions.
        configuration: of UE configuration documents.
        ue_configurations: the documents.
        registration_lifetime: seconds without a sign of life after which a UE is not registered any more.
        most_ues: bound of registered UEs.
        most_messages: bound of messages in the store.
        most_octets: bound of the octets of these messages.
        reserve_octets: what is left free on the disk of the database: with less, nothing is taken.
        coap: transmission parameters.
        security: of the links to gateways and UEs: "oscore" or "none".
        service_id: what those know the server by: part of their keys, never to be changed.
        dtls_port: port to listen on for those who speak DTLS, at ``host``; 0 for any, not set for none.
        af_fqdn: the name of the server as an Application Function of AKMA: part of the keys that it is given.
    """

    host: str = "0.0.0.0"
    port: Port = wire.PORT
    http_host: str = "127.0.0.1"
    http_port: Port = 8080
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    database: Path = Path("server.sqlite")
    gateways: list[ServiceId] = msgspec.field(default_factory=list)
    credentials: list[Credential] = msgspec.field(default_factory=list)
    application_servers: list[ApplicationServer] = msgspec.field(default_factory=list)
    groups: list[Group] = msgspec.field(default_factory=list)
    topics: Topics = msgspec.field(default_factory=Topics)
    configuration: Configuration = msgspec.field(default_factory=Configuration)
    ue_configurations: list[UeConfiguration] = msgspec.field(default_factory=list)
    registration_lifetime: Annotated[int, Meta(ge=60)] = 86400
    most_ues: Count = 100_000
    most_messages: Count = 1_000_000
    most_octets: Octets = MOST_OCTETS
    reserve_octets: Annotated[int, Meta(ge=0)] = RESERVE_OCTETS
    coap: Coap = msgspec.field(default_factory=Coap)
    security: Protection = OSCORE
    service_id: ServiceId = "server@msgin5g.invalid"
    dtls_port: Port | None = None
    af_fqdn: Annotated[str, Meta(pattern="^[A-Za-z0-9.-]+$", max_length=253)] = "msgin5g.invalid"

    def __post_init__(self) -> None:
        """Check what one type alone can't say."""
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise SettingsError("tls_certificate and tls_key: one needs the other")
        if self.dtls_port is not None and self.security == NONE:
            raise SettingsError('dtls_port: needs security = "oscore": whoever comes without is believed')


S = TypeVar("S", bound=_Settings)


def load(path: Path, kind: type[S], overrides: dict[str, Any] | None = None) -> S:
    """Read settings of a kind from a TOML file; overrides come from the command line and win.

    Relative files named in it are relative to it.

    Raises:
        SettingsError: with file, key, value and what is allowed.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not TOML: {error}") from error
    values |= overrides or {}
    try:
        settings = msgspec.convert(values, kind, dec_hook=_path)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{path}: {explained(values, kind, str(error))}") from error
    _resolve(settings, path.parent)
    return settings


def load_either(path: Path) -> GatewaySettings | ServerSettings:
    """Read the settings of a gateway or of a server, whichever they are.

    Raises:
        SettingsError: as :func:`load`.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        # Told by load().
        values = {}
    return load(path, GatewaySettings if "ue_service_id" in values else ServerSettings)


def _path(kind: type, value: object) -> Path:
    if kind is not Path or not isinstance(value, str) or not value:
        raise ValueError(f"Expected a file name, got {value!r}")
    return Path(value)


def _resolve(settings: Any, base: Path) -> None:
    for name in settings.__struct_fields__:
        value = getattr(settings, name)
        if isinstance(value, Path):
            setattr(settings, name, base / value)
        elif isinstance(value, _Settings):
            _resolve(value, base)
        elif isinstance(value, list):
            for one in value:
                if isinstance(one, _Settings):
                    _resolve(one, base)
