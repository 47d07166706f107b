"""Prints what Python's email package, at its strictest, reads in each message: a line of JSON per file."""
import email
import email.policy
import hashlib
import json
import sys

policy = email.policy.strict + email.policy.SMTP
SINGLE = ("from", "to", "cc", "reply-to", "subject", "date", "message-id", "mime-version", "content-type")


def boxes(msg, key):
    value = msg[key]
    return [{"name": a.display_name, "address": a.addr_spec} for a in value.addresses] if value else []


def defects(msg):
    for part in msg.walk():
        yield from (repr(d) for d in part.defects)
        for key, value in part.items():
            yield from (f"{key}: {d!r}" for d in getattr(value, "defects", ()))
    for key in SINGLE:
        if len(msg.get_all(key, ())) > 1:
            yield f"more than one {key}"
    for key in ("from", "to", "subject", "date", "message-id", "mime-version"):
        if key not in msg:
            yield f"no {key}"
    if "bcc" in msg:
        yield "a Bcc field"


def read(name):
    with open(name, "rb") as f:
        msg = email.message_from_binary_file(f, policy=policy)
    out = {"subject": msg["subject"], "from": boxes(msg, "from"), "to": boxes(msg, "to"), "cc": boxes(msg, "cc"), "text": "", "html": "", "files": []}
    for part in msg.walk():
        kind = part.get_content_type()
        if part.is_multipart():
            continue
        if part.get_content_disposition() is None and kind in ("text/plain", "text/html"):
            out["text" if kind == "text/plain" else "html"] += part.get_content()
            continue
        data = part.get_payload(decode=True)
        out["files"].append({
            "name": part.get_filename() or "", "type": kind, "size": len(data), "sha256": hashlib.sha256(data).hexdigest(),
            "inline": part.get_content_disposition() == "inline", "id": (part["content-id"] or "").strip("<>"),
        })
    return out | {"defects": list(defects(msg))}


for name in sys.argv[1:]:
    try:
        out = read(name)
    except Exception as e:  # under policy.strict a defect is raised
        out = {"defects": [repr(e)]}
    print(json.dumps(out | {"file": name}))
