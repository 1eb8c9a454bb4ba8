"""Histories outside of the database: read, kept in files, replayed through code, watched and debugged.

Read `replay.py` first: it replays a history (`histories.py`) through a workflow in the caller's thread,
without any effect. `history_files.py` writes and reads them, `asked_lines.py` notes which line asked for each
event, and `time_travel.py` stops a replay in a debugger (`debugger.py`) at the code that `workflow_frames.py`
finds. Nothing here writes to a database or executes an activity.
"""
