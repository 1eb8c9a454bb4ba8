from datetime import timedelta

import continuum
from continuum import ChildFailed, Signal, activity, workflow

more = Signal("more", list[str])


@activity
async def reserve(kind: str, trip: str) -> str:
    return f"{kind} for {trip}"


@activity
async def release(reservation: str) -> None: ...


@activity(idempotency_key="pay {trip}")
async def pay(trip: str) -> None:
    if trip == "Atlantis":
        raise LookupError("there is no such place")


@workflow
async def book(trip: str) -> list[str]:
    try:
        flight = await reserve.options(compensate=release)("flight", trip)  # undone by release(flight)
        hotel = await reserve.options(compensate=release)("hotel", trip)
        await pay(trip)
    except continuum.ActivityError:
        await continuum.compensate_all(mode="parallel")
        raise
    return [flight.result, hotel.result]


@workflow(signals=[more], retention=timedelta(days=30))
async def agency(trips: list[str], booked: int = 0) -> int:
    children = [await book.start_child(trip, id=trip) for trip in trips]  # side by side, each a run
    for child in children:
        try:
            await child
            booked += 1
        except ChildFailed as failure:
            continuum.log.warning("not booked: %s", failure.message)
        continuum.publish("booked", booked)  # `await run.read("booked")` and `run.watch(...)` outside
    if continuum.patched("rest at night"):  # true for runs that get here first with this line
        await continuum.sleep(timedelta(hours=8))
    try:
        trips = await more.wait(timeout=timedelta(days=7))
    except TimeoutError:
        return booked
    agency.continue_as_new(trips, booked)  # an empty history; the run's id keeps working
