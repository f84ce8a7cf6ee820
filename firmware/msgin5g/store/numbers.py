# Up to which number a context, or all contexts of a gateway, have reserved sequence numbers (oscore/context.py), kept
# by a Counter. So many more than asked for are reserved: the flash is written that more rarely. Contexts that share it
# skip the numbers that others have: none is used twice under a key, whichever of them was loaded when.


class Numbers:
    def __init__(self, counter, ahead=0):
        self._counter = counter
        self._ahead = ahead
        self._number = None
        self._written = 0

    @property
    def doubtful(self):
        return self._counter.doubtful

    def load(self):
        # The numbers below it may have been used; None when none was.
        if self._number is None:
            self._number = self._counter.load()
            if self.doubtful:
                self._number = (self._number or 0) + self._ahead
            self._written = self._number or 0
        return self._number

    def save(self, number):
        # Durable when it returns.
        if number > self._written:
            self._counter.save(number + self._ahead)
            self._written = number + self._ahead
        self._number = number
