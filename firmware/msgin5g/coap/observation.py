# Observing a resource, as its client (RFC 7641, 3).

from .. import ticks
from . import block
from . import numbers as n
from .client import Response, Transfer
from .endpoint import RESPONSE, Full
from .message import ABSENT, encode_options
from .observe import is_newer

# When there was no room to renew an observation, it is tried again after so many milliseconds.
_AGAIN_MS = 5000
_LONGEST_MAX_AGE_S = 86400


class Observation:
    # on_response(response, now) is called for every state that is newer than the last. The observation is
    # renewed when nothing has come for Max-Age. It is over, and says so in `over` before on_response is
    # called for the last time, when the server refuses, is not there, or answers without observing.
    def __init__(self, client, address, options, on_response, context=None):
        self._client = client
        self._address = address
        self._options = options
        self._on_response = on_response
        self._context = context
        self._exchange = None
        self._transfer = None
        self._sequence = None
        self._received = 0
        self._renew_at = None
        self.over = False

    def start(self, now):
        # Again with the same token, so that the server knows it for the same observer (RFC 7641, 3.3.1). When
        # there is no room for that, all stays as it is.
        token = self._exchange.token if self._exchange else None
        options = encode_options(self._options + self._block_option() + [(n.OBSERVE, n.OBSERVE_REGISTER)])
        exchange = self._request(options, self._on_end, token, now)
        if self._exchange:
            self._drop_exchange(now)
        self._exchange = exchange
        self._sequence = None
        self._renew_at = None

    def cancel(self, now):
        # Tell the server (RFC 7641, 3.6); a notification that crosses this is rejected with RST.
        exchange = self._stop(now)
        if exchange:
            options = encode_options(self._options + [(n.OBSERVE, n.OBSERVE_DEREGISTER)])
            self._request(options, None, exchange.token, now)

    def forget(self, now):
        # Say nothing: the next notification is rejected with RST.
        self._stop(now)

    def renew(self, now):
        # Without waiting for Max-Age: the server may have been restarted.
        try:
            self.start(now)
        except Full:
            self._renew_in(_AGAIN_MS, now)

    def on_timer(self, now):
        if self._renew_at is None:
            return
        if ticks.diff(self._renew_at, now) > 0:
            self._client.endpoint.arm(self._renew_at)
        else:
            self.renew(now)

    def _request(self, options, on_end, token, now):
        return self._client.endpoint.request(
            self._address, n.GET, options, b"", on_end, now, True, token, self._context
        )

    def _block_option(self):
        szx = self._client.szx
        return [(n.BLOCK2, block.value(0, False, szx))] if szx < block.LARGEST_SZX else []

    def _drop_exchange(self, now):
        exchange = self._exchange
        self._exchange = None
        exchange.keep = False
        exchange.on_end = None
        self._client.endpoint.cancel(exchange, now)

    def _drop_transfer(self, now):
        transfer = self._transfer
        self._transfer = None
        if transfer:
            transfer.cancel(now)

    def _stop(self, now):
        # The exchange that was, or None.
        exchange = self._exchange
        self._is_over()
        self._drop_transfer(now)
        if exchange:
            self._drop_exchange(now)
        return exchange

    def _on_end(self, exchange, how, message, now):
        if how != RESPONSE:
            self._finish(Response(how), now)
            return
        if message.code >> 5 != 2:
            self._finish(Response(how, message), now)
            return
        if message.observe == ABSENT:
            # The server answers, and does not let itself be observed.
            exchange.keep = False
            self._exchange = None
        else:
            exchange.keep = True
            self._renew_after(message.max_age, now)
            if not self._is_newer(message.observe, now):
                return
        self._drop_transfer(now)
        if message.block2 == ABSENT:
            self._deliver(Response(how, message), now)
            return
        # The rest is fetched; a newer notification gives it up.
        self._transfer = Transfer(
            self._client, self._address, n.GET, self._options, b"", self._on_body, True, self._context
        )
        try:
            self._transfer.blocks().receive(message, now)
        except Full:
            self._drop_transfer(now)
            self._renew_in(_AGAIN_MS, now)

    def _is_newer(self, sequence, now):
        if self._sequence is not None and not is_newer(sequence, now, self._sequence, self._received):
            return False
        self._sequence = sequence
        self._received = now
        return True

    def _on_body(self, response, now):
        if self._transfer is None:
            # It has been given up.
            return
        self._transfer = None
        if response.code is None:
            self._stop(now)
        self._deliver(response, now)

    def _deliver(self, response, now):
        if self._exchange is None:
            self._is_over()
        self._on_response(response, now)

    def _finish(self, response, now):
        self._exchange.keep = False
        self._exchange = None
        self._drop_transfer(now)
        self._deliver(response, now)

    def _is_over(self):
        self.over = True
        self._renew_at = None
        self._client.observations.discard(self)

    def _renew_after(self, max_age, now):
        # RFC 7641, 3.3.1: some time after Max-Age, and not all clients at once. Max-Age is 60 s when absent.
        seconds = 60 if max_age == ABSENT else min(max_age, _LONGEST_MAX_AGE_S)
        self._renew_in(seconds * 1000 + 5000 + self._client.endpoint.random(10000), now)

    def _renew_in(self, milliseconds, now):
        self._renew_at = ticks.add(now, milliseconds)
        self._client.endpoint.arm(self._renew_at)
