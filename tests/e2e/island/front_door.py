"""What the real proxy needs in the container: certificate, policy with one token, an engine to pass requests to.

The policy is written by docs/formats/policy.md, independently of the program that writes it on an appliance.
"""

import hashlib
import json
import os
import pathlib
import secrets
import socket
import ssl
import threading
import zlib

from lab import ANSWER_SECONDS, CLIENT4, INSIDE4, command, in_network

LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
INSTANCE = "0a1b2c3d"
ALIAS = "demo"
REPLY = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": ALIAS, "choices": [
    {"index": 0, "message": {"role": "assistant", "content": "from inside"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}}


def make_token(key):
    """(text, the policy's entry)"""
    identity = "".join(secrets.choice(LETTERS[:10] + LETTERS[36:]) for _ in range(12))
    secret = "".join(secrets.choice(LETTERS) for _ in range(43))
    before = f"sk-{identity}-{secret}"
    rest, check = zlib.crc32(before.encode()), ""
    for _ in range(6):
        rest, digit = divmod(rest, 62)
        check = LETTERS[digit] + check
    entry = {"id": identity, "hash": hashlib.blake2b(secret.encode(), key=key, digest_size=32).hexdigest(),
             "label": "proof", "models": ["*"], "scopes": ["inference"], "created_ms": 1, "expires_ms": 0}
    return before + check, entry


def numbers_of(container, kind):
    """{name: number} of the container's users ("passwd") or groups ("group")."""
    lines = container.read(f"/etc/{kind}").splitlines()
    return {line.split(":")[0]: int(line.split(":")[2]) for line in lines}


def furnish(container, directory):
    """Certificate and policy, as installer and admin leave them. Returns (path of the certificate, token)."""
    users, groups = numbers_of(container, "passwd"), numbers_of(container, "group")
    certificate, private = directory / "server.pem", directory / "server.key"
    command("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=skerry proof", "-addext", f"subjectAltName=IP:{INSIDE4}", "-keyout", private,
            "-out", certificate)
    key = secrets.token_bytes(32)
    token, entry = make_token(key)
    policy = {"format": 1, "generation": 1, "tokens": [entry],
              "aliases": [{"name": ALIAS, "instances": [INSTANCE], "default": True}]}
    files = {"/etc/skerry/tls/server.pem": (certificate.read_bytes(), 0, groups["skerry-tls"]),
             "/etc/skerry/tls/server.key": (private.read_bytes(), 0, groups["skerry-tls"]),
             "/var/lib/skerry/policy/key": (key, users["skerry-admin"], groups["skerry-proxy-api"]),
             f"/var/lib/skerry/policy/base-{1:020}.json": (json.dumps(policy).encode(), users["skerry-admin"],
                                                           groups["skerry-proxy-api"]),
             f"/var/lib/skerry/policy/delta-{1:020}.ndjson": (b"", users["skerry-admin"],
                                                              groups["skerry-proxy-api"])}
    for name, (content, user, group) in files.items():
        place = container.root / name.lstrip("/")
        place.write_bytes(content)
        os.chown(place, user, group)
        place.chmod(0o640)
    return certificate, token


def read_request(connection):
    """Head and body of one request, as bytes."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = [int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    while len(body) < (length[0] if length else 0):
        body += connection.recv(65536)
    return head, body


def start_engine(container):
    """A stand-in engine on the socket of the one instance; it answers every request with REPLY."""
    folder = pathlib.Path(f"/proc/{container.pid}/root/run/skerry/engine/{INSTANCE}")
    group = numbers_of(container, "group")["skerry-engine"]
    folder.mkdir()
    os.chown(folder, 0, group)
    folder.chmod(0o750)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "sock"))
    os.chown(folder / "sock", 0, group)
    (folder / "sock").chmod(0o660)
    listener.listen(8)
    body = json.dumps(REPLY).encode()
    usage = b"skerry-usage: prompt=1 completion=2 finish=stop\r\n"
    reply = (b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nskerry-lease: prompt=1\r\n"
             b"trailer: skerry-usage\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n%s\r\n" % (len(body), body, usage))

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
                with connection:
                    read_request(connection)
                    connection.sendall(reply)
            except OSError:
                if listener.fileno() < 0:
                    return

    threading.Thread(target=serve, daemon=True).start()
    container.lab.stack.callback(listener.close)


def request(lab, certificate, port, method, path, token=None, document=None):
    """One request from the client outside, through TLS with the certificate checked: (status, body)."""
    context = ssl.create_default_context(cafile=certificate)
    body = json.dumps(document).encode() if document is not None else b""
    lines = [f"{method} {path} HTTP/1.1", f"host: {INSIDE4}", "connection: close", f"content-length: {len(body)}"]
    if token:
        lines.append(f"authorization: Bearer {token}")
    if body:
        lines.append("content-type: application/json")

    def talk():
        with socket.create_connection((INSIDE4, port), timeout=ANSWER_SECONDS, source_address=(CLIENT4, 0)) as raw:
            with context.wrap_socket(raw, server_hostname=INSIDE4) as tls:
                tls.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
                data = b""
                while part := tls.recv(65536):
                    data += part
        return data

    data = in_network(lab.sink, talk)
    head, _, rest = data.partition(b"\r\n\r\n")
    return int(head.split()[1]), rest.decode("utf-8", "replace")
