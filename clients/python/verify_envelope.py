"""Verifies a signed answer without Ringfence: python3 verify_envelope.py ANSWER.json KEYS.json QUERY

Needs the package `cryptography`. With --digests-only it needs nothing, and checks everything but the signature and the time.
"""

import base64
import datetime
import hashlib
import json
import sys
from decimal import Decimal


def number(value):
    """A number as RFC 8785 writes it; integers in full."""
    if isinstance(value, int):
        return str(value)
    if value == 0:
        return "0"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    text, point = "".join(map(str, digits)), len(digits) + exponent
    if len(text) <= point <= 21:
        text += "0" * (point - len(text))
    elif 0 < point <= 21:
        text = text[:point] + "." + text[point:]
    elif -6 < point <= 0:
        text = "0." + "0" * -point + text
    else:
        rest = "." + text[1:] if len(text) > 1 else ""
        text = f"{text[0]}{rest}e{'-' if point < 1 else '+'}{abs(point - 1)}"
    return "-" * sign + text


def canonical(value):
    """RFC 8785, but that integers are written in full."""
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(f"{canonical(name)}:{canonical(value[name])}" for name in names) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return number(value)
    return json.dumps(value, ensure_ascii=False)


def sha256(text):
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def members(pairs):
    """An object; a member that stands twice would be read differently by different programs."""
    assert len(dict(pairs)) == len(pairs), "a member stands twice"
    return dict(pairs)


def decoded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def verify(answer, keys, query, digests_only=False):
    answer = json.loads(answer, object_pairs_hook=members)
    envelope = answer.pop("envelope")
    signature = envelope.pop("signature")
    assert envelope["version"] == "ringfence-envelope-1", "another version"
    assert envelope["query_digest"] == sha256(query), "an answer to another query"
    assert envelope["answer_digest"] == sha256(canonical(answer)), "another answer than the one that was signed"
    for entry, result in zip(envelope["results"], answer["results"], strict=True):
        assert entry["digest"] == sha256(canonical(result)) and entry["text_digest"] == sha256(result["text"])
    if digests_only:
        return
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    key = next(key for key in json.loads(keys)["keys"] if key["kid"] == envelope["key_id"])
    signed = ("ringfence-envelope-1\n" + canonical(envelope)).encode()
    Ed25519PublicKey.from_public_bytes(decoded(key["x"])).verify(decoded(signature), signed)
    expires = datetime.datetime.fromisoformat(envelope["expires_at"].replace("Z", "+00:00"))
    assert expires > datetime.datetime.now(datetime.timezone.utc), "the envelope has run out"


if __name__ == "__main__":
    answer_file, keys_file, asked = sys.argv[1:4]
    with open(answer_file, encoding="utf-8") as answer, open(keys_file, encoding="utf-8") as keys:
        verify(answer.read(), keys.read(), asked, "--digests-only" in sys.argv[4:])
    print("verified")
