"""How a database is named to people: never with a password."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import Conninfo

USUAL_PORT = "5432"
_OTHER_SECRETS = {"oauth_client_secret", "scram_client_key", "scram_server_key"}


def database_name(dsn: str) -> str:
    """Return which database a DSN and the environment name, like `database app on db:5433`."""
    given = conninfo_to_dict(dsn)
    if "service" in given:
        return f"the database of service {given['service']}"
    known = {
        option.keyword.decode(): option.val.decode()
        for option in Conninfo.get_defaults()
        if option.val is not None
    } | {name: str(value) for name, value in given.items()}
    database = known.get("dbname") or known.get("user") or "postgres"
    return f"database {database} on {_hosts(known.get('host') or known.get('hostaddr') or '', known['port'])}"


def without_password(dsn: str) -> str:
    """Return a DSN that says PASSWORD in place of each password and other secret in it."""
    given = conninfo_to_dict(dsn)
    # The options that libpq says are not to be shown.
    hidden = {option.keyword.decode() for option in Conninfo.get_defaults() if option.dispchar == b"*"}
    secrets: dict[str, Any] = dict.fromkeys(given.keys() & (hidden | _OTHER_SECRETS), "PASSWORD")
    return make_conninfo(dsn, **secrets) if secrets else dsn


def _hosts(hosts: str, ports: str) -> str:
    if not hosts:
        return "this machine" if ports == USUAL_PORT else f"this machine, port {ports}"
    one = ports if "," not in ports else USUAL_PORT
    pairs = zip_longest(hosts.split(","), ports.split(",") if "," in ports else (), fillvalue=one)
    return ", ".join(host if port in ("", USUAL_PORT) else f"{host}:{port}" for host, port in pairs)
