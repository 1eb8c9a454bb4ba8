"""The web application: `uvicorn fastapi_app.main:app`, from the directory `examples`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any
from uuid import UUID, uuid5

from fastapi import Depends, FastAPI, HTTPException, Request

import continuum
from continuum import Client, RunHandle, RunNotFound, RunTerminal
from continuum_supervision import Supervisor
from fastapi_app.orders import Order, Verdict, process_order, review

# An order's id decides the id of its run: no table is needed to find one by the other.
ORDERS = UUID("6f3a1f0e-5d0b-4b52-9a53-5f2f0c1f7a11")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    """Execute orders in this process for as long as it serves requests."""
    node = continuum.children(name="shop", workflows=[process_order], heartbeater={"ttl": 5})
    async with Supervisor(node), continuum.connect(name="shop") as client:
        yield {"client": client}


app = FastAPI(title="Shop", lifespan=lifespan)


def shop(request: Request) -> Client:
    client: Client = request.state.client
    return client


Shop = Annotated[Client, Depends(shop)]


def run_id(order_id: str) -> str:
    return str(uuid5(ORDERS, order_id))


def run_of(client: Client, order_id: str) -> RunHandle[str]:
    return client.handle(run_id(order_id), process_order)


@app.post("/orders", status_code=202)
async def place(order: Order, client: Shop) -> dict[str, Any]:
    """Start an order; placed twice, it is processed once."""
    run = await client.start(process_order, order, id=run_id(order.id))
    return {"order": order.id, "run": run.id, "existing": run.existing}


@app.post("/orders/{order_id}/review", status_code=202)
async def decide(order_id: str, verdict: Verdict, client: Shop) -> dict[str, str]:
    """Tell an order what a person has decided; said twice, it is heard once."""
    try:
        await run_of(client, order_id).signal(review, verdict, delivery_id=verdict)
    except RunNotFound as error:
        raise HTTPException(404, f"there is no order {order_id}") from error
    except RunTerminal as error:
        raise HTTPException(409, f"order {order_id} is {error.state}") from error
    return {"order": order_id, "verdict": verdict}


@app.get("/orders/{order_id}")
async def look(order_id: str, client: Shop) -> dict[str, Any]:
    """Show how far an order is, also while no server executes it."""
    handle = run_of(client, order_id)
    try:
        run = await handle.get()
    except RunNotFound as error:
        raise HTTPException(404, f"there is no order {order_id}") from error
    progress = await handle.read("progress", str, default=None)
    return {"order": order_id, "state": run.state, "progress": progress, "result": run.result}
