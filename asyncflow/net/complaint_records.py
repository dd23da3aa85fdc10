"""Consumer complaints of our own making, in the shape of the CFPB complaint search API's `_source`.

Companies and narratives are invented. Record n depends on the seed and on n alone, so a longer list begins
with the shorter one.
"""

from __future__ import annotations

from datetime import date, timedelta
from itertools import islice
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Record = dict[str, Any]

_FIRST_DAY = date(2022, 1, 3)
_FIRST_ID = 7_000_000

# (product, sub-products, issues with their sub-issues)
_PRODUCTS: tuple[tuple[str, tuple[str | None, ...], tuple[tuple[str, tuple[str | None, ...]], ...]], ...] = (
    (
        "Credit reporting, credit repair services, or other personal consumer reports",
        ("Credit reporting", "Credit reporting", "Other personal consumer report"),
        (
            (
                "Incorrect information on your report",
                ("Information belongs to someone else", "Account information incorrect"),
            ),
            ("Improper use of your report", ("Reporting company used your report improperly", None)),
        ),
    ),
    (
        "Debt collection",
        ("Medical debt", "Other debt", "I do not know"),
        (
            ("Attempts to collect debt not owed", ("Debt is not yours", "Debt was paid")),
            ("Written notification about debt", ("Didn't receive notice of right to dispute",)),
        ),
    ),
    (
        "Mortgage",
        ("Conventional home mortgage", "FHA mortgage"),
        (("Trouble during payment process", (None,)), ("Struggling to pay mortgage", (None,))),
    ),
    (
        "Credit card or prepaid card",
        ("General-purpose credit card or charge card", "Store credit card", None),
        (
            ("Problem with a purchase shown on your statement", ("Card was charged twice", None)),
            ("Fees or interest", ("Problem with fees",)),
        ),
    ),
    (
        "Checking or savings account",
        ("Checking account", "Savings account"),
        (
            ("Managing an account", ("Deposits and withdrawals", "Fee problem")),
            ("Closing an account", (None,)),
        ),
    ),
    (
        "Student loan",
        (None,),
        (("Dealing with your lender or servicer", ("Received bad information about your loan",)),),
    ),
)

_COMPANY_FIRST = (
    "Amber",
    "Birch",
    "Copper",
    "Drift",
    "Elder",
    "Fern",
    "Granite",
    "Harbor",
    "Ivory",
    "Juniper",
)
_COMPANY_SECOND = ("Brook", "Field", "Gate", "Hollow", "Kettle", "Lantern", "Meadow", "Ridge")
_COMPANY_LAST = (
    "Example Bank",
    "Example Bank, N.A.",
    "Example Credit Union",
    "Example Recovery Services, LLC",
)

_STATES = (
    "AZ",
    "CA",
    "CO",
    "FL",
    "GA",
    "IL",
    "MA",
    "MD",
    "MI",
    "NC",
    "NJ",
    "NV",
    "NY",
    "OH",
    "PA",
    "TX",
    "VA",
    "WA",
)

_OPENINGS = (
    "On XX/XX/XXXX I noticed a charge of {{${amount}.00}} that I never made.",
    "I have asked XXXX three times to correct an entry of {{${amount}.00}}.",
    "A letter about {{${amount}.00}} arrived, although the account was closed in XXXX.",
)
_MIDDLES = (
    "The first agent promised a call within two days, and no call came.",
    "I sent the receipts twice and was told each time that they had not arrived.",
    "The answer was a form letter that speaks of another account.",
)
_ENDINGS = (
    "I want the entry corrected and a written confirmation.",
    "Please have the amount returned to me.",
    "I only want somebody to read the documents that I sent.",
)

_PUBLIC_RESPONSES = (
    "Company has responded to the consumer and the CFPB and chooses not to provide a public response",
    "Company believes it acted appropriately as authorized by contract or law",
    "Company disputes the facts presented in the complaint",
)


def complaints(random: Random, count: int) -> list[Record]:
    """Return `count` complaints, oldest first.

    Args:
        random: decides everything; the same seed gives the same records.
        count: how many, 0 or more.
    """
    return list(islice(_endless(random), count))


def _endless(random: Random) -> Iterator[Record]:
    day, number = _FIRST_DAY, _FIRST_ID
    while True:
        day += timedelta(days=random.choice((0, 0, 0, 1, 1, 2)))
        number += random.randint(1, 9)
        yield _complaint(random, day, str(number))


def _complaint(random: Random, day: date, number: str) -> Record:
    product, sub_products, issues = random.choice(_PRODUCTS)
    issue, sub_issues = random.choice(issues)
    consent = random.choices(
        (None, "Consent provided", "Consent not provided", "N/A", "Other"), weights=(50, 25, 18, 6, 1)
    )[0]
    narrative = _narrative(random) if consent == "Consent provided" else ""
    return {
        "product": product,
        "sub_product": random.choice(sub_products),
        "issue": issue,
        "sub_issue": random.choice(sub_issues),
        "complaint_what_happened": narrative,
        "date_received": _noon(day),
        "date_sent_to_company": _noon(day + timedelta(days=random.choice((0, 0, 0, 1, 5)))),
        "company": _company(random),
        "company_response": _mostly(
            random, "Closed with explanation", "In progress", "Closed with monetary relief"
        ),
        "company_public_response": random.choice((None, None, *_PUBLIC_RESPONSES)),
        "state": random.choice(_STATES),
        "zip_code": _zip_code(random),
        "tags": random.choices((None, "Servicemember", "Older American"), weights=(90, 6, 4))[0],
        "has_narrative": bool(narrative),
        "complaint_id": number,
        "timely": _mostly(random, "Yes", "No"),
        "consumer_consent_provided": consent,
        "consumer_disputed": "N/A",
        "submitted_via": _mostly(random, "Web", "Phone", "Postal mail", "Referral", "Fax"),
    }


def _noon(day: date) -> str:
    """Return the API's way of writing a day: noon at a fixed offset, whatever the season."""
    return f"{day.isoformat()}T12:00:00-05:00"


def _company(random: Random) -> str:
    first, second, last = (random.choice(part) for part in (_COMPANY_FIRST, _COMPANY_SECOND, _COMPANY_LAST))
    return f"{first} {second} {last}"


def _narrative(random: Random) -> str:
    opening = random.choice(_OPENINGS).format(amount=random.randrange(10, 9000))
    return f"{opening} {random.choice(_MIDDLES)} \n\n{random.choice(_ENDINGS)}"


def _zip_code(random: Random) -> str:
    digits = f"{random.randrange(1000, 99951):05d}"
    return random.choices((digits, f"{digits[:3]}XX", "XXXXX"), weights=(88, 10, 2))[0]


def _mostly(random: Random, usual: str, *others: str) -> str:
    return usual if random.random() < 0.85 else random.choice(others)
