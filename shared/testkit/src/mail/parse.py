"""Reads a message as Python's email package does, and prints what it found as JSON."""

import base64
import email
import email.header
import email.policy
import email.utils
import json
import sys

with open(sys.argv[1], "rb") as file:
    raw = file.read()
message = email.message_from_bytes(raw, policy=email.policy.SMTP)
plain = email.message_from_bytes(raw)


def part(p):
    return {
        "type": p.get_content_type(),
        "charset": p.get_content_charset(),
        "disposition": p.get_content_disposition(),
        "filename": p.get_filename(),
        "encoding": p["Content-Transfer-Encoding"],
        "content": base64.b64encode(p.get_payload(decode=True) or b"").decode(),
        "defects": [str(d) for d in p.defects],
    }


def box(name):
    # The newer parser puts spaces between the encoded words of a name, which RFC 2047 6.2 forbids.
    [(phrase, address)] = email.utils.getaddresses([plain[name].replace("\r\n", "")])
    [one] = message[name].addresses
    assert one.addr_spec == address, (one, phrase, address)
    words = email.header.make_header(email.header.decode_header(phrase))
    return {"name": str(words), "address": address}


print(
    json.dumps(
        {
            "subject": str(message["Subject"]),
            "from": box("From"),
            "to": box("To"),
            "id": message["Message-ID"],
            "date": message["Date"].datetime.isoformat(),
            "auto": message["Auto-Submitted"],
            "headers": [name for name, _ in message.items()],
            "parts": [part(p) for p in message.walk() if not p.is_multipart()],
            "defects": [str(d) for d in message.defects]
            + [str(d) for _, h in message.items() for d in h.defects],
            "longest": max(len(line) for line in raw.split(b"\r\n")),
            "ascii": raw.isascii(),
            "bare": raw.replace(b"\r\n", b"").count(b"\n") + raw.replace(b"\r\n", b"").count(b"\r"),
        }
    )
)
