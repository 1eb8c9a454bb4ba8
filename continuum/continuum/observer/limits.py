"""Every limit of the observer, with its unit and the reason."""

from __future__ import annotations

# Connections for reading. More of them would let a few open pages take the database from the nodes.
READERS = 4
# A statement that takes longer is ended by the server, and its part of the page says so.
STATEMENT_SECONDS = 2.0
# The same with what a read does besides, such as waiting for one of the connections.
PART_SECONDS = 3.0
# A person notices no difference to a faster stream, and the database does.
LIVE_EVERY_SECONDS = 1.0
# Nothing is sent more often.
SHORTEST_LIVE_SECONDS = 0.25
# A page whose database does not answer is read again so soon.
TRY_AGAIN_SECONDS = 3.0
# A page that takes long to read is read for so small a share of the time.
LIVE_SHARE = 0.05
# Proxies close a connection on which nothing comes for a minute.
PING_SECONDS = 15
# A working day: nobody signs in twice a day.
SESSION_SECONDS = 12 * 3600
# A link is for the person who started the observer, now.
LINK_SECONDS = 600
# A form is what a person types: a value for a signal, at most.
FORM_BYTES = 1 << 20
# A longer payload is cut.
PAYLOAD_CHARACTERS = 64 * 1024
# So many runs are on a page unless the address says otherwise.
RUNS_PER_PAGE = 50
# More saved views nobody finds one among.
MOST_VIEWS = 100
# A name is a link beside others.
VIEW_NAME_BYTES = 60
# Operations on a page of them.
OPERATIONS_PER_PAGE = 25
# So many changes are on a page of the record; each is a line.
CHANGES_PER_PAGE = 50
# A run is looked for without an index among so many runs of the order.
LOOKED_AT = 20_000
# Failed runs that are grouped, the latest. Each has an error of some kilobytes.
FAILURES_LOOKED_AT = 500
# The same on the page of a workflow, which shows much else.
FAILURES_OF_A_WORKFLOW = 200
# Events of a history on a page.
EVENTS_PER_PAGE = 200
# A node reports for ten seconds after a look.
LOOK_EVERY_SECONDS = 5.0
# It reports each second; after so many it does not answer.
SILENT_AFTER_SECONDS = 5.0
# People look at a few nodes at a time.
LOOKS_REMEMBERED = 100
# A stream ends with its next ping; a page is read within this.
SHUTDOWN_SECONDS = 2
# Children of a run that its page lists; the next ones are a link away.
CHILDREN_PER_LEVEL = 50
# Runs of a chain, and forks of it.
RELATED_RUNS = 50
# A run publishes its progress under a few names.
PUBLISHED_NAMES = 50
# A search in a history looks at so many events, and continues where it has stopped.
EVENTS_SEARCHED = 1_500
# Events of a history that a timeline draws, and the lanes that they are drawn in.
TIMELINE_EVENTS = 1_000
LANES = 150
# Parts of a long history in the outline above its timeline.
OUTLINE_BINS = 60
