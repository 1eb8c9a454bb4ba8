"""Every order of overlapping transactions of two or three actors on one or two runs, on a real Postgres.

`explorer` runs one schedule after the other until there is no other, `scenarios` says who does what,
`invariants` judges what has come of it, and `broken_functions` are functions whose faults must be found.
`python -m tests.interleavings` prints how many schedules there are.
"""
