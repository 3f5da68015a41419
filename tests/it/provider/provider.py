"""An OpenID provider for tests: `oidc-provider-mock` behind a server that changes its signing key when told to.

It prints its port, then a line for each line that it reads: `rotate` gives it a new key, `token SUBJECT` asks it for an ID token by the authorization code flow.
"""

import os
import sys
import threading

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

import httpx
import werkzeug.serving
from oidc_provider_mock import User, app

REDIRECT = "http://127.0.0.1/callback"
CLIENT = "ringfence"


def provider():
    return app(user_claims=[User(sub="alice", claims={"groups": ["eng"]}), User(sub="bo", claims={"groups": []})])


current = provider()
server = werkzeug.serving.make_server("127.0.0.1", 0, lambda *request: current(*request), threaded=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
base = f"http://127.0.0.1:{server.server_port}"
client = httpx.Client(base_url=base, trust_env=False)


def token(subject):
    asked = {"client_id": CLIENT, "redirect_uri": REDIRECT, "response_type": "code", "scope": "openid"}
    consent = client.post("/oauth2/authorize", params=asked, data={"sub": subject})
    code = httpx.URL(consent.headers["location"]).params["code"]
    exchange = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT, "client_id": CLIENT}
    return client.post("/oauth2/token", data=exchange, auth=(CLIENT, "secret")).json()["id_token"]


print(server.server_port, flush=True)
for line in sys.stdin:
    words = line.split()
    if words == ["rotate"]:
        current = provider()
        print("rotated", flush=True)
    else:
        print(token(words[1]), flush=True)
