"""The checker: whether what a journal has stored keeps the invariants. Read `verify.py` first.

Each `…_rules.py` has the rules of one noun as pure functions: facts in, findings out. They know no
database and no workflow code; `journal/stored_facts.py` says what they see. What only an observer of
every commit can see (a token that shrinks, an event that changes) is checked by the simulator in
`tests/simulation`, which runs these rules as well.
"""
