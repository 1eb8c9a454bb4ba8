"""Fuzzing: bytes and texts that nobody would write, given to everything that reads from outside.

`python -m tests.fuzzing --inputs 1000000 --target frames` says how fast it was and what it found; an input
that broke something is kept in `corpus/TARGET`, and the suite tries it again for ever. `fuzzing` is the loop,
`mutation` makes new inputs from old ones, and each of the other files reads one kind of input.
"""
