"""Functions of the schema with a part left out that looks superfluous; the explorer must find each."""

from __future__ import annotations

import psycopg
from psycopg.sql import SQL, Literal

_LOCKS_THE_WORKER = """UPDATE {schema}.workers SET batch = p_batch
    WHERE id = p_worker AND batch < p_batch AND expires_at > clock_timestamp();"""

# Function, text in it, and what replaces it.
BROKEN: dict[str, tuple[tuple[str, str, str], ...]] = {
    "a fence by plain join": (
        ("commit_batch", "FOR NO KEY UPDATE\n            ) r", ") r"),
        (
            "commit_batch",
            _LOCKS_THE_WORKER,
            "PERFORM FROM {schema}.workers WHERE id = p_worker AND expires_at > clock_timestamp();",
        ),
    ),
    "a post that locks no run": (
        (
            "post_attempts",
            "FROM {schema}.runs r WHERE r.id = v_run FOR NO KEY UPDATE;\n            EXIT",
            "FROM {schema}.runs r WHERE r.id = v_run;\n            EXIT",
        ),
    ),
    "a repetition that does not look for the first attempt": (
        ("post_attempts", "p_attempt[i] > 1 AND {schema}.has_received(v_root, p_name[i], p_key[i])", "false"),
    ),
    "a repetition that does not look into the history": (
        (
            "has_received",
            "OR EXISTS (SELECT FROM {schema}.events",
            "OR false AND EXISTS (SELECT FROM {schema}.events",
        ),
    ),
    "a first attempt that does not look for its repetition": (
        ("post_attempts", "v_known := EXISTS (", "v_known := false AND EXISTS ("),
    ),
    "a first write that does not look for mail": (
        ("take_runs", " AND NOT EXISTS (SELECT FROM {schema}.inbox i WHERE i.run_id = r.id)", ""),
    ),
    "a first write that takes what has an owner": (
        ("take_runs", "x.token = 0 AND x.owner IS NULL AND ", ""),
        ("take_runs", " AND x.version IS NULL", ""),
    ),
    "a first write that creates without a lease": (
        ("commit_creating_batch", "IF {schema}.may_commit(p_worker, p_batch) THEN", "IF true THEN"),
    ),
    "a first write that creates what exists": (("commit_creating_batch", "ON CONFLICT DO NOTHING", ""),),
    "a first write that resumes what somebody has owned since": (
        ("resume_runs", "x.token = t.before AND ", ""),
    ),
    "a first write that resumes what has an owner": (
        ("resume_runs", "x.token = t.before AND x.owner IS NULL AND x.state = 2\n", "true\n"),
    ),
    "a claim that does not confirm its worker": (
        ("own_runs", "FOR KEY SHARE SKIP LOCKED;\n    IF NOT FOUND THEN", ";\n    IF NOT FOUND THEN"),
    ),
}


def break_function(dsn: str, schema: str, name: str) -> None:
    """Replace functions of a schema by broken ones."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        for function, text, replacement in BROKEN[name]:
            query = SQL("select pg_get_functiondef(oid) from pg_proc where proname = {} and {}")
            where = SQL("pronamespace = {}::regnamespace").format(Literal(schema))
            # Functions of one name come in any order.
            sources = [row[0] for row in connection.execute(query.format(Literal(function), where))]
            quoted = f'"{schema}"'
            old, new = text.replace("{schema}", quoted), replacement.replace("{schema}", quoted)
            meant = [source for source in sources if old in source]
            assert len(meant) == 1, f"{function} has another text now: {sources}"
            connection.execute(meant[0].replace(old, new).encode())
