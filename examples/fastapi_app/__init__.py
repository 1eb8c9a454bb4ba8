"""A web shop: FastAPI in front, orders as durable workflows in the same process."""
