"""A mail server for tests: aiosmtpd, which keeps what it takes as files.

What it answers to RCPT and DATA depends on the part of the address before the @:
unknown, full, grey, relay, spam, late and gone (see the module's table in Rust).
"""

import json
import os
import signal
import ssl
import sys

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

options = json.loads(sys.argv[1])
place = options["dir"]


class Handler:
    def __init__(self):
        self.count = 0
        self.seen = set()

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        who = address.split("@")[0]
        if who == "unknown":
            return f"550 5.1.1 <{address}>: Recipient address rejected: User unknown"
        if who == "full":
            return f"452 4.2.2 <{address}> mailbox is over quota"
        if who == "relay":
            return f"554 5.7.1 <{address}>: Relay access denied"
        if who == "grey" and address not in self.seen:
            self.seen.add(address)
            return f"451 4.7.1 <{address}>: Greylisted, try again in 300 seconds"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(rcpt_options)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, server, session, envelope):
        to = envelope.rcpt_tos[0]
        who = to.split("@")[0]
        if who == "spam":
            return f"554 5.7.1 message for <{to}> looks like spam"
        if who == "late":
            return f"451 4.3.0 <{to}> cannot be scanned now"
        self.keep(server, session, envelope)
        if who == "gone":
            server.transport.abort()
        return f"250 2.0.0 Ok: queued as Q{self.count:05}"

    def keep(self, server, session, envelope):
        self.count += 1
        name = os.path.join(place, f"{self.count:06}")
        about = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "mail_options": envelope.mail_options,
            "tls": server.transport.get_extra_info("ssl_object") is not None,
            "login": session.auth_data.login.decode() if session.authenticated else None,
            "hello": session.host_name,
        }
        with open(name + ".eml", "wb") as file:
            file.write(envelope.original_content)
        with open(name + ".part", "w") as file:
            json.dump(about, file)
        os.rename(name + ".part", name + ".json")


def authenticate(server, session, envelope, mechanism, data):
    good = isinstance(data, LoginPassword) and data == LoginPassword(b"decklog", b"horse")
    # handled=False has the server answer 535 itself.
    return AuthResult(success=good, handled=False, auth_data=data)


smtp = {"data_size_limit": options["size"], "enable_SMTPUTF8": True}
if options["login"]:
    smtp.update(authenticator=authenticate, auth_required=True, auth_require_tls=False)
    smtp.update(auth_exclude_mechanism=["PLAIN"] if options["login"] == "LOGIN" else ["LOGIN"])
wrapper = None
if options["tls"]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options["cert"], options["key"])
    if options["tls"] == "wrapper":
        wrapper = context
    else:
        smtp.update(tls_context=context, require_starttls=True)

controller = Controller(
    Handler(), hostname="127.0.0.1", port=options["port"], ssl_context=wrapper, **smtp
)
controller.start()
signal.pause()
