#!/usr/bin/env python3
"""Verifies evidence of a Decklog log, written from ops/handbook/evidence-format.md alone.

    verify.py BUNDLE... [--policy FILE] [--head FILE]... [--as-of WHEN] [--now WHEN] [--json]

Needs Python 3.9 and the package `cryptography`, and nothing of Decklog. It checks bytes, signatures, counters, back-hashes, the
tree, heads, witnesses and payloads that are shown; rules of jobs and people, schedules, controls and time stamps are
decklog-verify's. Of a bundle in parts (NAME.001, NAME.002, ...) name the first, or all. VERIFIED exits with 0, TAMPERED with 1, INCONCLUSIVE with 2; 3: the call is wrong.
"""

import argparse, base64, glob, hashlib, json, re, struct, sys, time
from collections import namedtuple
from datetime import datetime, timezone

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

FORMAT_OF_PARTS = "decklog-evidence-part-1"
FORMAT, LEAF_TAG, EVENT_TYPE = "decklog-evidence-1", b"decklog-leaf-1\n", b"application/vnd.decklog.event+json"
FLUSH_EVENTS_MAX, CLOCKS, SEGMENT = 256, 300, 16384  # events without a signature; seconds by which clocks may differ; events
OPEN = set("FILE_MISSING EVENT_UNKNOWN COSIGNATURE_TIME HELD_TRUNCATION HELD_LOST LOG_CONTINUED NO_POLICY NO_QUORUM STALE_HEAD PAYLOAD_MISSING PARTIAL".split())
SHOWN = re.compile(b"decklog-payload-1\n([1-9][0-9]{0,18}) ([0-9a-f-]{36})\n([0-9a-f]{64})\n")
ORDER = 2**252 + 27742317777372353535851937790883648493
NAME = re.compile(r"([A-Za-z0-9_-][A-Za-z0-9._-]*/)*[A-Za-z0-9_-][A-Za-z0-9._-]*")


class Wrong(Exception):
    """Bytes that are not what they should be; `kind` is the name of the finding."""

    def __init__(self, kind, text):
        super().__init__(text)
        self.kind = kind


def refuse(wrong, kind, text):
    if wrong:
        raise Wrong(kind, text)


# Ed25519, by the strict rules: no key and no commitment of small order, one form of each number.

HIGH, EIGHT = 2**255 - 20, ("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
                            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")
# The encodings of the eight points of small order, also those that are not reduced.
SMALL = {(y | bit << 255).to_bytes(32, "little") for bit in (0, 1)
         for y in [0, 1, HIGH, HIGH + 1, HIGH + 2] + [int.from_bytes(bytes.fromhex(y), "little") for y in EIGHT]}


def signed(key, message, signature):
    if len(signature) != 64 or {key, signature[:32]} & SMALL or int.from_bytes(signature[32:], "little") >= ORDER:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
        return True
    except (InvalidSignature, ValueError):
        return False


def sealed(key, envelope, seal):
    """Whether a seal (DSSE) is by this key."""
    message = b"DSSEv1 %d %s %d %s" % (len(EVENT_TYPE), EVENT_TYPE, len(envelope), envelope)
    return seal[0] == sha(key) and signed(key, message, seal[1])


def sha(data):
    return hashlib.sha256(data).digest()


# The tree (RFC 6962) and its tiles (C2SP tlog-tiles).

class Tree:
    """The right edge: the roots of complete subtrees, the largest first."""

    def __init__(self, leaves=()):
        self.size, self.edge = 0, []
        for leaf in leaves:
            self.push(leaf)

    def push(self, leaf):
        at, node = self.size, leaf
        while at & 1:
            node, at = sha(b"\1" + self.edge.pop() + node), at >> 1
        self.edge.append(node)
        self.size += 1

    def root(self):
        node = self.edge[-1] if self.edge else sha(b"")
        for left in reversed(self.edge[:-1]):
            node = sha(b"\1" + left + node)
        return node


def tile_path(level, index, width):
    parts = ["%03d" % (index % 1000)]
    while index >= 1000:
        index //= 1000
        parts.insert(0, "x%03d" % (index % 1000))
    return "tile/%s/%s%s" % (level, "/".join(parts), "" if width == 256 else ".p/%d" % width)


def tiles(leaves):
    """All tiles of hashes, by their paths, each with how many entries stand in front of it."""
    made, level, size = {}, 0, len(leaves)
    while leaves:
        parts = [leaves[at:at + 256] for at in range(0, len(leaves), 256)]
        for index, part in enumerate(parts):
            front = (index + 1) * 256 ** (level + 1) if len(part) == 256 else size
            made[tile_path(level, index, len(part))] = (b"".join(part), front)
        leaves, level = [Tree(part).root() for part in parts if len(part) == 256], level + 1
    return made


# Notes, heads, keys and policies (C2SP signed-note, tlog-checkpoint, tlog-cosignature, tlog-policy).

def canonical64(text):
    fits = re.fullmatch("[A-Za-z0-9+/]*={0,2}", text) and len(text) % 4 == 0
    data = base64.b64decode(text) if fits else None
    return data if fits and base64.b64encode(data).decode() == text else None


def key_id(name, kind, key):
    return sha(name.encode() + b"\n" + bytes([kind]) + key)[:4]


def read_key(text, kind):
    parts = text.split("+", 2)
    data = canonical64(parts[2]) if len(parts) == 3 else None
    good = data is not None and len(data) == 33 and data[0] == kind and data[1:] not in SMALL
    if not good or parts[1] != key_id(parts[0], kind, data[1:]).hex():
        raise ValueError("%r is no key of type %d, or has another id" % (text, kind))
    return parts[0], data[1:]


class Head:
    def __init__(self, data):
        self.text, self.lines = self.note(data)
        parts = self.text[:-1].split("\n")
        refuse(len(parts) != 3 or not parts[0] or any(c < " " or "\x7f" <= c <= "\x9f" for c in parts[0]), "HEAD_FORM", "not three lines")
        self.origin, size, root = parts
        refuse(not re.fullmatch("0|[1-9][0-9]{0,19}", size) or int(size) >= 2**64, "HEAD_FORM", "size %r" % size)
        self.size, self.root = int(size), canonical64(root)
        refuse(self.root is None or len(self.root) != 32, "HEAD_FORM", "root %r" % root)

    @staticmethod
    def note(data):
        note = data.decode("utf-8", "replace")
        plain = note.encode() == data and len(data) <= 256 * 1024 and not any(c < " " and c != "\n" for c in note)
        refuse(not plain or "\n\n" not in note or not note.endswith("\n"), "HEAD_FORM", "not a note: text, a blank line, and lines")
        end = note.rindex("\n\n") + 1
        lines = [Head.line(line) for line in note[end + 1:].split("\n")[:-1]]
        refuse(not 1 <= len(lines) <= 100, "HEAD_FORM", "%d signatures" % len(lines))
        return note[:end], lines

    @staticmethod
    def line(line):
        match = re.fullmatch("— ([^\\s+]+) ([A-Za-z0-9+/=]+)", line)
        data = canonical64(match.group(2)) if match else None
        refuse(data is None or len(data) < 5, "HEAD_FORM", "line %r" % line[:80])
        return match.group(1), data[:4], data[4:]

    def of(self, name, kind, key):
        ident = key_id(name, kind, key)
        return [data for other, line_id, data in self.lines if (other, line_id) == (name, ident)]

    def is_signed_by(self, keys):
        """By a log's key: every line of a key that is known must hold, and one be of the log's name."""
        by = set()
        for name, key in keys:
            for signature in self.of(name, 1, key):
                if not signed(key, self.text.encode(), signature):
                    return False
                by.add(name)
        return self.origin in by

    def cosigned(self, name, key):
        """When a witness cosigned; None where no line is by it, False where one is not by it and says so."""
        times = []
        for data in self.of(name, 4, key):
            at = int.from_bytes(data[:8], "big") if len(data) == 72 else 2**63
            message = "cosignature/v1\ntime %d\n%s" % (at, self.text)
            if at >= 2**63 or not signed(key, message.encode(), data[8:]):
                return False
            times.append(at)
        return min(times) if times else None


class Policy:
    def __init__(self, text):
        self.logs, self.members, quorums, self.grouped = [], {}, [], set()
        for line in text.split("\n"):
            words = line.replace("\t", " ").split()
            if not words or words[0].startswith("#"):
                continue
            if words[0] == "log" and len(words) in (2, 3):
                self.logs.append(read_key(words[1], 1))
            elif words[0] == "witness" and len(words) in (3, 4):
                self.define(words[1], ("witness", read_key(words[2], 4)))
            elif words[0] == "group" and len(words) > 3:
                self.group(*words[1:3], words[3:])
            elif words[0] == "quorum" and len(words) == 2 and (words[1] == "none" or words[1] in self.members):
                quorums.append(words[1])
            else:
                raise ValueError("line %r is none of a policy" % line)
        refuse(len(quorums) != 1, "POLICY", "a policy has one quorum")
        self.quorum = None if quorums[0] == "none" else quorums[0]

    def group(self, name, least, members):
        least = {"all": len(members), "any": 1}.get(least) or int(least)
        known = set(members)
        good = 1 <= least <= len(members) == len(known) and not self.grouped & known and known <= set(self.members)
        refuse(not good, "POLICY", "group %r cannot be" % name)
        self.grouped |= known
        self.define(name, ("group", least, members))

    def define(self, name, member):
        refuse(name == "none" or self.members.setdefault(name, member) is not member, "POLICY", "the name %r is taken" % name)

    def witnesses(self):
        return [(name, *member[1]) for name, member in self.members.items() if member[0] == "witness"]

    def holds(self, name, cosigned):
        kind, least, *members = self.members[name]
        return name in cosigned if kind == "witness" else sum(self.holds(one, cosigned) for one in members[0]) >= least


def header(name, size):
    fields = struct.pack("100s8s8s8s12s12s8ss100s6s2s32s32s8s8s155s12x", name.encode(), b"0000644\0", b"0000000\0", b"0000000\0",
                         b"%011o\0" % size, b"00000000000\0", b" " * 8, b"0", b"", b"ustar\0", b"00", b"", b"", b"0000000\0",
                         b"0000000\0", b"")
    return fields[:148] + b"%06o\0 " % sum(fields) + fields[156:]


def files(stream):
    def take(count):
        data = stream.read(count)
        refuse(len(data) < count, "ARCHIVE_FORM", "the archive ends early")
        return data

    while True:
        block = take(512)
        if block == bytes(512):
            refuse(take(512) != bytes(512) or stream.read(1), "ARCHIVE_FORM", "the end is none")
            return
        try:
            name, size = block[:100].rstrip(b"\0").decode("ascii"), int(block[124:135], 8)
        except ValueError:
            raise Wrong("ARCHIVE_FORM", "not a header") from None
        good = NAME.fullmatch(name) and size <= 64 * 1024 * 1024 and block == header(name, size)
        refuse(not good, "ARCHIVE_FORM", "the header of %r" % name)
        data = take(size)
        refuse(any(take(-size % 512)), "ARCHIVE_FORM", "bytes behind %r" % name)
        yield name, data


def number(value):
    if isinstance(value, int):
        return str(int(float(value))) if abs(value) > 2**53 else str(value)
    digits, _, exponent = repr(value).partition("e")
    if not exponent or value == int(value) and abs(value) < 1e21:
        return str(int(value)) if value == int(value) else digits
    digits = digits[:-2] if digits.endswith(".0") else digits
    return "%se%s%d" % (digits, "+" if int(exponent) > 0 else "", int(exponent))


def canonical(value):
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be", "surrogatepass"))
        return "{%s}" % ",".join("%s:%s" % (canonical(key), canonical(value[key])) for key in keys)
    if isinstance(value, list):
        return "[%s]" % ",".join(map(canonical, value))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return number(value)
    return json.dumps(value, ensure_ascii=False)


def read_json(data, kind):
    try:
        value = json.loads(data.decode("utf-8"))
        again = canonical(value).encode()
    except (ValueError, OverflowError, RecursionError) as error:
        raise Wrong(kind, str(error)) from None
    refuse(again != data or not isinstance(value, dict), kind, "not in the one spelling of it")
    return value


def read_leaf(data):
    def part(at):
        end = at + 4 + int.from_bytes(data[at:at + 4], "big")
        refuse(at + 4 > len(data) or end > len(data), "LEAF_FORM", "it is cut")
        return data[at + 4:end], end

    refuse(not data.startswith(LEAF_TAG) or len(data) < 23, "LEAF_FORM", "another tag")
    received = int.from_bytes(data[15:23], "big")
    envelope, at = part(23)
    count, at, seals = data[at:at + 1], at + 1, []
    for _ in range(count[0] if count else 0):
        seal, at = part(at)
        seals.append((seal[:32], seal[32:]))
    good = count and at == len(data) and received <= 253402207200 * 10**6 and all(len(one) == 64 for _, one in seals)
    refuse(not good, "LEAF_FORM", "bytes are missing or left, or its time is out of range")
    return received, envelope, seals


def check_archived(event):
    """That what is said of a segment can be read: this verifier compares it with the tree."""
    if event["type"] == "log.archived":
        data, numbers = event["data"], ("bytes", "first", "last")
        refuse(event["schema"] != 1, "EVENT_UNKNOWN", "log.archived in another version")
        good = isinstance(data, dict) and set(data) == {*numbers, "root", "sha256"}
        good = good and all(type(data[key]) is int and 0 <= data[key] < 2**64 for key in numbers)
        good = good and all(re.fullmatch("[0-9a-f]{64}", str(data[key])) for key in ("root", "sha256"))
        refuse(not good, "EVENT_FORM", "not what is said of a segment")


# A name of the log from a position on; `said` is what a log that goes on under another says of the one before.
Name = namedtuple("Name", "origin key pair position said")


class Parts:
    """A bundle, or the parts into which one was cut, as one stream."""

    def __init__(self, named):
        stem, parted = named[0][:-4], re.search(r"\.\d{3}$", named[0])
        if parted and len(named) == 1:
            named = glob.glob(glob.escape(stem) + ".[0-9][0-9][0-9]")
        whole = named if len(named) == 1 and not parted else ["%s.%03d" % (stem, at + 1) for at in range(len(named))]
        if sorted(named) != whole:
            raise ValueError("not the parts of one archive: %s is missing" % min(set(whole) - set(named), default=stem))
        self.rest, self.last = [open(path, "rb") for path in whole], parted and whole[-1]
        sizes = [one.seek(0, 2) - one.seek(0) for one in self.rest]
        for path, size, last in zip(whole, sizes, [False] * (len(whole) - 1) + [True]):
            if parted and (size > sizes[0] or not size or size < sizes[0] and not last):
                raise ValueError("%s is not as long as the first part: it was cut, or is of another archive" % path)

    def read(self, count):
        data = b""
        while self.rest and len(data) < count:
            more = self.rest[0].read(count - len(data))
            data += more or self.rest.pop(0).read()
        if self.last and 1 < count > len(data):
            raise ValueError("the archive does not end in %s: what follows that part is missing" % self.last)
        return data


class Producer:
    def __init__(self, key):
        self.key, self.count, self.last, self.unsigned, self.adrift = key, 0, bytes(32), 0, False


class Verifier:
    def __init__(self, policy, held, as_of, now):
        self.policy, self.held, self.as_of, self.now = policy, held, as_of, now
        self.findings, self.files, self.leaves, self.tree = [], {}, [], Tree()
        self.heads, self.last, self.stamps, self.sizes, self.roots = [], None, [], None, {0: sha(b"")}
        self.seen, self.types, self.ids, self.shown, self.redacted = {}, {}, set(), set(), set()
        self.producers, self.received, self.names, self.asked, self.committed = {}, 0, [], [], {}
        self.front, self.request, self.manifest, self.readme = {}, None, None, None

    def find(self, kind, text, position=None):
        self.findings.append({"kind": kind, "position": position, "text": str(text)})

    def test(self, wrong, kind, text, position=None):
        if wrong:
            self.find(kind, text, position)

    def read(self, stream):
        try:
            for name, data in files(stream):
                try:
                    self.take(name, data)
                except Wrong as wrong:
                    self.find(wrong.kind, "%s: %s" % (name, wrong))
        except Wrong as wrong:
            self.find(wrong.kind, wrong)
        self.finish()

    def take(self, name, data):
        if name == "manifest.json" and self.manifest is None:
            self.manifest = data
            return
        refuse(self.manifest is not None or name in self.files, "FILE_UNEXPECTED", "it stands behind the manifest, or comes twice")
        self.files[name] = (len(data), sha(data).hex())
        first = name in ("request.json", "checkpoint") or name.startswith(("checkpoints/", "timestamps/"))
        refuse(self.leaves and first, "FILE_UNEXPECTED", "it stands behind entries")
        if name == "request.json":
            self.request = read_json(data[:-1], "MANIFEST_FORM")
            if self.request.get("format") == FORMAT_OF_PARTS:
                raise ValueError("it is a part of a log: verify_part.py verifies those")
            self.asked = self.request.get("payloads", [])
            wanted = {"controls", "format", "from", "until"} | ({"payloads"} if self.asked else set())
            known = set(self.request) == wanted and self.request["format"] == FORMAT
            known = known and isinstance(self.asked, list) and all(type(one) is int for one in self.asked)
            known = known and sorted(set(self.asked))[:4096] == self.asked
            self.asked = dict.fromkeys(self.asked if known else [])
            refuse(data[-1:] != b"\n" or not known, "MANIFEST_FORM", "not a request")
        elif name == "README.txt":
            self.readme = data.decode("utf-8", "replace")
        elif name == "checkpoint":
            self.last = Head(data)
        elif name.startswith("checkpoints/"):
            self.take_head(name, Head(data))
        elif name in ["timestamps/%020d.tsr" % head.size for head in self.all_heads()]:
            self.stamps.append(name)
        elif name.startswith("tile/entries/"):
            refuse(self.shown, "FILE_UNEXPECTED", "it stands behind payloads")
            self.take_entries(name, data)
        elif name.startswith("payloads/"):
            self.take_payload(name, data)
        elif name.startswith("tile/"):
            self.front[name] = len(self.leaves)
        elif not name.startswith("controls/"):
            raise Wrong("FILE_UNEXPECTED", "it belongs into no bundle")

    def take_head(self, name, head):
        same = sum(one.size == head.size for one in self.heads)
        self.heads.append(head)
        wanted = "checkpoints/%020d%s.note" % (head.size, "-%d" % same if same else "")
        refuse(name != wanted, "FILE_ALTERED", "it is not named by its size")

    def take_payload(self, name, data):
        head = SHOWN.match(data)
        refuse(not head, "PAYLOAD_MISMATCH", "it has no three lines in front")
        position, salt = int(head[1]), bytes.fromhex(head[3].decode())
        self.shown.add(position)
        made = (head[2].decode(), sha(salt + sha(data[head.end():])).hex())
        refuse(self.committed.get(position, ())[:2] != made, "PAYLOAD_MISMATCH", "it is not what was asked for and committed to")
        refuse(name != "payloads/%020d" % position, "FILE_UNEXPECTED", "it is not named by its position")

    def take_entries(self, name, data):
        entries, at, size = [], 0, len(self.leaves)
        while at < len(data):
            end = at + 2 + int.from_bytes(data[at:at + 2], "big")
            refuse(at + 2 > len(data) or end > len(data), "LEAF_FORM", "an entry is cut")
            entries.append(data[at + 2:end])
            at = end
        follows = size % 256 == 0 and entries and name == tile_path("entries", size // 256, len(entries))
        refuse(not follows, "FILE_UNEXPECTED", "it does not follow %d entries" % size)
        self.sizes = self.sizes or {head.size for head in self.all_heads() + self.held}
        for entry in entries:
            self.take_leaf(entry)

    def all_heads(self):
        return self.heads + ([self.last] if self.last else [])

    def take_leaf(self, data):
        self.leaves.append(sha(b"\0" + data))
        self.tree.push(self.leaves[-1])
        position = self.tree.size
        if position in self.sizes:
            self.roots[position] = self.tree.root()
        self.read_entry(position, data)

    def read_entry(self, position, data):
        try:
            received, envelope, seals = read_leaf(data)
            event = read_json(envelope, "ENVELOPE_FORM")
            refuse(len(envelope) > 16 * 1024, "ENVELOPE_FORM", "it is too large")
            refuse(not isinstance(event["type"], str) or not isinstance(event["source"], str), "ENVELOPE_FORM", "names that are no text")
            self.types[event["type"]] = self.types.get(event["type"], 0) + 1
            self.test(event["id"] in self.ids, "DUPLICATE_ID", event["id"], position)
            self.ids.add(event["id"])
            check_archived(event)
            self.test(received < self.received, "RECEIVED_BACK", "before one in front of it", position)
            self.received = received
            self.take_event(position, envelope, seals, event)
        except Wrong as wrong:
            self.find(wrong.kind, wrong, position)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            self.find("ENVELOPE_FORM", repr(error), position)

    def take_event(self, position, envelope, seals, event):
        kind, source, data = event["type"], event["source"], event["data"]
        if kind == "log.created" and position == 1:
            self.names = [Name(data["origin"], data["head_key"], read_key(data["head_key"], 1), 1, None)]
            self.producers[data["producer"]] = Producer(bytes.fromhex(data["key"]))
        producer = self.producers.get(source)
        refuse(producer is None, "PRODUCER_UNKNOWN", "%s was never let in" % source)
        gap, lost = event["pseq"] != producer.count + 1, producer.adrift and event["pseq"] > producer.count + 1
        self.test(gap and not lost, "PRODUCER_GAP", "%s follows %s" % (event["pseq"], producer.count), position)
        self.test(not gap and bytes.fromhex(event["pprev"]) != producer.last, "PRODUCER_CHAIN", "another event is named", position)
        gone = [range(said["size"] + 1, said["reached"] + 1) for *_, said in self.names if said]
        if "seen" in event and not any(event["seen"]["size"] in one for one in gone):
            self.seen.setdefault(event["seen"]["size"], []).append((event["seen"]["root"], position))
        producer.count, producer.last = event["pseq"], sha(envelope)
        if kind == "log.continued" and self.continues(event, position):
            self.names.append(Name(data["origin"], data["head_key"], read_key(data["head_key"], 1), position, data))
            for one in self.producers.values():
                one.adrift = one.adrift or data["restored"]
        producer.adrift = False
        if position in self.asked and "payload" in event:
            self.committed[position] = (event["id"], event["payload"]["commitment"], event["subject"])
        self.redacted |= {"payload.redacted": {data.get("of")}, "print.erased": {event["subject"]} if data.get("reason") != "lost" else set()}.get(kind, set())
        if kind == "log.archived" and source.startswith("audit/") and data["last"] < position and data["last"] - data["first"] == SEGMENT - 1 and data["first"] > 0:
            wrong = Tree(self.leaves[data["first"] - 1:data["last"]]).root().hex() != data["root"]
            self.test(wrong, "ARCHIVE_ROOT", "a segment has another root than is said", position)
        if kind == "log.producer-enrolled" and not self.producers.get(data["producer"], Producer(b"")).count:
            self.producers[data["producer"]] = Producer(bytes.fromhex(data["key"]))
        producer.unsigned = 0 if seals else producer.unsigned + 1
        self.test(producer.unsigned > FLUSH_EVENTS_MAX, "PRODUCER_UNSIGNED", source, position)
        for seal in seals:
            self.test(not sealed(producer.key, envelope, seal), "PRODUCER_SIGNATURE", source, position)

    def continues(self, event, position):
        """Whether the rules let it have effect: a log goes on under another name, and says how far it had come."""
        data, version = event["data"], sum(name.said is not None for name in self.names) + 1
        own = event["source"].startswith("audit/") and event["subject"] == "log/continued" and event["version"] == version
        whole = data["size"] == position - 1 and (data["reached"] == data["size"] or data["restored"] and data["reached"] > data["size"])
        return own and whole and data["origin"] != self.names[-1].origin and data["head_key"].startswith(data["origin"] + "+")

    def finish(self):
        for source, producer in self.producers.items():
            self.test(producer.unsigned, "PRODUCER_UNSIGNED", "the last events of %s" % source)
        tree = Tree()
        for size in range(max(self.seen, default=-1) + 1):
            for root, position in self.seen.get(size, ()):
                self.test(size >= position or bytes.fromhex(root) != tree.root(), "SEEN_FORK", "a head of size %d" % size, position)
            if size < len(self.leaves):
                tree.push(self.leaves[size])
        for position in self.asked:
            gone = position in self.committed and self.committed[position][2] in self.redacted
            self.test(position not in self.shown and not gone, "PAYLOAD_MISSING", "it was asked for", position)
        self.check_files()
        self.check_heads()

    def check_files(self):
        made = tiles(self.leaves)
        for name, (data, front) in made.items():
            self.test(name in self.files and self.files[name] != (len(data), sha(data).hex()), "FILE_ALTERED", name)
            self.test(self.front.get(name, front) < front, "FILE_UNEXPECTED", "%s stands in front of its entries" % name)
        for name in self.files:
            self.test(name.startswith("tile/") and not name.startswith("tile/entries/") and name not in made, "FILE_UNEXPECTED", name)
        for name in [*made, "request.json", "checkpoint", "README.txt"]:
            self.test(name not in self.files, "FILE_MISSING", name)
        if not self.leaves or self.manifest is None:
            return self.find("FILE_MISSING", "entries, or manifest.json")
        origin = self.names[-1].origin if self.names else ""
        self.check_derived("Evidence", FORMAT, "FULL", (origin, len(self.leaves), self.tree.root()))

    def check_derived(self, title, form, extent, head):
        """The README and the manifest, which whoever verifies makes again."""
        origin, size, root = head
        if self.request and self.readme is not None:
            period, measures = "from %(from)s until %(until)s" % self.request, canonical(self.request["controls"])
            wanted = ["%s of the log %s" % (title, origin), period, measures]
            self.test(self.readme.split("\n")[:3] != wanted, "FILE_ALTERED", "README.txt")
        listed = {name: {"bytes": length, "sha256": digest} for name, (length, digest) in self.files.items()}
        wanted = {"format": form, "extent": extent, "origin": origin, "size": size, "root": root.hex(), "types": self.types, "files": listed}
        other = self.manifest is not None and self.manifest != canonical(wanted).encode() + b"\n"
        self.test(other, "MANIFEST_TOTALS", "manifest.json is not that of these files and entries")

    def check_heads(self):
        size, roots, own, keys = len(self.leaves), {}, [name.pair for name in self.names], self.policy.logs if self.policy else []
        if not keys:
            self.find("NO_POLICY", "nobody says that the key of the log is believed")
        elif own and own[-1] not in keys:
            self.find("LOG_CONTINUED" if set(own) & set(keys) else "LOG_KEY", "the policy does not name the key of the log")
        if not keys or set(own) & set(keys):
            keys = keys + own
        for head in self.all_heads():
            name = [name for name in self.names if not name.said or name.position <= head.size][-1:]
            self.check(head, keys, [one.origin for one in name], size, "HEAD_ORIGIN", "HEAD_SIGNATURE", "HEAD_BEYOND", "HEAD_ROOT")
        for head in self.held:
            self.check(head, keys, [name.origin for name in self.names], size, "HELD_OTHER", "HELD_OTHER", "HELD_TRUNCATION", "HELD_FORK")
        for head in self.all_heads() + self.held:
            if head.is_signed_by(keys) and roots.setdefault((head.origin, head.size), head.root) != head.root:
                self.find("EQUIVOCATION", "two heads of size %d" % head.size)
        for old, new in zip(self.names, self.names[1:]):
            self.test(not self.follows(old, old.pair, new), "CONTINUED_OTHER", "it is not the log that it says it was", new.position)
        self.test(self.last and self.last.size < size, "ENTRIES_BEYOND", "the last head is over less than %d" % size)
        if self.last and self.policy:
            self.check_witnesses(self.last)

    def root_for(self, head):
        return Tree(self.leaves[:head.size]).root()

    def follows(self, old, key, new):
        """Whether what a log that goes on says of its name before holds."""
        said, holds = new.said, True
        try:
            if "before" in said:
                head = Head(said["before"].encode())
                root = self.root_for(head) if head.size <= said["size"] else head.root
                holds = (head.origin, head.root) == (old.origin, root) and head.is_signed_by([key]) and head.size <= said["reached"]
            if "handover" in said:
                note = Head.__new__(Head)
                (note.text, note.lines), note.origin = Head.note(said["handover"].encode()), old.origin
                text = "%s\ncontinued as\n%s\n" % (old.origin, new.key)
                holds = holds and note.text == text and note.is_signed_by([key])
        except Wrong:
            return False
        return holds

    def check(self, head, keys, origins, size, other, unsigned, beyond, fork):
        after = [new for old, new in zip(self.names, self.names[1:]) if old.origin == head.origin]
        tests = [(head.origin not in origins, other), (not head.is_signed_by(keys), unsigned),
                 (after and head.size >= after[0].position, "HELD_LOST"), (head.size > size, beyond),
                 (self.roots.get(head.size) != head.root, fork)]
        for kind in [kind for wrong, kind in tests if wrong][:1]:
            self.find(kind, "the head of size %d of %s" % (head.size, head.origin))

    def check_witnesses(self, head):
        cosigned = {}
        for name, key_name, key in self.policy.witnesses():
            at = head.cosigned(key_name, key)
            if at is False:
                self.find("COSIGNATURE", name)
            elif at is not None and at > self.now + CLOCKS:
                self.find("COSIGNATURE_TIME", name)
            elif at is not None:
                cosigned[name] = at
                self.test(self.received > (at + CLOCKS) * 10**6, "COSIGNATURE_EARLY", name)
        if self.policy.quorum is None or not self.policy.holds(self.policy.quorum, cosigned):
            self.find("NO_QUORUM", "cosigned by %s" % (", ".join(sorted(cosigned)) or "nobody"))
        self.test(self.as_of and cosigned and max(cosigned.values()) < self.as_of, "STALE_HEAD", "the last cosignature is older")

    def size(self):
        return len(self.leaves)

    def verdict(self):
        kinds = {finding["kind"] for finding in self.findings}
        return "TAMPERED" if kinds - OPEN else "INCONCLUSIVE" if kinds else "VERIFIED"


def instant(text):
    at = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (at if at.tzinfo else at.replace(tzinfo=timezone.utc)).timestamp()


def main(verifies=Verifier, doc=__doc__):
    parser = argparse.ArgumentParser(description=doc.split("\n")[0])
    parser.add_argument("bundle", nargs="+")
    parser.add_argument("--policy", help="whose heads are believed (C2SP tlog-policy)")
    parser.add_argument("--head", action="append", default=[], help="a signed head that you kept")
    parser.add_argument("--as-of", type=instant, help="the last head must have been cosigned then, or later")
    parser.add_argument("--now", type=instant, help="the clock to go by, this machine's when absent")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    try:
        policy = Policy(open(args.policy, encoding="utf-8").read()) if args.policy else None
        held = [Head(open(path, "rb").read()) for path in args.head]
        verifier = verifies(policy, held, args.as_of, args.now or time.time())
        verifier.read(Parts(args.bundle))
    except (OSError, ValueError, Wrong) as error:
        print(error, file=sys.stderr)
        return 3
    word = verifier.verdict()
    if args.json:
        print(json.dumps({"verdict": word, "size": verifier.size(), "findings": verifier.findings}))
    else:
        for finding in verifier.findings:
            print("FINDING %(kind)s: position %(position)s: %(text)s" % finding)
        for name in verifier.stamps:
            print("NOT CHECKED: openssl ts -verify -in %s -CAfile YOUR-ROOTS -data THE-FIRST-THREE-LINES-OF-THAT-HEAD" % name)
        print("NOT CHECKED: rules of jobs and people, schedules, and what stands in controls/: decklog-verify checks those", file=sys.stderr)
        print(word)
    return {"VERIFIED": 0, "TAMPERED": 1, "INCONCLUSIVE": 2}[word]


if __name__ == "__main__":
    sys.exit(main())
