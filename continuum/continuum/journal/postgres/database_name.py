"""How a database is named to people: never with a password."""

from __future__ import annotations

from itertools import zip_longest

from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Conninfo

USUAL_PORT = "5432"


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


def _hosts(hosts: str, ports: str) -> str:
    if not hosts:
        return "this machine" if ports == USUAL_PORT else f"this machine, port {ports}"
    one = ports if "," not in ports else USUAL_PORT
    pairs = zip_longest(hosts.split(","), ports.split(",") if "," in ports else (), fillvalue=one)
    return ", ".join(host if port in ("", USUAL_PORT) else f"{host}:{port}" for host, port in pairs)
