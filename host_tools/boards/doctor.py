"""What is wrong with a board: one thing after the other, each with what can be done about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from host_tools.boards import deploy
from host_tools.boards.board import Board, BoardError, load, of_machine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from host_tools.boards.serial_board import Identity, SerialBoard

# Seconds that joining a network, and registering, may take.
_PATIENCE = 30
_LEAST_FLASH = 64 << 10

_SETTINGS = """
from msgin5g.board import settings as s
try:
 r=s.read()
 print(repr((True,(r.get('board'),r['link'],[n[0] for n in r['networks']],r['ntp']))))
except s.Unusable as e:print(repr((False,e.args[0])))
"""
_DEVICE = """
from msgin5g import provisioning as p
try:
 r=p.read()
 print(repr((True,(r['ue_service_id'],r.get('gateway'),r.get('gateway_ue_service_id'),r['oscore']['sender_id']))))
except p.NotProvisioned as e:print(repr((False,e.args[0])))
"""
_NETWORK = """
import network,time
from msgin5g.board import settings as s
from msgin5g.board.wifi import Wifi
w=Wifi(network.WLAN(network.STA_IF),s.read()['networks'],network)
c=[]
for _ in range({patience}*10):
 w.step(time.ticks_ms()&536870911)
 if w.up:break
 if w.cause and w.cause not in c:c.append(w.cause)
 time.sleep_ms(100)
print(repr((w.up,w._wlan.ifconfig()[0] if w.up else c)))
"""
_CLOCK = "import time\nprint(time.time()+(946684800 if time.gmtime(0)[0]==2000 else 0))"
_REGISTER = """
import asyncio,gc
from msgin5g import provisioning as p
from msgin5g.application import RegistrationRefused
from msgin5g.store.memory import MemoryStore
from msgin5g.board import run,settings
import machine
async def r():
 b=run.Board(settings.read(),machine,None)
 o={{}}
 l=b._link()
 if l:o['link']=l
 try:u=p.client(store=MemoryStore(),**o)
 except OSError as e:return 'unreachable',str(e)
 try:
  await asyncio.wait_for(u.register(),{patience})
  return 'registered',None
 except RegistrationRefused as e:return 'refused',e.args[0]
 except asyncio.TimeoutError:
  n=u.endpoint.counters
  return ('silent' if not n.get('received') else 'unanswered'),{{k:v for k,v in n.items() if v}}
 finally:u.close()
print(repr(asyncio.run(r())))
"""


class Check(NamedTuple):
    """One thing that was looked at.

    Attributes:
        name: of the thing.
        ok: is it right? None when it could not be looked at, since something before it is wrong.
        said: what was found.
        way_out: what can be done about it, where it is not right.
    """

    name: str
    ok: bool | None
    said: str
    way_out: str = ""


class _Wrong(Exception):
    # What follows can't be looked at.
    def __init__(self, said: str, way_out: str) -> None:
        super().__init__(said)
        self.said = said
        self.way_out = way_out


class Doctor:
    """Looks at a board, from its chip to its gateway.

    Args:
        found: the board.
        kind: the kind that it is; None: what it says of itself.
        registry: says of a UE Service ID whether its gateway knows it: "enrolled", "revoked" or None, and what it
            calls itself by; None when the gateway's settings are not at hand.
    """

    def __init__(
        self,
        found: SerialBoard,
        kind: Board | None,
        registry: Callable[[str], tuple[str, str] | None] | None = None,
    ) -> None:
        self._found = found
        self._kind = kind
        self._registry = registry
        self._identity: Identity | None = None
        self._link = "wifi"
        self._device: tuple[str, str | None, str | None, str] | None = None

    def checks(self) -> Iterator[Check]:
        """Each thing in turn, as it is looked at."""
        wrong = False
        for name, look in (
            ("board", self._board),
            ("MicroPython", self._micropython),
            ("firmware", self._firmware),
            ("application", self._application),
            ("settings", self._settings),
            ("key", self._key),
            ("enrolment", self._enrolment),
            ("network", self._network),
            ("clock", self._clock),
            ("gateway", self._gateway),
        ):
            if wrong:
                yield Check(name, None, "not looked at")
                continue
            try:
                yield Check(name, True, look())
            except _Wrong as found:
                # A board whose clock is not set, or whose application is missing, still registers.
                wrong = name not in ("application", "clock")
                yield Check(name, False, found.said, found.way_out)
            except BoardError as error:
                wrong = True
                yield Check(name, False, *_split(str(error)))

    def _board(self) -> str:
        self._found.soft_reset()
        self._identity = self._found.identity()
        if self._kind is None:
            possible = of_machine(self._identity.machine)
            if len(possible) != 1:
                raise _Wrong(
                    self._identity.machine or self._identity.platform,
                    "name its kind: `msgin5g boards` lists them",
                )
            self._kind = possible[0]
        if not self._kind.is_machine(self._identity.machine):
            deploy.check(self._kind, self._identity)
        return f"{self._kind.name}: {self._identity.machine}"

    def _micropython(self) -> str:
        assert self._kind
        assert self._identity
        deploy.check(self._kind, self._identity)
        version = ".".join(map(str, self._identity.version))
        if self._identity.free < _LEAST_FLASH:
            raise _Wrong(
                f"{version}, {self._identity.free:,} octets of flash free", "remove files that are yours"
            )
        return f"{version}, {self._identity.heap_free:,} octets of heap and {self._identity.free:,} of flash free"

    def _firmware(self) -> str:
        assert self._kind
        what = deploy.plan(self._kind, self._found, None, replace=True)
        changed = [file.name for file in what.write if file.name != deploy.APPLICATION]
        if changed or what.remove:
            raise _Wrong(
                f"{len(changed)} files are missing or others ({', '.join(changed[:3])}), {len(what.remove)} too many",
                f"msgin5g deploy {self._kind.name}",
            )
        return "frozen in" if what.frozen else f"{what.same} files, as they should be"

    def _application(self) -> str:
        assert self._kind
        application = self._found.read(deploy.APPLICATION)
        if application is None:
            raise _Wrong("there is no app.py", f"msgin5g deploy {self._kind.name} --app YOURS.py")
        return f"app.py, {len(application):,} octets"

    def _settings(self) -> str:
        board, self._link, networks, _ = self._answer(_SETTINGS)
        assert self._kind
        if board not in (None, self._kind.name):
            raise _Wrong(f"they are for {board}", f"msgin5g provision {self._kind.name} ...")
        return f"link {self._link}" + (f", networks {', '.join(networks)}" if networks else "")

    def _key(self) -> str:
        self._device = self._answer(_DEVICE)
        assert self._device
        ue_service_id, gateway, _, _ = self._device
        return f"{ue_service_id}, gateway {gateway or 'to be found'}"

    def _enrolment(self) -> str:
        assert self._device
        ue_service_id, _, _, kid = self._device
        if self._registry is None:
            return "not looked at: name the gateway's settings with --gateway"
        known = self._registry(ue_service_id)
        if known is None:
            raise _Wrong(
                f"{ue_service_id} is not enrolled there", "msgin5g provision enrols it, with a new key"
            )
        state, enrolled_kid = known
        if state == "revoked":
            raise _Wrong(f"{ue_service_id} is revoked", "msgin5g provision --rotate gives it another key")
        if enrolled_kid != kid:
            raise _Wrong(
                f"{ue_service_id} has another key there", "msgin5g provision --rotate gives it that anew"
            )
        return f"{ue_service_id} is enrolled"

    def _network(self) -> str:
        if self._link != "wifi":
            return f"{self._link}: nothing to join"
        up, said = self._found.ask(_NETWORK.format(patience=_PATIENCE))
        if up:
            return f"joined, as {said}"
        text = "; ".join(said) or "no network answers"
        if "password" in text:
            way_out = "msgin5g provision with the right password (it is told apart by upper and lower case)"
        elif "not there" in text:
            way_out = "is it 2.4 GHz, in reach, and spelled so? `msgin5g provision` writes another"
        else:
            way_out = "look at the access point; `msgin5g monitor` shows each attempt"
        raise _Wrong(text, way_out)

    def _clock(self) -> str:
        if self._found.ask(_CLOCK) < 1704067200:
            raise _Wrong(
                "not set", 'messages can\'t expire on the board: "ntp" in settings.json names a time server'
            )
        return "set"

    def _gateway(self) -> str:
        assert self._device
        _, address, name, _ = self._device
        where = address or "any gateway"
        outcome, said = self._found.ask(_REGISTER.format(patience=_PATIENCE))
        if outcome == "registered":
            return f"registered at {name or where}"
        if outcome == "refused":
            raise _Wrong(
                f"{where} refuses: {said}",
                "`msgin5g devices gateway.toml` says who is let in; msgin5g provision --rotate",
            )
        if outcome == "unreachable":
            raise _Wrong(f"{where}: {said}", "is the address right, as seen from the board's network?")
        if outcome == "silent":
            raise _Wrong(
                f"{where} does not answer",
                "does `msgin5g gateway` run there, on that port, and does a firewall let UDP through?",
            )
        raise _Wrong(
            f"{where} answers, but does not register it ({said})",
            "its key is not the gateway's (msgin5g provision --rotate), or the server is out of reach of the gateway",
        )

    def _answer(self, code: str) -> Any:
        right, said = self._found.ask(code)
        if not right:
            text, way_out = _split(said)
            raise _Wrong(text, way_out or "msgin5g provision")
        return said


def _split(text: str) -> tuple[str, str]:
    # What is wrong, and the way out that stands behind the last colon.
    said, colon, way_out = text.rpartition(": ")
    return (said, way_out) if colon else (text, "")


def kind_named(name: str | None) -> Board | None:
    """The kind of board that was named, None when none was.

    Raises:
        BoardError: there is no such kind.
    """
    return load(name) if name else None


def registry_of(settings: Path) -> Callable[[str], tuple[str, str] | None]:
    """What a gateway's device registry says of a UE Service ID: state and kid.

    Raises:
        SettingsError: its settings can't be used.
    """
    from contextlib import closing  # noqa: PLC0415 (with the rest of what only this needs)

    from host_tools.security.devices import Devices  # noqa: PLC0415
    from host_tools.settings import load_either  # noqa: PLC0415

    found = load_either(settings)
    with closing(Devices(found.database, found.service_id)) as devices:
        known = {
            device.ue_service_id: ("revoked" if device.revoked else "enrolled", device.kid.hex())
            for device in devices.all()
        }
    return known.get
