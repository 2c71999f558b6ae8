#!/usr/bin/env python3
"""Verifies a part of a Decklog log: what one control tells of, each entry with the proof that it is in the log.

    verify_part.py PART... [--policy FILE] [--head FILE]... [--as-of WHEN] [--now WHEN] [--json]

Stands beside verify.py, written from ops/handbook/evidence-format.md alone, and needs what that needs. A part is never VERIFIED, because
nothing shows that nothing was left out: TAMPERED exits with 1, INCONCLUSIVE with 2; 3: the call is wrong.
"""

import re
import sys

from verify import (FORMAT, FORMAT_OF_PARTS, Head, Name, Verifier, canonical64, main, read_json, read_key, refuse, sealed, sha)

INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?Z")
ENTRY = re.compile(r"entries/([0-9]{20})")
PROOF = re.compile(r"proofs/([0-9]{20})\.tlog-proof")


def included(leaf, index, path, size):
    """The root that a path leads to (RFC 9162 §2.1.3.2); nothing where it is not as long as it must be."""
    if index >= size:
        return None
    node, at, last = leaf, index, size - 1
    for sibling in path:
        if last == 0:
            return None
        if at & 1 or at == last:
            node = sha(b"\1" + sibling + node)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            node = sha(b"\1" + node + sibling)
        at, last = at >> 1, last >> 1
    return node if last == 0 else None


class PartVerifier(Verifier):
    def __init__(self, *args):
        super().__init__(*args)
        self.waiting, self.newest, self.entries, self.keys, self.note = None, 0, 0, {}, b""

    def take(self, name, data):
        if name == "manifest.json" and self.manifest is None:
            self.manifest = data
            return
        refuse(self.manifest is not None or name in self.files, "FILE_UNEXPECTED", "it stands behind the manifest, or comes twice")
        refuse(not self.files and name != "request.json", "FILE_UNEXPECTED", "a part begins with its request")
        self.files[name] = (len(data), sha(data).hex())
        entry, proof = ENTRY.fullmatch(name), PROOF.fullmatch(name)
        if name == "request.json":
            said = read_json(data[:-1], "MANIFEST_FORM")
            if said.get("format") == FORMAT:
                raise ValueError("this is a whole bundle: verify.py verifies it")
            known = set(said) == {"control", "controls", "format", "from", "until"} and said["format"] == FORMAT_OF_PARTS
            known = known and isinstance(said["control"], str) and isinstance(said["controls"], dict)
            known = known and all(isinstance(said[key], str) and INSTANT.fullmatch(said[key]) for key in ("from", "until"))
            refuse(data[-1:] != b"\n" or not known, "MANIFEST_FORM", "not the request of a part")
            self.request = said
        elif name == "checkpoint":
            refuse(self.newest, "FILE_UNEXPECTED", "it stands behind entries")
            self.last, self.note = Head(data), data
        elif name == "README.txt":
            self.readme = data.decode("utf-8", "replace")
        elif entry:
            self.take_entry(int(entry[1]), data)
        elif proof:
            self.take_proof(int(proof[1]), data)
        else:
            control = self.request["control"] if self.request else None
            refuse(name not in ("controls/%s.csv" % control, "controls/summary.csv"), "FILE_UNEXPECTED", "it belongs into no such part")

    def take_entry(self, position, data):
        self.miss()
        refuse(not self.newest < position < 2**64, "FILE_UNEXPECTED", "it does not follow the entry at %d" % self.newest)
        self.newest, self.entries, self.waiting = position, self.entries + 1, (position, sha(b"\0" + data))
        self.read_entry(position, data)

    def take_event(self, position, envelope, seals, event):
        kind, source, data = event["type"], event["source"], event["data"]
        if kind in ("log.created", "log.producer-enrolled") and source.startswith("audit/") and re.fullmatch("[0-9a-f]{64}", data["key"]):
            self.keys.setdefault(data["producer"], []).append(bytes.fromhex(data["key"]))
        if kind in ("log.created", "log.continued") and source.startswith("audit/"):
            said = data if kind == "log.continued" else None
            self.names.append(Name(data["origin"], data["head_key"], pair_of(data["head_key"]), position, said))
        keys = self.keys.get(source, [])
        for seal in seals if keys else []:
            self.test(not any(sealed(key, envelope, seal) for key in keys), "PRODUCER_SIGNATURE", source, position)

    def take_proof(self, position, data):
        refuse(not self.waiting or self.waiting[0] != position, "FILE_UNEXPECTED", "it stands behind no entry that it proves")
        leaf, self.waiting = self.waiting[1], None
        head, _, note = data.partition(b"\n\n")
        lines = head.decode("utf-8", "replace").split("\n")
        hashes = [canonical64(line) for line in lines[2:]]
        good = lines[:2] == ["c2sp.org/tlog-proof@v1", "index %d" % (position - 1)] and self.last and note == self.note
        good = good and len(hashes) <= 63 and all(one is not None and len(one) == 32 for one in hashes)
        root = included(leaf, position - 1, hashes, self.last.size) if good else None
        self.test(root is None or root != self.last.root, "ENTRY_UNPROVEN", "its proof leads elsewhere, or there is no head", position)

    def miss(self):
        if self.waiting:
            self.find("ENTRY_UNPROVEN", "its proof is not there", self.waiting[0])
            self.waiting = None

    def finish(self):
        self.miss()
        self.find("PARTIAL", "nothing shows that nothing was left out")
        control = self.request["control"] if self.request else None
        for name in ["request.json", "checkpoint", "README.txt", "controls/%s.csv" % control, "controls/summary.csv"]:
            self.test(name not in self.files, "FILE_MISSING", name)
        self.test(not self.entries, "FILE_MISSING", "entries")
        self.test(self.manifest is None, "FILE_MISSING", "manifest.json")
        if self.request and self.last:
            self.check_derived("A part", FORMAT_OF_PARTS, "PARTIAL", (self.last.origin, self.last.size, self.last.root))
        if self.last:
            self.check_head(self.last, self.policy.logs if self.policy else [])

    def check_head(self, head, keys):
        if not keys:
            self.find("NO_POLICY", "nobody says that the key of the log is believed")
        elif not head.is_signed_by(keys):
            self.find(self.continued(head, keys) or "HEAD_SIGNATURE", "the head is not signed by a key that the policy names")
        same = [held for held in self.held if (held.origin, held.size) == (head.origin, head.size)]
        self.test(any(held.root != head.root for held in same), "HELD_FORK", "you hold another head of size %d" % head.size)
        if self.policy:
            self.check_witnesses(head)

    def continued(self, head, keys):
        """Whether the head is of the last name of a log of which the reader knows one before."""
        last = self.names[-1] if self.names else None
        own = last and last.pair and head.origin == last.origin and head.is_signed_by([last.pair])
        if not own or last.pair in keys or not any(name.pair in keys for name in self.names):
            return None
        follow = all(self.follows(old, old.pair, new) for old, new in zip(self.names, self.names[1:]))
        return "LOG_CONTINUED" if follow else "CONTINUED_OTHER"

    def root_for(self, head):
        return head.root  # Which events a head before is over, a part does not show.

    def size(self):
        return self.last.size if self.last else 0


def pair_of(text):
    try:
        return read_key(text, 1)
    except ValueError:
        return None


if __name__ == "__main__":
    sys.exit(main(PartVerifier, __doc__))
