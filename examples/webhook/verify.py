"""Verifies an event of ringward-server's webhooks: who sent it, that nothing was changed, that it is fresh."""
import hashlib
import hmac
import time


def verify(secret: bytes, header: str, body: bytes, tolerance_s: int = 300, now: float | None = None) -> bool:
    """`header` is Ringward-Signature ("t=SECONDS,v1=HEX"), `body` the bytes as they came, before any parsing."""
    parts = dict(p.split("=", 1) for p in header.split(",") if "=" in p)
    t, v1 = parts.get("t", ""), parts.get("v1", "")
    if not t.isdigit() or abs((time.time() if now is None else now) - int(t)) > tolerance_s:
        return False  # old: somebody may be playing it again
    want = hmac.new(secret, t.encode() + b"." + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(want, v1)
