# What a board runs; what it is to do is in settings.json, device.json and app.py.

from msgin5g.board import run

run.main()
