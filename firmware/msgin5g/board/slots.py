# Which application a board starts: app.py of its root folder, or an update of it in the folder /a or /b ("slots").
#
# The file "slot" says which, as JSON. It is written aside and then renamed: a power cut leaves the old or the new one.
# (FAT removes the old one before it renames; then the one aside is whole.) An update is on trial for its first starts,
# each of which is noted before the application is loaded.

import json
import os
import sys

from ..store.durable import sync

NAMES = ("a", "b")
# Of an update that is on trial; when they are over and it has not passed, it goes back.
STARTS = 2
# How what was tried last has ended.
TRIAL = "on trial"
INSTALLED = "installed"
BACK = "rolled back"


class Slots:
    # root: where the slots and the file are, with a slash.
    def __init__(self, root="/"):
        self._root = root
        # The slot that is used, and the one before it; "" is the root folder itself.
        self.active = self.previous = ""
        # Of the update tried last: its number, its signature, how it has ended and why, starts that are left to it.
        self.version = 0
        self.signature = ""
        self.outcome = self.why = ""
        self.starts = 0
        # Who is still to be told of that: (kind, Service ID, Message ID).
        self.sender = None
        self._read()

    @property
    def on_trial(self):
        return self.outcome == TRIAL

    def begin(self):
        # At each start, before the application is loaded. False: it went back to the one before.
        if not self.on_trial:
            return True
        going = self.starts > 0
        try:
            if going:
                self._save(starts=self.starts - 1)
            else:
                self.back("it crashed, or was restarted, on each of its %d starts" % STARTS)
        except OSError:
            # A flash that is full must not keep the board from starting.
            pass
        return going

    def use_path(self):
        # The application is imported from its slot; what is not there, from where it always was.
        if self.active:
            sys.path.insert(0, self.folder(self.active))

    def folder(self, name):
        return self._root + name

    def spare(self):
        # The folder of the slot that is not used, emptied.
        folder = self.folder(self._spare())
        _remove(folder)
        os.mkdir(folder)
        return folder

    def switch(self, version, signature, sender):
        # To what was put into the spare one, from the next start on.
        self._save(
            previous=self.active,
            active=self._spare(),
            version=version,
            signature=signature,
            sender=sender,
            outcome=TRIAL,
            why="",
            starts=STARTS,
        )

    def well(self):
        self._save(outcome=INSTALLED)

    def back(self, why):
        self.active = self.previous
        self._save(outcome=BACK, why=why)

    def told(self):
        self._save(sender=None)

    def leave(self):
        # The application in the root folder was replaced by hand, and is meant.
        if self.on_trial:
            self._save(outcome=BACK, why="another one was put onto the board")
        if self.active:
            self._save(active="")

    def _spare(self):
        return NAMES[self.active == NAMES[0]]

    # -- the file

    def _read(self):
        if not self._read_file("slot") and self._read_file("slot.new"):
            # What is written next must not be written over the only one.
            os.rename(self._root + "slot.new", self._root + "slot")

    def _read_file(self, name):
        try:
            with open(self._root + name) as file:
                return self._take(json.load(file))
        except (OSError, ValueError):
            # Not there, or cut off.
            return False

    def _take(self, found):
        if not isinstance(found, dict):
            return False
        if found.get("active") not in ("",) + NAMES or found.get("previous") not in ("",) + NAMES:
            return False
        if not isinstance(found.get("version"), int) or not isinstance(found.get("starts"), int):
            return False
        for name in _FIELDS:
            setattr(self, name, found.get(name))
        return True

    def _save(self, **changes):
        # Durable before it counts here.
        state = {}
        for name in _FIELDS:
            state[name] = changes.get(name, getattr(self, name))
        aside = self._root + "slot.new"
        with open(aside, "w") as file:
            file.write(json.dumps(state))
            sync(file)
        os.rename(aside, self._root + "slot")
        self._take(state)


_FIELDS = ("active", "previous", "version", "signature", "outcome", "why", "starts", "sender")


def _remove(folder):
    # With all that is in it, however deep.
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        path = folder + "/" + name
        if os.stat(path)[0] & 0x4000:
            _remove(path)
        else:
            os.remove(path)
    os.rmdir(folder)
