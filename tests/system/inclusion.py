"""Checks an inclusion proof from the text of RFC 9162 alone: reads it as JSON, prints the event of its leaf."""

import base64
import hashlib
import json
import sys

proof = json.load(sys.stdin)["proof"]
origin, size, root = proof["head"].split("\n")[:3]
leaf = base64.b64decode(proof["leaf"])
value = hashlib.sha256(b"\0" + leaf).digest()
assert value.hex() == proof["hash"], "the hash is of other bytes"
fn, sn = proof["position"] - 1, int(size) - 1
assert fn <= sn, "the head does not reach it"
for sibling in map(bytes.fromhex, proof["path"]):
    assert sn != 0, "the path is too long"
    if fn & 1 or fn == sn:
        value = hashlib.sha256(b"\1" + sibling + value).digest()
        while not fn & 1 and fn != 0:
            fn, sn = fn >> 1, sn >> 1
    else:
        value = hashlib.sha256(b"\1" + value + sibling).digest()
    fn, sn = fn >> 1, sn >> 1
assert sn == 0, "the path is too short"
assert value == base64.b64decode(root), "the path leads to another root"
# What stands before it is of a fixed length, and any of its bytes may be a brace.
begin = len(b"decklog-leaf-1\n") + 8 + 4
event, _ = json.JSONDecoder().raw_decode(leaf[begin:].decode("utf-8", "surrogateescape"))
print(json.dumps({"size": int(size), "id": event["id"], "type": event["type"]}))
