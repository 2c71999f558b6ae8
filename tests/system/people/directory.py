"""A directory that nobody here wrote: Canaille, with its people, groups and one client in memory.

Arguments: port, address of the console, and a file with the groups of each of its people, which is read again before each
request."""

import json
import sys
import threading

from canaille import create_app
from canaille.app import models
from canaille.backends import Backend
from joserfc.jwk import RSAKey
from werkzeug.serving import make_server

PORT, CONSOLE, PEOPLE = int(sys.argv[1]), sys.argv[2], sys.argv[3]
PASSWORD = "correct horse battery staple"

app = create_app(
    {
        "SECRET_KEY": "only for this test",
        "SERVER_NAME": f"127.0.0.1:{PORT}",
        "PREFERRED_URL_SCHEME": "http",
        "CANAILLE_DATABASE": "memory",
        "CANAILLE": {"DATABASE": "memory", "TIMEZONE": "UTC", "TRUSTED_DOMAINS": ["127.0.0.1"]},
        "CANAILLE_OIDC": {"ACTIVE_JWKS": [RSAKey.generate_key(2048, auto_kid=True).as_dict(private=True)]},
    }
)


known_people, one_at_a_time = None, threading.Lock()


def people():
    global known_people
    with open(PEOPLE) as file, one_at_a_time:
        text = file.read()
        if text != known_people:
            put(json.loads(text))
        known_people = text


def put(wanted):
    users = {}
    for name in wanted:
        users[name] = Backend.instance.get(models.User, user_name=name) or models.User(
            user_name=name,
            family_name=name.title(),
            formatted_name=name.title(),
            emails=[f"{name}@example.com"],
            password=PASSWORD,
        )
        Backend.instance.save(users[name])
    known = {group.display_name: group for group in Backend.instance.query(models.Group)}
    named = {group for groups in wanted.values() for group in groups}
    for name in sorted(named | known.keys()):
        group = known.get(name) or models.Group(display_name=name)
        group.members = [users[one] for one, groups in wanted.items() if name in groups]
        Backend.instance.save(group) if group.members else Backend.instance.delete(group)


def client():
    one = models.Client(
        client_id="decklog",
        client_secret="secret-of-this-test",
        client_name="Decklog",
        client_uri=CONSOLE,
        redirect_uris=[f"{CONSOLE}/login/oidc/back"],
        grant_types=["authorization_code"],
        response_types=["code"],
        scope=["openid", "profile", "groups"],
        token_endpoint_auth_method="client_secret_basic",
    )
    Backend.instance.save(one)
    one.audience = [one]
    Backend.instance.save(one)


with app.app_context(), Backend.instance.session():
    client()
app.before_request_funcs.setdefault(None, []).append(people)
server = make_server("127.0.0.1", PORT, app, threaded=True)
print("ready", flush=True)
server.serve_forever()
