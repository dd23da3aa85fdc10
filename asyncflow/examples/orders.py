"""An order in three steps that each leave a row behind; what was done is undone when a later step fails."""

from __future__ import annotations

import sqlite3
from typing import Any

from asyncflow import flow, task
from asyncflow.policies import Resource

DATABASE = "orders.db"

database = Resource("orders.db", capacity=1)


def execute(statement: str, *values: Any) -> int:
    """Run a statement in a transaction of its own; return the number of the row that it made."""
    connection = sqlite3.connect(DATABASE)
    try:
        with connection:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS entry "
                "(number INTEGER PRIMARY KEY, step TEXT, item TEXT, undone TEXT)"
            )
            return connection.execute(statement, values).lastrowid or 0
    finally:
        connection.close()


def write(step: str, item: str) -> int:
    """Write what a step did; return the row's number."""
    return execute("INSERT INTO entry (step, item) VALUES (?, ?)", step, item)


def take_back(number: int) -> None:
    """Note that what a row stands for was undone."""
    execute("UPDATE entry SET undone = 'yes' WHERE number = ?", number)


@task(uses=database)
def book(item: str) -> int:
    """Put an item aside in the warehouse."""
    return write("book", item)


@book.on_rollback
def unbook(number: int, item: str) -> None:
    """Put it back on its shelf."""
    take_back(number)
    write("unbook", item)


@task(uses=database)
def charge(item: str, booking: int) -> int:
    """Take the customer's money."""
    return write("charge", f"{item} of booking {booking}")


@charge.on_rollback(retry=3, timeout=10.0)
def refund(number: int, item: str, booking: int) -> None:
    """Give it back; this is tried three times."""
    take_back(number)
    write("refund", f"{item} of booking {booking}")


@task(uses=database, max_retries=1, retry_delay=1.0)
def ship(item: str, payment: int) -> int:
    """Send the item off."""
    return write("ship", f"{item} for payment {payment}")


@flow(name="order")
async def order(item: str = "a lamp") -> Any:
    """Book, charge, ship; all of it or nothing."""
    booking = book(item)
    payment = charge(item, booking.later)
    return ship(item, payment.later)
