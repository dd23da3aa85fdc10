"""Friendly names for runs: an adjective and an animal, drawn from a given Random."""

from __future__ import annotations

from random import Random

_ADJECTIVES = (
    "agile airy amber ample arctic ashen autumn azure balmy bold brave breezy bright brisk bronze calm candid "
    "careful cheery chilly civil clear clever coastal cobalt copper coral cosmic crimson crisp curious dapper "
    "daring deft distant dusky eager early earnest easy elder emerald even fair fancy fast fern fine fleet "
    "floral fond frank free fresh frosty gentle gifted glad golden grand green happy hardy hazel hearty honest "
    "humble icy ideal indigo ivory jade jolly keen kind lasting lilac lively lofty loyal lucid lucky lunar "
    "mellow merry mild mighty misty modest mossy neat nimble noble olive opal orange patient pearl placid plain "
    "polite prime proud quick quiet rapid ready robust rosy royal ruby rustic sandy scarlet serene sharp silent "
    "silver sleek smooth snowy solar solid spry steady stellar still stoic sunny swift tidy"
).split()

_ANIMALS = (
    "adder alpaca ant badger bat bear beaver bee beetle bison boar bobcat buck bunting camel caribou cat cheetah "
    "chough cobra condor coot coyote crab crane cricket crow curlew deer dingo dolphin dove dragonfly duck dunlin "
    "eagle eel egret elk emu ermine falcon ferret finch firefly fox frog gannet gazelle gecko gibbon goat goose "
    "grebe grouse gull hare harrier hawk hedgehog heron hornet horse ibex ibis iguana impala jackal jaguar jay "
    "kestrel kite kiwi koala koi lark lemur leopard linnet lion lizard llama lynx macaw magpie mantis marmot "
    "marten martin merlin mink mole moose moth newt ocelot octopus okapi oriole osprey otter owl panda parrot "
    "pelican petrel pigeon pika plover pony puffin puma quail rabbit raven robin rook salmon seal shrew siskin "
    "skua snipe sparrow starling stoat stork swallow swan swift tapir teal tern thrush tiger toad trout turaco"
).split()


def friendly_name(random: Random) -> str:
    """Return a name such as `quiet-heron`; some 17,000 pairs exist, so names may come again."""
    return f"{random.choice(_ADJECTIVES)}-{random.choice(_ANIMALS)}"
