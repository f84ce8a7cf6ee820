# What a board runs besides its application: settings, network, LED, watchdog, log, safe mode, updates.
#
#     from msgin5g.board import run
#
#     run.main()                                                     main.py
