"""Spans of a node whose processes die: what was begun there is lost, and nothing is twice."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from tests.process.node.nodes import DEADLINE_S, site

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
SPAN_ID = "b7ad6b7169203331"
CODE = """
import json
import os
from pathlib import Path

from opentelemetry import trace
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

import continuum

PLACE = Path({place!r})

def tell(kind, span):
    parent = span.parent and f"{{span.parent.trace_id:032x}}-{{span.parent.span_id:016x}}"
    facts = [kind, span.name, parent, span.start_time, span.end_time, dict(span.attributes or {{}})]
    with (PLACE / "spans").open("a") as file:
        file.write(json.dumps(facts) + chr(10))

class Begun(SpanProcessor):
    def on_start(self, span, parent_context=None):
        tell("begun", span)

class ToFile(SpanExporter):
    def export(self, spans):
        for span in spans:
            tell("ended", span)
        return SpanExportResult.SUCCESS

provider = TracerProvider()
provider.add_span_processor(Begun())
# It exports after a minute, or when somebody asks it to.
provider.add_span_processor(BatchSpanProcessor(ToFile(), schedule_delay_millis=60_000))
trace.set_tracer_provider(provider)

go = continuum.Signal("go", str)

@continuum.activity(name="spans.fragile")
async def fragile() -> int:
    if not (PLACE / "killed").exists():
        (PLACE / "killed").touch()
        os.kill(os.getpid(), 9)
    return os.getpid()

@continuum.activity(name="spans.isolated", executor="process")
def isolated() -> int:
    return os.getpid()

@continuum.workflow(name="spans.flow")
async def flow() -> None:
    await fragile()
    await go.wait()
    await isolated()
"""


async def test_spans_of_a_killed_process_are_lost_and_those_of_its_successors_are_there_once(
    dsn: str, schema: str, tmp_path: Path
) -> None:
    (tmp_path / "spans_code.py").write_text(CODE.format(place=str(tmp_path)))
    async with site(dsn, schema) as at:
        node = at.node(
            "north",
            run_hosts=1,
            activity_hosts=1,
            modules=["spans_code"],
            environment={"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        )
        run = await at.client.start("spans.flow", trace_context=f"00-{TRACE_ID}-{SPAN_ID}-01")
        await at.until_state(run, "suspended")
        await run.signal("go", "yes")
        await run.result(DEADLINE_S)
        row = await at.client.get_run(run.id)
        ((claims,),) = await at.sql("SELECT attempt FROM {schema}.runs")
        assert node.terminate() == 0
    told = [json.loads(line) for line in (tmp_path / "spans").read_text().splitlines()]
    ended = [facts for kind, *facts in told if kind == "ended"]
    # The first stay ended with its process, and the first attempt of that began is lost.
    assert Counter(name for name, *_ in ended) == {
        "activity spans.fragile": 1,
        "activity spans.isolated": 1,
        "run spans.flow": 1,
        "stay spans.flow": claims - 1,
    }
    assert Counter(name for kind, name, *_ in told if kind == "begun") == {
        "activity spans.fragile": 2,
        "activity spans.isolated": 1,
        "run spans.flow": 1,
        "stay spans.flow": claims - 1,
    }
    whole = only(ended, "run spans.flow")
    assert only(ended, "activity spans.isolated")[0] == whole[0] == f"{TRACE_ID}-{SPAN_ID}"
    assert whole[1] == round(row.started_at.timestamp() * 1e6) * 1000
    assert row.completed_at is not None
    # The commit ended before its answer had come back.
    assert whole[2] >= whole[1]
    assert whole[3]["continuum.outcome"] == "completed"


def only(ended: list[list[Any]], name: str) -> list[Any]:
    """Return what is known of the one span of this name."""
    (found,) = [facts for each, *facts in ended if each == name]
    return found
