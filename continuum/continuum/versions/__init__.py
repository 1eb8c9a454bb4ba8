"""Versions of workflow code: what tells two of them apart, and how an old one is kept.

Start with `content_hash.py` (the hash that names a version), then `reachable_code.py` (which code counts),
`normal_form.py` (how a syntax tree is written down so that only meaning counts), `pinning.py`
(source that runs keep). Which version takes up which run is the journal's and the dispatcher's business.
"""
