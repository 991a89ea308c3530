#!/usr/bin/env python3
"""Verifies what an Indelible log hands out, without a line of its code: a second opinion in one file.

    indelible_verify.py proof    --proof P.tlog-proof --entry E.json --vkey KEY
    indelible_verify.py evidence CASE.json|CASE.html [--vkey KEY]
    indelible_verify.py tiles    DIRECTORY --vkey KEY

It needs Python 3.9 and nothing else; where the package "cryptography" is there, its Ed25519 is used, which is faster.
Formats: spec/ of the project; RFC 6962, 8032, 8785, 9901; c2sp.org/signed-note, tlog-checkpoint, tlog-proof, tlog-tiles.

Exit status: 0 it holds, 1 it does not, 2 it was asked wrongly. Without --vkey evidence is at most "consistent with the key inside".
"""

import argparse, base64, binascii, decimal as decimals, hashlib, itertools, json, math, os, re, sys, zlib

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ImportError:
    Ed25519PublicKey = None

SIZE_MAX = 2**53 - 1
WIDTH = 256
HASH = 32

class Refused(Exception): """What was handed over is not what it claims to be."""

def need(holds, what, value=None):
    if not holds:
        raise Refused(what)
    return value

# ---- bytes: one spelling for each value
def b64(text):
    """Standard base64 with padding, canonical."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError, ValueError):
        raise Refused("malformed base64")
    need(base64.b64encode(data).decode() == text, "base64 that is not canonical")
    return data

def decimal(text):
    need(re.fullmatch(r"0|[1-9][0-9]{0,15}", text) is not None, "malformed number")
    return need(int(text) <= SIZE_MAX, "a number beyond 2^53 - 1", int(text))

def sha(*parts): return hashlib.sha256(b"".join(parts)).digest()
def number_text(value):
    """A number as ECMAScript prints it (RFC 8785 section 3.2.2.3)."""
    need(math.isfinite(value), "a number that is not finite")
    if isinstance(value, int) or (value == int(value) and abs(value) < 1e21):
        return need(abs(value) <= SIZE_MAX, "an integer beyond 2^53 - 1", str(int(value)))
    sign, (_, parts, exponent) = "-" if value < 0 else "", decimals.Decimal(repr(abs(value))).normalize().as_tuple()
    digits, point = "".join(map(str, parts)), len(parts) + exponent
    if -6 < point <= 21:
        return sign + (digits[:point] + "." + digits[point:] if point > 0 else "0." + "0" * -point + digits)
    return f"{sign}{digits[0]}{'.' if len(digits) > 1 else ''}{digits[1:]}e{'+' if point > 0 else '-'}{abs(point - 1)}"

ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
ESCAPE = re.compile(r'["\\\x00-\x1f]')

def string_text(value): return '"' + ESCAPE.sub(lambda m: ESCAPES.get(m[0]) or "\\u%04x" % ord(m[0]), value) + '"'

def canonical(value):
    """RFC 8785, as pieces."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, (str, int, float)):
        return string_text(value) if isinstance(value, str) else number_text(value)
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
    return "{" + ",".join(f"{string_text(name)}:{canonical(value[name])}" for name in names) + "}"

def once(pairs): return need(len(dict(pairs)) == len(pairs), "a name that stands twice in an object", dict(pairs))

def depth_of(text):
    """How deep brackets nest, outside of strings."""
    brackets = re.sub(r'"(?:[^"\\]|\\.)*"|[^][{}"]', "", text)
    return max(itertools.accumulate(1 if bracket in "[{" else -1 for bracket in brackets), default=0)

def parse(data, limit=32):
    """Canonical JSON and nothing else: what is read is written again, and compared."""
    try:
        text = data.decode("utf-8") if isinstance(data, bytes) else data
        need(len(text) > 0 and text[0] != "\ufeff", "no JSON")
        need(depth_of(text) <= limit, "JSON that nests too deep")
        value = json.loads(text, object_pairs_hook=once, parse_constant=lambda name: need(False, name))
        need(canonical(value) == text, "JSON that is not canonical")
        text.encode("utf-8")
        return value
    except (UnicodeError, ValueError, RecursionError, OverflowError):
        raise Refused("malformed JSON")

def shape(value, what, names):
    need(isinstance(value, dict) and set(value) == set(names), f"{what} has other members than it should")
    return [value[name] for name in names]

def text(value, what="a text"): return need(isinstance(value, str), f"{what} is none", value)
def whole(value, most=SIZE_MAX): return need(type(value) is int and 0 <= value <= most, "no whole number within its limit", value)
def array(value, most=100_000): return need(isinstance(value, list) and len(value) <= most, "no list within its limit", value)

# ---- Ed25519 (RFC 8032), in case nobody else brings it
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)

def add(a, b):
    (x1, y1, z1, t1), (x2, y2, z2, t2) = a, b
    a, b, c, d = (y1 - x1) * (y2 - x2), (y1 + x1) * (y2 + x2), 2 * t1 * t2 * D, 2 * z1 * z2
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P

def times(scalar, point):
    result = (0, 1, 1, 0)
    while scalar:
        result, point, scalar = add(result, point) if scalar & 1 else result, add(point, point), scalar >> 1
    return result

def point_of(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x * ROOT % P if (x * x - square) % P else x
    x = P - x if x % 2 != sign else x
    return None if y >= P or (x * x - square) % P or x == P else (x, y, 1, x * y % P)

def encode_point(point):
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")

BASE = point_of((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))

def ed25519_plain(key, message, signature):
    a, s = point_of(key), int.from_bytes(signature[32:], "little")
    if a is None or s >= L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    minus_a = (P - a[0], a[1], a[2], P - a[3])
    return encode_point(add(times(s, BASE), times(k, minus_a))) == signature[:32]

def ed25519(key, message, signature):
    if len(signature) != 64 or Ed25519PublicKey is None:
        return len(signature) == 64 and ed25519_plain(key, message, signature)
    try:
        return Ed25519PublicKey.from_public_bytes(key).verify(signature, message) is None
    except (InvalidSignature, ValueError):
        return False

# ---- notes and checkpoints
def is_name(name): return name != "" and "+" not in name and not any(map(str.isspace, name))

def vkey(line):
    """name, key id, public key of a log's Ed25519 key."""
    parts = line.strip().split("+", 2)
    need(len(parts) == 3 and is_name(parts[0]), "not a verifier key")
    data = b64(parts[2])
    need(len(data) == 33 and data[0] == 1, "not an Ed25519 key of a log")
    key_id = sha(parts[0].encode(), b"\n", data)[:4]
    return need(parts[1] == key_id.hex(), "the key id is not the key's", (parts[0], key_id, data[1:]))

def open_note(note, keys, signed=None):
    """The text of a note that one of the keys has signed, who goes into `signed`; a line of a known key that fails refuses it."""
    need(len(note.encode("utf-8")) <= 1024 * 1024, "a note that is too large")
    need(not re.search(r"[\x00-\x09\x0b-\x1f]", note), "a note with a control character")
    body, blank, block = note.rpartition("\n\n")
    need(blank != "" and block.endswith("\n"), "not a signed note")
    body, lines, signed = body + "\n", block[:-1].split("\n"), set() if signed is None else signed
    need(len(lines) <= 100, "a note with too many signatures")
    for line in lines:
        mark, _, rest = line.partition("\u2014 ")
        name, space, signature = rest.partition(" ")
        need(mark == "" and space == " " and is_name(name), "a signature line that is none")
        signature = b64(signature)
        need(len(signature) >= 5, "a signature that is too short")
        for key in keys:
            if key[:2] == (name, signature[:4]) and key not in signed:
                need(ed25519(key[2], body.encode("utf-8"), signature[4:]), "a signature that does not verify")
                signed.add(key)
    need(len(signed) > 0, "no signature by a known key")
    return body

def checkpoint_of(body):
    lines = body.split("\n")
    need(len(lines) >= 4 and lines[-1] == "" and lines[0] != "" and "" not in lines[3:-1], "not a checkpoint")
    root = b64(lines[2])
    need(len(root) == HASH, "a root that is no hash")
    return lines[0], decimal(lines[1]), root

# ---- the tree
def leaf_hash(entry): return sha(b"\x00", entry)
def node(left, right): return sha(b"\x01", left, right)
def fold(hashes):
    """The root over any number of hashes (RFC 6962 section 2.1)."""
    while len(hashes) > 1:
        hashes = [node(*hashes[i : i + 2]) if i + 1 < len(hashes) else hashes[i] for i in range(0, len(hashes), 2)]
    return hashes[0] if hashes else sha()

def width_of(level, index, size): return max(0, min(size // WIDTH**level - index * WIDTH, WIDTH))
def split(data): return [data[at : at + HASH] for at in range(0, len(data), HASH)]

class Tiles:
    """Tiles that all lead to one root."""

    def __init__(self, size, root, tiles):
        self.tiles = {}
        for level, index, data in tiles:
            need(width_of(level, index, size) * HASH == len(data) > 0, "a tile that is not of this tree")
            need((level, index) not in self.tiles, "a tile that is there twice")
            self.tiles[level, index] = data
        need(self.edge(size) == root, "tiles that do not lead to the root")
        for (level, index), data in self.tiles.items():
            if len(data) == WIDTH * HASH:
                need(self.at(level + 1, index) == fold(split(data)), "a tile that is not its parent's")

    def at(self, level, index):
        data = self.tiles.get((level, index // WIDTH), b"")[index % WIDTH * HASH :][:HASH]
        return need(data != b"", "a tile that is missing", data)

    def edge(self, size):
        """The root, from the partial tile of every level, the highest first."""
        result, level = None, 0
        while size // WIDTH**level:
            width = size // WIDTH**level % WIDTH
            if width:
                first = size // WIDTH**level - width
                result = fold_right([self.at(level, first + i) for i in range(width)], result)
            level += 1
        return result if result is not None else sha()

def fold_right(hashes, right):
    """The root over hashes with what lies to the right of them, which is smaller than any of them."""
    if not hashes:
        return right
    size = 1 << len(hashes).bit_length() - 1
    rest = fold_right(hashes[size:], right)
    return fold(hashes[:size]) if rest is None else node(fold(hashes[:size]), rest)

# ---- entries and disclosures
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")

def read_entry(data):
    need(len(data) <= 65_535, "an entry that is too large")
    entry = parse(data)
    need(isinstance(entry, dict) and whole(entry.get("v")) == 1, "not an entry of version 1")
    for name in ("id", "nonce", "occurredAt", "recordedAt", "action", "outcome"):
        text(entry.get(name), name)
    need(all(TIME.fullmatch(entry[name]) for name in ("occurredAt", "recordedAt")), "a time that is none")
    source = entry.get("source")
    need(isinstance(source, dict) and isinstance(source.get("instance"), str), "an entry without a source")
    need(isinstance(entry.get("actor"), dict) and isinstance(entry.get("targets"), list), "an entry without its parties")
    digests = list(digests_in(entry))
    need(len(set(digests)) == len(digests), "a digest that stands twice")
    need(("_sd_alg" in entry) == bool(digests) and entry.get("_sd_alg", "sha-256") == "sha-256", "a digest without its algorithm")
    return entry, set(digests)

def digests_in(value):
    for name, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        if name == "_sd":
            yield from map(text, need(isinstance(item, list) and item and item == sorted(item), "digests that are not sorted", item))
        else:
            yield from digests_in(item)

def check_disclosures(disclosures, digests):
    left = set(digests)
    for disclosure in disclosures:
        inner = base64.urlsafe_b64encode(text(disclosure).encode("utf-8")).rstrip(b"=")
        digest = base64.urlsafe_b64encode(sha(inner)).rstrip(b"=").decode()
        left.remove(need(digest in left, "a disclosure that matches no digest of its entry", digest))

# ---- who signs (spec/keys.md)
def keys_of(first, genesis, changes, pinned, size):
    """The keys that sign a checkpoint of this size and follow from the pinned one; without it, from the first entry."""
    facts, place = genesis["metadata"], base64.b64encode(leaf_hash(first)).decode()
    root = vkey(text(facts["rootKey"])) if facts.get("rootKey") is not None else None
    spans = {vkey(text(line)): {"first": 0, "last": None} for line in array(facts.get("logKeys"))}
    for number, (index, data, entry) in enumerate(changes, 1):
        isid = entry["id"] == f"log.key_change.{number}" and number <= 1000
        need(root and isid and data.startswith(b'{"action":"log.key_r') and len(data) <= 16_384, "a change of keys that changes none")
        kind, names = ("rotation", ["oldKey", "newKey"]) if entry["action"] == "log.key_rotated" else ("revocation", ["key", "compromisedSince"])
        change, note, key, other = shape(entry.get("metadata"), "a change of keys", ["change", "authorisation", *names])
        since = shape(other, "what is compromised", ["size", "time"]) if kind == "revocation" else None
        told = [f"key {key}", f"size {whole(since[0])}", f"time {text(since[1])}"] if since else [f"old {key}", f"new {other}"]
        told = [f"indelible/key-{kind}/v1", f"origin {facts['origin']}", f"genesis {place}", f"change {number}", *told, ""]
        old, signed = vkey(text(key)), set()
        said = open_note(text(note), [root, old], signed)
        need(change == number and said == "\n".join(told) and root in signed, "a change of keys that nobody authorised")
        span = spans.get(old)
        need(span is not None and (span["last"] is None) == (since is None), "a change of a key that does not sign")
        if since:
            known = span.setdefault("since", since)
            need(TIME.fullmatch(since[1]) and known[0] >= since[0] and known[1] >= since[1], "a key that was revoked from earlier on")
            span["since"] = since
        else:
            new = vkey(text(other))
            need(new[0] == facts["origin"] and new not in spans and new != root, "a new key that is none")
            span["last"], spans[new] = index, {"first": index + 1, "last": None, "old": old, "by": signed}
    known = {pinned} if pinned else set(spans)
    for key, span in spans.items():
        known |= {key} if "old" in span and (root in known or {span["old"]} <= known & span["by"]) else set()
    keys = [key for key, span in spans.items() if key in known and span["first"] <= size <= (SIZE_MAX if span["last"] is None else span["last"])]
    need(keys, "a log whose keys do not follow from the one that was given")
    return [key for key in keys if key[0] == facts["origin"]]

# ---- the three commands
def verify_proof(proof, entry, key):
    body, blank, note = proof.decode("utf-8").partition("\n\n")
    lines = body.split("\n")
    need(blank != "" and lines[0] == "c2sp.org/tlog-proof@v1", "not a proof file")
    rest = lines[1:]
    need(not rest or not rest[0].startswith("extra ") or len(b64(rest.pop(0)[6:])) > 0, "extra data that is empty")
    need(len(rest) >= 1 and rest[0].startswith("index ") and len(rest) <= 64, "a proof without its index")
    index, path = decimal(rest[0][6:]), [b64(line) for line in rest[1:]]
    origin, size, root = checkpoint_of(open_note(note, [key]))
    need(origin == key[0], "a checkpoint of another log")
    need(index < size and all(len(step) == HASH for step in path), "a proof of what is not in the tree")
    i, last, found = index, size - 1, leaf_hash(entry)
    for step in path:
        need(last > 0, "a path that is too long")
        if i % 2 or i == last:
            found = node(step, found)
            while i % 2 == 0 and i:
                i, last = i // 2, last // 2
        else:
            found = node(found, step)
        i, last = i // 2, last // 2
    need(last == 0 and found == root, "a path that does not lead to the root")
    read_entry(entry)
    return f"entry {index} of {origin}, in a tree of {size} entries"

MEMBERS = "blocks checkpoint complete format made origin policy selected sources statements support tiles timestamps".split()
OPEN, CLOSE = b'<template id="indelible-evidence">', b"</template>"

def inner_evidence(data):
    """Evidence out of its page; bare evidence as it is."""
    if not data.startswith(b"<"):
        return data
    begin = data.find(OPEN) + len(OPEN)
    end = data.find(CLOSE, begin)
    need(begin >= len(OPEN) and end >= 0, "a page without evidence")
    need(not re.search(rb"<|&(?!amp;|lt;)", data[begin:end]), "a page that is escaped in another way")
    return data[begin:end].replace(b"&lt;", b"<").replace(b"&amp;", b"&")

def rows_of(blocks):
    """Every row, in order; a block never becomes larger than it says."""
    for block in blocks:
        size, count, data = shape(block, "a block", ["bytes", "count", "data"])
        inflater = zlib.decompressobj(-15)
        try:
            inflated = inflater.decompress(b64(data), size + 1)
        except zlib.error:
            raise Refused("a block that does not inflate")
        need(len(inflated) == size and inflater.eof and not inflater.unconsumed_tail, "a block of another length than it says")
        rows = array(parse(inflated), 4096)
        need(len(rows) == count, "a block of another count than it says")
        for row in rows:
            need(isinstance(row, list) and len(row) == 3, "a row that is none")
            yield whole(row[0]), text(row[1]).encode("utf-8"), array(row[2])

def verify_evidence(data, key):
    is_page, data = data.startswith(b"<"), inner_evidence(data)
    evidence, seal = shape(parse(data), "the file", ["evidence", "signed"])
    blocks, note, complete, form, made, origin, policy, selected, sources, statements, support, tiles, stamps = shape(
        evidence, "evidence", MEMBERS
    )
    need(whole(form) == 1, "evidence of another format")
    for block in array(blocks):
        size, count, _ = shape(block, "a block", ["bytes", "count", "data"])
        whole(size, 16 * 1024**2), whole(count, 4096)
    need(sum(block["count"] for block in blocks) <= 1_000_000, "more entries than one file holds")
    need(sum(block["bytes"] for block in blocks) <= 2 * 1024**3, "more bytes than one file holds")
    shape(made, "made", ["at", "by", "ids", "query", "reveal", "tool"])
    for value in [origin, note, seal, made["at"], made["by"], made["tool"], *array(statements), *array(made["reveal"])]:
        text(value)
    need(all(item is None or isinstance(item, str) for item in (policy, made["query"])), "a text that is none")
    need(made["ids"] is None or all(isinstance(item, str) for item in array(made["ids"])), "ids that are none")
    for stamp in array(stamps):
        _, _, token = map(text, shape(stamp, "a timestamp", ["authority", "checkpoint", "token"]))
        b64(token)
    signed = data[len(b'{"evidence":') : -len(b',"signed":}') - len(canonical(seal).encode("utf-8"))]
    _, size, root = checkpoint_of(note.rpartition("\n\n")[0] + "\n")
    parts = [shape(tile, "a tile", ["level", "index", "hashes"]) for tile in array(tiles)]
    tree = Tiles(size, root, [(whole(level, 63), whole(index), b64(text(hashes))) for level, index, hashes in parts])
    supporting, seen, last, recorded, genesis, numbers, changes = {whole(i) for i in array(support)}, set(), -1, "", None, {}, []
    for index, entry, disclosures in rows_of(blocks):
        need(last < index < size, "an entry that does not stand behind the one before it")
        need(tree.at(0, index) == leaf_hash(entry), "an entry that is not in the signed tree")
        value, digests = read_entry(entry)
        check_disclosures(disclosures, digests)
        need(value["recordedAt"] >= recorded, "an entry that was recorded earlier than one before it")
        last, recorded = index, value["recordedAt"]
        seen.add(index)
        need((value["action"] == "log.created") == (index == 0), "a log that is not created once, by its first entry")
        need(value["action"].startswith("log.") or index not in supporting, "an entry in support that is none of the log's own")
        if index == 0:
            first, genesis = entry, value
        elif value["action"] in ("log.key_rotated", "log.key_revoked"):
            changes.append((index, entry, value))
        elif value["action"] == "log.erased":
            record = value.get("metadata")
            need(isinstance(record, dict) and isinstance(record.get("subject"), str), "an erasure that does not say of what")
            whole(record.get("below"), index)
        source = value["source"]
        numbers.setdefault((source.get("service"), source["instance"]), set()).add(source.get("seq"))
    need(genesis is not None, "evidence without the log's first entry")
    facts = genesis.get("metadata")
    need(isinstance(facts, dict) and facts.get("origin") == origin, "evidence under another name than the log's")
    keys = keys_of(first, genesis, changes, key, size)
    named, size_signed, _ = checkpoint_of(open_note(note, keys))
    need(named == origin, "a checkpoint of another log")
    digest = base64.b64encode(sha(signed)).decode()
    need(open_note(seal, keys) == f"indelible/evidence@v1\n{origin}\n{digest}\n", "a file that its signature does not bind")
    need(len(seen - supporting) == whole(selected), "another count of entries than it says")
    need(supporting <= seen and len(supporting) == len(support), "entries in support that are not here")
    if complete is not None:
        begin, end = (whole(value) for value in shape(complete, "complete", ["from", "to"]))
        need(begin < end <= size and sum(begin <= i < end for i in seen) == end - begin, "a stretch that is not whole")
    for source in array(sources):
        first, instance, service, end = shape(source, "a source", ["from", "instance", "service", "to"])
        have = numbers.pop((text(service), text(instance)), set())  # a source that is named twice has nothing left
        is_short = whole(first) <= whole(end) and end - first < len(have)
        need(is_short and all(number in have for number in range(first, end + 1)), "a source with a gap")
    verdict = "verified" if key else "consistent with the key inside"
    page = "; the page around the data was not looked at" if is_page else ""
    return f"{len(seen)} entries of {origin}, in a tree of {size_signed}: {verdict}{page}"

def tile_name(index, prefix=""):
    return (tile_name(index // 1000, "x") + "/" if index >= 1000 else "") + f"{prefix}{index % 1000:03d}"

def read_tile(folder, level, index, width, most):
    path = os.path.join(folder, "tile", str(level), tile_name(index)) + (f".p/{width}" if width < WIDTH else "")
    need(os.path.isfile(path) and os.path.getsize(path) <= most, f"tile {level}/{index} is missing or too large")
    with open(path, "rb") as file:
        return file.read()

def verify_tiles(folder, key):
    with open(os.path.join(folder, "checkpoint"), "rb") as file:
        origin, size, root = checkpoint_of(open_note(file.read(1024 * 1024 + 1).decode("utf-8"), [key]))
    need(origin == key[0], "a checkpoint of another log")
    hashes, recorded = [], ""
    for index in range((size + WIDTH - 1) // WIDTH):
        width = width_of(0, index, size)
        bundle, at, leaves = read_tile(folder, "entries", index, width, WIDTH * 65_537), 0, []
        while at < len(bundle):
            length = int.from_bytes(bundle[at : at + 2], "big")
            need(at + 2 + length <= len(bundle), f"bundle {index} is cut off")
            entry, _ = read_entry(bundle[at + 2 : at + 2 + length])
            need(entry["recordedAt"] >= recorded, f"bundle {index} holds an entry that was recorded before its predecessor")
            recorded = entry["recordedAt"]
            leaves.append(leaf_hash(bundle[at + 2 : at + 2 + length]))
            at += 2 + length
        need(len(leaves) == width, f"bundle {index} holds {len(leaves)} entries, not {width}")
        hashes += leaves
    need(fold(hashes) == root, "entries that do not give the signed root")
    level = 0
    while hashes:
        for index in range((len(hashes) + WIDTH - 1) // WIDTH):
            part = hashes[index * WIDTH : (index + 1) * WIDTH]
            stored = read_tile(folder, level, index, len(part), WIDTH * HASH)
            need(stored == b"".join(part), f"tile {level}/{index} is not that of its entries")
        hashes = [fold(hashes[i * WIDTH : (i + 1) * WIDTH]) for i in range(len(hashes) // WIDTH)]
        level += 1
    return f"{size} entries of {origin}: entries, tiles and root are what was signed"

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, words in (("proof", ["--proof", "--entry"]), ("evidence", ["file"]), ("tiles", ["directory"])):
        command = commands.add_parser(name)
        for word in words:
            command.add_argument(word, **({"required": True} if word.startswith("-") else {}))
        command.add_argument("--vkey", required=name != "evidence")
    asked = parser.parse_args()
    sys.setrecursionlimit(10_000)
    try:
        key = vkey(asked.vkey) if asked.vkey else None
    except Refused as refusal:
        parser.error(f"--vkey: {refusal}")
    read = lambda path, most: open(path, "rb").read(most + 1)
    try:
        if asked.command == "proof":
            shown = verify_proof(read(asked.proof, 4 * 1024**2), read(asked.entry, 65_536), key)
        elif asked.command == "evidence":
            shown = verify_evidence(read(asked.file, 272 * 1024**2), key)
        else:
            shown = verify_tiles(asked.directory, key)
    except OSError as failure:
        parser.error(f"it cannot be read: {failure}")
    except (Refused, ValueError, RecursionError, TypeError, AttributeError, KeyError) as refusal:
        print(f"It does not hold: {refusal}.")
        return 1
    print(f"It holds: {shown}.")
    return 0

if __name__ == "__main__":
    sys.exit(main())
