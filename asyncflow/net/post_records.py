"""Posts, comments, albums, photos, todos and users of our own making, in the shapes of JSONPlaceholder.

With 100 posts the collections are as large as the original's: 500 comments, 100 albums, 5,000 photos,
200 todos, 10 users. No name or address in them belongs to anybody.
"""

from __future__ import annotations

from random import Random
from typing import Any

from asyncflow.names import friendly_name

Record = dict[str, Any]
Collections = dict[str, list[Record]]

POSTS = 100
"""How many posts there are when nobody says otherwise."""

_VOCABULARY = (
    "again alone anchor answer apple autumn basket bridge candle carries chalk cloud corner counts dawn "
    "delay  drawer early east echo evening field first follows garden glass harbor hears hill hollow "
    "inside keeps  kettle ladder lantern late leaves letter light listens lower map marks meadow minute "
    "morning near north  open order paper path pattern quiet rain returns ridge river room season second "
    "shadow signal slow small  south spring stone table third thread tide turns under valley waits water "
    "west window winter without wood"
)
_WORDS = _VOCABULARY.split()
_STREETS = ("Anchor Street", "Bridge Road", "Chalk Lane", "Harbor Walk", "Ladder Hill", "Meadow Way")
_CITIES = ("Eastwater", "Fernbridge", "Greyhollow", "Northmeadow", "Stonetide")
_TRADES = ("lanterns", "ladders", "kettles", "maps", "threads")


def post_collections(random: Random, posts: int = POSTS) -> Collections:
    """Return all collections by name.

    Args:
        random: decides everything; the same seed gives the same records.
        posts: how many posts; the other collections grow with it.
    """
    users = -(-posts // 10)
    albums = users * 10
    return {
        "posts": [_post(random, number) for number in range(1, posts + 1)],
        "comments": [_comment(random, number) for number in range(1, posts * 5 + 1)],
        "albums": [
            {"userId": _owner(number, 10), "id": number, "title": _words(random, 3, 6)}
            for number in range(1, albums + 1)
        ],
        "photos": [_photo(random, number) for number in range(1, albums * 50 + 1)],
        "todos": [
            {
                "userId": _owner(number, 20),
                "id": number,
                "title": _words(random, 3, 7),
                "completed": random.random() < 0.45,
            }
            for number in range(1, users * 20 + 1)
        ],
        "users": [_user(random, number) for number in range(1, users + 1)],
    }


def _owner(number: int, each: int) -> int:
    """Return the owner of item `number` where every owner has `each` items, both counted from 1."""
    return (number - 1) // each + 1


def _words(random: Random, least: int, most: int) -> str:
    return " ".join(random.choices(_WORDS, k=random.randint(least, most)))


def _text(random: Random) -> str:
    return "\n".join(_words(random, 5, 9) for _ in range(4))


def _post(random: Random, number: int) -> Record:
    return {"userId": _owner(number, 10), "id": number, "title": _words(random, 4, 8), "body": _text(random)}


def _comment(random: Random, number: int) -> Record:
    return {
        "postId": _owner(number, 5),
        "id": number,
        "name": _words(random, 3, 6),
        "email": f"{friendly_name(random)}@mail.example",
        "body": _text(random),
    }


def _photo(random: Random, number: int) -> Record:
    color = f"{random.getrandbits(24):06x}"
    return {
        "albumId": _owner(number, 50),
        "id": number,
        "title": " ".join(random.choices(_WORDS, k=4)),
        "url": f"https://images.example/600/{color}",
        "thumbnailUrl": f"https://images.example/150/{color}",
    }


def _user(random: Random, number: int) -> Record:
    slug = friendly_name(random)
    return {
        "id": number,
        "name": slug.replace("-", " ").title(),
        "username": slug.replace("-", "_"),
        "email": f"{slug}@mail.example",
        "address": {
            "street": random.choice(_STREETS),
            "suite": f"Apt. {random.randrange(100, 1000)}",
            "city": random.choice(_CITIES),
            "zipcode": f"{random.randrange(10000, 100000)}-{random.randrange(1000, 10000)}",
            "geo": {"lat": f"{random.uniform(-90, 90):.4f}", "lng": f"{random.uniform(-180, 180):.4f}"},
        },
        "phone": f"555-01{random.randrange(100):02d}",
        "website": f"{slug}.example",
        "company": {
            "name": f"{slug.rpartition('-')[2].title()} Example Works",
            "catchPhrase": _words(random, 3, 4),
            "bs": f"{_words(random, 1, 1)} {random.choice(_TRADES)}",
        },
    }
