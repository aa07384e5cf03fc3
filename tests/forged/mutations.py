"""What a forger, a broken line or a careless server may do to a call. Pure, by chance."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random

from accounts.api.webhooks import LARGEST

from .callers import Caller
from .calls import Call, without
from .material import (
    ENCODINGS,
    FIGURE,
    MEMBERS,
    MORE,
    NONSENSE,
    NOT_UTF8,
    TYPES,
    bomb,
    digits,
    endless,
    spoilt_body,
    turned,
)


@dataclass(frozen=True)
class Scene:
    """A true call, whose it is, everybody else who is called, and chance."""

    rng: Random
    caller: Caller
    call: Call
    callers: Sequence[Caller]

    @property
    def another(self) -> Call:
        """A true call about another event of the same connection."""
        others = [each for each in self.caller.events if each is not self.call]
        return self.rng.choice(others)

    @property
    def stranger(self) -> Caller:
        """Somebody else, most often at another provider."""
        return self.rng.choice([c for c in self.callers if c is not self.caller])


# -- the body


def body_bit(scene: Scene) -> Call:
    body = bytearray(scene.call.body)
    body[scene.rng.randrange(len(body))] ^= 1 << scene.rng.randrange(8)
    return replace(scene.call, body=bytes(body))


def body_cut(scene: Scene) -> Call:
    body = scene.call.body
    begin, end = sorted(scene.rng.choices(range(len(body)), k=2))
    cut = scene.rng.choice((body[:end], body[end:], body[:begin] + body[end:]))
    return replace(scene.call, body=cut)


def body_longer(scene: Scene) -> Call:
    body, more = scene.call.body, scene.rng.choice(MORE)
    place = scene.rng.choice((0, len(body), scene.rng.randrange(len(body))))
    return replace(scene.call, body=body[:place] + more + body[place:])


def body_member(scene: Scene) -> Call:
    """Say one thing more, at the beginning or at the end."""
    body, more = scene.call.body, scene.rng.choice(MEMBERS)
    if scene.rng.random() < 0.5:
        return replace(scene.call, body=body.replace(b"{", b"{" + more, 1))
    return replace(scene.call, body=body.rstrip()[:-1] + b"," + more[:-1] + b"}")


def body_figure(scene: Scene) -> Call:
    """Shift an amount, an id or a moment."""
    found = list(FIGURE.finditer(scene.call.body))
    if not found:
        return body_bit(scene)
    one = scene.rng.choice(found)
    shift = scene.rng.choice((-300, -1, 1, 10, 301, 3600, 86_400))
    told = str(max(0, int(one[0]) + shift)).encode()
    begin, end = one.span()
    body = scene.call.body
    return replace(scene.call, body=body[:begin] + told + body[end:])


def body_not_utf8(scene: Scene) -> Call:
    body, place = scene.call.body, scene.rng.randrange(len(scene.call.body))
    wrong = scene.rng.choice(NOT_UTF8)
    return replace(scene.call, body=body[:place] + wrong + body[place:])


def body_nonsense(scene: Scene) -> Call:
    """Say something senseless, with the right proof of it."""
    return scene.caller.signed(scene.rng.choice(NONSENSE))


def body_odd(scene: Scene) -> Call:
    """Say something senseless in one place, with the right proof of it."""
    return scene.caller.signed(spoilt_body(scene.rng, scene.call.body))


# -- what proves it


def proof_bit(scene: Scene) -> Call:
    return swapped(scene, lambda text: turned(scene.rng, text))


def proof_shape(scene: Scene) -> Call:
    """Cut the proof, add to it, or write it in another way."""

    def other(text: str) -> str:
        end = scene.rng.randrange(len(text) + 1)
        ways = (
            *("", text[:end], text[end:], text[:-1], text * 2, text.swapcase()),
            *(f"{text}=", f"{text} ", f" {text}", f'"{text}"', f"sha512={text}"),
            *(f"{text}\xe9", "0" * len(text), text[::-1], text.rstrip("=")),
        )
        return scene.rng.choice(ways)

    return swapped(scene, other)


def proof_missing(scene: Scene) -> Call:
    return replace(scene.call, headers=without(scene.call, proofs(scene)))


def proof_doubled(scene: Scene) -> Call:
    """Send two of them: the right one beside itself, another's or a wrong one."""
    more = [pair for pair in scene.another.headers if pair[0].lower() in proofs(scene)]
    if scene.rng.random() < 0.5:
        more = [(name, turned(scene.rng, text)) for name, text in more]
    headers = (*scene.call.headers, *more)
    return replace(
        scene.call, headers=headers if scene.rng.random() < 0.5 else headers[::-1]
    )


def proof_of_another_event(scene: Scene) -> Call:
    return replace(scene.call, headers=scene.another.headers)


def proof_of_another_caller(scene: Scene) -> Call:
    """Show what somebody else's call shows, instead of the right proof or beside it."""
    theirs = scene.rng.choice(scene.stranger.events)
    if scene.rng.random() < 0.5:
        return replace(scene.call, headers=theirs.headers)
    names = {name.lower() for name, _ in scene.call.headers}
    more = (pair for pair in theirs.headers if pair[0].lower() not in names)
    ours = without(scene.call, proofs(scene))
    return replace(scene.call, headers=(*ours, *more))


def proof_of_a_forger(scene: Scene) -> Call:
    return scene.caller.forged()


# -- other headers


def header_bit(scene: Scene) -> Call:
    return swapped(scene, lambda text: turned(scene.rng, text), proven=False)


def header_name(scene: Scene) -> Call:
    """Change a letter of any header's name."""
    place = scene.rng.randrange(len(scene.call.headers))
    name, text = scene.call.headers[place]
    letter = scene.rng.randrange(len(name))
    other = scene.rng.choice("abcdefghijklmnopqrstuvwxyz-_0")
    name = name[:letter] + other + name[letter + 1 :]
    return replaced(scene.call, place, (name, text))


def header_doubled(scene: Scene) -> Call:
    """Send any header twice, perhaps once with another text."""
    name, text = scene.rng.choice(scene.call.headers)
    if scene.rng.random() < 0.5:
        text = turned(scene.rng, text)
    return replace(scene.call, headers=(*scene.call.headers, (name, text)))


def header_moment(scene: Scene) -> Call:
    """Shift a figure in any header: a date, or a timestamp where one is signed."""
    found = [i for i, (_, text) in enumerate(scene.call.headers) if digits(text)]
    place = scene.rng.choice(found)
    name, text = scene.call.headers[place]
    one = scene.rng.choice(digits(text))
    told = str(max(0, int(one[0]) + scene.rng.choice((-301, -1, 1, 301))))
    return replaced(
        scene.call, place, (name, text[: one.start()] + told + text[one.end() :])
    )


def header_type(scene: Scene) -> Call:
    """Say that the body is something else."""
    headers = without(scene.call, ["content-type"])
    headers = (*headers, ("Content-Type", scene.rng.choice(TYPES)))
    if scene.rng.random() < 0.5:
        headers = (*headers, ("Content-Encoding", scene.rng.choice(ENCODINGS)))
    return replace(scene.call, headers=headers)


# -- the address


def address_letter(scene: Scene) -> Call:
    path = scene.call.path
    letters = range(len("/webhooks/"), len(path) - 1)
    place = scene.rng.choice([n for n in letters if path[n] != "/"])
    other = scene.rng.choice("abcdefghijklmnopqrstuvwxyzABC0123456789-_~.%\0\xff é")
    if other == path[place]:
        other = other.upper() if other.islower() else "x"
    return replace(scene.call, path=path[:place] + other + path[place + 1 :])


def address_of_another(scene: Scene) -> Call:
    """Tell somebody else of it, or at another provider's door."""
    theirs = scene.stranger.path
    secret = scene.call.path.rsplit("/", 2)[1]
    mixed = f"{theirs.rsplit('/', 2)[0]}/{secret}/"
    same = scene.rng.random() < 0.5 or mixed == scene.call.path
    return replace(scene.call, path=theirs if same else mixed)


# -- how much there is


def packed(scene: Scene) -> Call:
    """Send the true body packed, which is another body."""
    packed = zlib.compress(scene.call.body, wbits=31)
    return encoded(replace(scene.call, body=packed))


def packed_bomb(scene: Scene) -> Call:
    """Send what becomes a thousand times as long, with the right proof or without."""
    if scene.rng.random() < 0.5:
        return encoded(scene.caller.signed(bomb()))
    return encoded(replace(scene.call, body=bomb()))


def size_at_the_limit(scene: Scene) -> Call:
    return filled(scene, LARGEST - scene.rng.randrange(3))


def size_beyond(scene: Scene) -> Call:
    return filled(scene, LARGEST + scene.rng.choice((1, 2, 1000, LARGEST)))


def size_far_beyond(scene: Scene) -> Call:
    return replace(scene.call, body=endless())


def length_untrue(scene: Scene) -> Call:
    """Say another length than it has, or one that is none."""
    true = len(scene.call.body)
    odd = ("", "0", "-1", "+1", "1e3", "0x10", " 7", "x", "\xb2", f"{true},{true}")
    numbers = (true - 1, true + 1, scene.rng.randrange(true), LARGEST, 10**20)
    length = scene.rng.choice((*odd, *map(str, numbers)))
    return replace(scene.call, length=length)


# -- nothing at all


def again(scene: Scene) -> Call:
    return scene.call


# How often each kind is tried, beside the others.
KINDS: dict[Callable[[Scene], Call], int] = {
    body_bit: 22,
    body_cut: 5,
    body_longer: 5,
    body_member: 4,
    body_figure: 6,
    body_not_utf8: 3,
    body_nonsense: 2,
    body_odd: 4,
    proof_bit: 18,
    proof_shape: 6,
    proof_missing: 2,
    proof_doubled: 4,
    proof_of_another_event: 4,
    proof_of_another_caller: 5,
    proof_of_a_forger: 2,
    header_bit: 5,
    header_name: 4,
    header_doubled: 3,
    header_moment: 3,
    header_type: 3,
    address_letter: 6,
    address_of_another: 4,
    packed: 2,
    packed_bomb: 1,
    size_at_the_limit: 1,
    size_beyond: 1,
    size_far_beyond: 1,
    length_untrue: 3,
    again: 4,
}


def mutated(scene: Scene) -> tuple[str, Call]:
    """Return a kind of change, by name, and the call that is changed like that."""
    [kind] = scene.rng.choices(list(KINDS), weights=KINDS.values())
    return kind.__name__.replace("_", " "), kind(scene)


# -- helpers


def proofs(scene: Scene) -> frozenset[str]:
    """Return the headers that prove a call; where none does, one that any call has."""
    return scene.caller.proofs or frozenset({"user-agent"})


def swapped(scene: Scene, other: Callable[[str], str], *, proven: bool = True) -> Call:
    """Return the call with one header's text as `other` makes it."""
    names = proofs(scene)
    found = [
        place
        for place, (name, _) in enumerate(scene.call.headers)
        if (name.lower() in names) == proven
    ]
    place = scene.rng.choice(found)
    name, text = scene.call.headers[place]
    return replaced(scene.call, place, (name, other(text)))


def replaced(call: Call, place: int, pair: tuple[str, str]) -> Call:
    return replace(
        call, headers=(*call.headers[:place], pair, *call.headers[place + 1 :])
    )


def encoded(call: Call) -> Call:
    return replace(call, headers=(*call.headers, ("Content-Encoding", "gzip")))


def filled(scene: Scene, size: int) -> Call:
    """Return the call so long, by blanks behind it, with the right proof or the old one."""
    body = scene.call.body.ljust(size)
    if scene.rng.random() < 0.5:
        return scene.caller.signed(body)
    return replace(scene.call, body=body)
