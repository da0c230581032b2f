"""A writer of bundles for test vectors, with a place to do everything wrong. Written from docs/formats/bundle.md; shares nothing
with the readers. Keys come from fixed seeds and signatures from the openssl command, so the same call gives the same bytes."""
import base64
import functools
import hashlib
import json
import os
import subprocess
import tempfile

CHUNK = 4 << 20
MANIFEST = b"application/vnd.skerry.manifest.v1+json"
ROOT = b"application/vnd.skerry.root.v1+json"
REVOCATIONS = b"application/vnd.skerry.revocations.v1+json"


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def text(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


@functools.lru_cache(maxsize=None)
def openssl(arguments, der, message):
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for name, content in (("key.der", der), ("message", message)):
            paths.append(os.path.join(folder, name))
            with open(paths[-1], "wb") as file:
                file.write(content)
        command = ["openssl"] + [{"KEY": paths[0], "MESSAGE": paths[1]}.get(word, word) for word in arguments]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


class Key:
    """An Ed25519 key pair whose seed is the SHA-256 of `name`."""

    def __init__(self, name):
        seed = hashlib.sha256(b"skerry test vector key " + name.encode()).digest()
        self.der = bytes.fromhex("302e020100300506032b657004220420") + seed  # PKCS #8
        self.public = openssl(("pkey", "-inform", "DER", "-in", "KEY", "-pubout", "-outform", "DER"), self.der, b"")[-32:]
        self.id = key_id(self.public)

    def sign(self, kind, body):
        message = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(body), body)
        sig = openssl(("pkeyutl", "-sign", "-keyform", "DER", "-inkey", "KEY", "-rawin", "-in", "MESSAGE"), self.der, message)
        return signature(self.id, sig)


def key_id(public):
    return sha256(b"ed25519:" + public.hex().encode())


def signature(identity, raw):
    return {"algorithm": "ed25519", "keyid": identity, "sig": base64.b64encode(raw).decode()}


def by_key(signatures):
    return sorted(signatures, key=lambda item: (item["keyid"], base64.b64decode(item["sig"])))


def envelope(kind, payload, signatures):
    return text({"payload": base64.b64encode(payload).decode(), "payloadType": kind.decode(),
                 "signatures": by_key(signatures)}) + b"\n"


def signed(kind, value, keys):
    payload = value if isinstance(value, bytes) else text(value)
    return envelope(kind, payload, [key.sign(kind, payload) for key in keys])


def root_payload(version, root, release, revoke, thresholds=(1, 1, 1), publics=()):
    keys = {key.id: {"algorithm": "ed25519", "public": key.public.hex()} for key in root + release + revoke}
    keys.update({key_id(public): {"algorithm": "ed25519", "public": public.hex()} for public in publics})

    def role(members, threshold):
        return {"keys": sorted({key.id for key in members}), "threshold": threshold}

    return {"keys": keys, "version": version,
            "roles": {"release": role(release, thresholds[1]), "revoke": role(revoke, thresholds[2]),
                      "root": role(root, thresholds[0])}}


def revocations(sequence, keys=(), bundles=(), models=(), expired=None):
    return {"bundles": sorted(bundles), "expired": expired or {}, "keys": sorted(keys), "models": sorted(models),
            "sequence": sequence}


def leaves(content):
    return [hashlib.sha256(b"\0" + content[at:at + CHUNK]).digest() for at in range(0, len(content), CHUNK)]


def tree_root(hashes):
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    left = 1
    while left * 2 < len(hashes):
        left *= 2
    return hashlib.sha256(b"\1" + tree_root(hashes[:left]) + tree_root(hashes[left:])).digest()


def file_entry(name, content):
    return {"name": name, "root": tree_root(leaves(content)).hex(), "sha256": sha256(content), "size": len(content)}


def tar_header(name, size, /, **changes):
    fields = {"name": (0, name.encode()), "mode": (100, b"0000644"), "owner": (108, b"0000000"), "group": (116, b"0000000"),
              "size": (124, b"%011o" % size), "time": (136, b"00000000000"), "type": (156, b"0"), "magic": (257, b"ustar\x0000"),
              "major": (329, b"0000000"), "minor": (337, b"0000000")}
    block = bytearray(512)
    for field, (at, value) in fields.items():
        value = changes.get(field, value)
        block[at:at + len(value)] = value
    for at, value in changes.get("bytes", {}).items():
        block[at:at + len(value)] = value
    block[148:156] = b" " * 8
    checksum = changes.get("checksum", b"%06o\x00 ")
    block[148:156] = checksum % sum(block) if b"%" in checksum else checksum
    return bytes(block)


class Member:
    def __init__(self, name, content, /, **changes):
        self.name, self.content, self.changes = name, content, changes

    def write(self):
        head = self.changes.get("raw_header", tar_header(self.name, len(self.content), **self.changes))
        gap = -len(self.content) % 512
        return head + self.content + self.changes.get("padding", bytes(gap))


class Bundle:
    """A good bundle of `files` (name -> content). Change attributes, then write(); the hooks get and return what comes next."""

    def __init__(self, files, keys, roots, **more):
        self.files, self.keys, self.roots = files, keys, roots  # roots: version -> envelope
        self.documents = more.get("documents", {})
        self.revocations = more.get("revocations")
        self.volume = more.get("volume")  # (number, chunks)
        self.fields = more.get("fields", {})  # of the manifest, changed before signing
        self.entries = more.get("entries", lambda entries: entries)
        self.manifest_hook = more.get("manifest", lambda manifest: manifest)
        self.signatures_hook = more.get("signatures", lambda items: items)
        self.signatures_text_hook = more.get("signatures_text", lambda content: content)
        self.members_hook = more.get("members", lambda members: members)
        self.end = more.get("end", bytes(1024))

    def manifest(self):
        value = {"documents": [file_entry(name, self.documents[name]) for name in sorted(self.documents)], "expires": None,
                 "files": self.entries([file_entry(name, self.files[name]) for name in sorted(self.files)]), "id": "acme/tiny",
                 "kind": "model", "release_seq": 1, "revocations": None, "version": "1.0.0",
                 "roots": [{"sha256": sha256(self.roots[version]), "size": len(self.roots[version]), "version": version}
                           for version in sorted(self.roots)]}
        if self.revocations is not None:
            value["revocations"] = {"sha256": sha256(self.revocations), "size": len(self.revocations)}
        value.update(self.fields)
        return self.manifest_hook(text(value))

    def signatures(self, manifest):
        items = self.signatures_hook(by_key([key.sign(MANIFEST, manifest) for key in self.keys]))
        return self.signatures_text_hook(text({"signatures": items}).ljust(16384, b"\n"))

    def data(self):
        first, last = 0, 1 << 60
        if self.volume:
            number, chunks = self.volume
            first, last = (number - 1) * chunks, number * chunks
        at = 0
        for idx, name in enumerate(sorted(self.files)):
            content = self.files[name]
            count = max(1, len(leaves(content)))
            low, high = max(first - at, 0), min(last - at, count)
            at += count
            if low < high:
                yield Member("data/%06d" % idx + ("/%07d" % low if self.volume else ""), content[low * CHUNK:high * CHUNK])

    def write(self):
        manifest = self.manifest()
        members = [Member("FORMAT", b"skerry-bundle 1\n"), Member("meta/manifest", manifest),
                   Member("meta/signatures", self.signatures(manifest))]
        members += [Member("meta/roots/%d" % version, self.roots[version]) for version in sorted(self.roots)]
        if self.revocations is not None:
            members.append(Member("meta/revocations", self.revocations))
        if self.volume:
            members.append(Member("meta/volume", text({"chunks": self.volume[1], "number": self.volume[0]})))
        for idx, name in enumerate(sorted(self.files)):
            members.append(Member("meta/tree/%06d" % idx, b"".join(leaves(self.files[name]))))
        for idx, name in enumerate(sorted(self.documents)):
            members.append(Member("meta/doc/%06d" % idx, self.documents[name]))
        members += self.data()
        return b"".join(member.write() for member in self.members_hook(members)) + self.end
