# Security for many peers: their contexts, loaded when they are heard of, as many in memory as there is room for.

from ..coap.exchange import Full
from .security import Security


class NoContext(Full):
    # There are no keys for that address (yet): try again when its peer has been heard of.
    pass


class Contexts(Security):
    # load(kid, kid_context) -> Context or None. It may be called again for one that it has returned before; that
    # is safe when both have the same storage (see Context.take_piv), and costs the peer an Echo.
    def __init__(self, load, most=16384, open_paths=()):
        super().__init__(None, open_paths)
        self._load = load
        self._most = most
        self._contexts = {}
        self._addresses = {}
        self._used = {}
        self._uses = 0

    def find(self, kid, kid_context):
        key = (kid, kid_context)
        context = self._contexts.get(key)
        if context is None:
            context = self._load(kid, kid_context)
            if context is None or kid_context not in (None, context.id_context):
                return None
            # As its peer names it. Who has an ID context need not name it.
            key = (kid, context.kid_context)
            context = self._contexts.get(key, context)
            if key not in self._contexts and len(self._contexts) >= self._most:
                self._forget()
            self._contexts[key] = context
        self._uses += 1
        self._used[key] = self._uses
        return context

    def at(self, address):
        key = self._addresses.get(address)
        context = self.find(*key) if key else None
        if context is None:
            raise NoContext
        return context

    def of(self, name, address):
        # For a request to a peer by its name, that is at an address.
        context = self.at(address)
        if context.name != name:
            raise NoContext
        return context

    def open_request(self, message, address):
        opened = super().open_request(message, address)
        if opened and not opened[3]:
            self.heard(opened[0], address)
        return opened

    def heard(self, context, address):
        # Where it was heard last. Who comes to an address takes it over from whom it was.
        key = (context.recipient_id, context.kid_context)
        if self._addresses.get(address) != key:
            if len(self._addresses) >= 2 * self._most:
                self._addresses = {}
            self._addresses[address] = key

    def held(self):
        return len(self._contexts)

    def _forget(self):
        # The eighth that was not used for longest.
        order = [(used, key) for key, used in self._used.items()]
        order.sort(key=lambda entry: entry[0])
        for _, key in order[: 1 + len(order) // 8]:
            del self._contexts[key]
            del self._used[key]
