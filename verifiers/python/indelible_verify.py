#!/usr/bin/env python3
"""Verifies what an Indelible log hands out, without a line of its code: a second opinion in one file.

    indelible_verify.py proof    --proof P.tlog-proof --entry E.json --vkey KEY
    indelible_verify.py evidence CASE.json|CASE.html [--vkey KEY] [--witness KEY …]
    indelible_verify.py tiles    DIRECTORY --vkey KEY

It needs Python 3.9 and nothing else.
Formats: spec/ of the project; RFC 6962, 8032, 8785, 9901; c2sp.org/signed-note, tlog-checkpoint, tlog-proof, tlog-tiles.

Exit status: 0 it holds, 1 it does not, 2 it was asked wrongly. Without --vkey evidence is at most "consistent with the key inside".
Of evidence it leaves to others, and says so: time-stamp tokens, ML-DSA cosignatures, quorums, and whether entries match the query.
"""

import argparse, base64, contextlib, datetime, decimal as decimals, hashlib, json, math, os, re, sys, zlib

SIZE_MAX, WIDTH, HASH = 2**53 - 1, 256, 32

class Refused(Exception): """What was handed over is not what it claims to be."""
# What Python itself says of data that are not what they should be is a refusal, too.
REFUSALS = (Refused, ValueError, RecursionError, TypeError, AttributeError, KeyError, IndexError, zlib.error)

def need(holds, what, value=None):
    if not holds:
        raise Refused(what)
    return value

# ---- bytes: one spelling for each value
def b64(text):
    """Standard base64 with padding, canonical."""
    data = base64.b64decode(text.encode("ascii"), validate=True)
    return need(base64.b64encode(data).decode() == text, "base64 that is not canonical", data)

def decimal(text): return whole(int(need(re.fullmatch("0|[1-9][0-9]{0,15}", text), "malformed number", text)))
def sha(*parts): return hashlib.sha256(b"".join(parts)).digest()
def number_text(value):
    """A number as ECMAScript prints it (RFC 8785 section 3.2.2.3)."""
    if isinstance(value, int) or (value == value // 1 and abs(value) < 1e21):
        return need(abs(value) <= SIZE_MAX, "an integer beyond 2^53 - 1", str(int(value)))
    need(math.isfinite(value), "a number that is not finite")
    sign, (_, parts, exponent) = "-" if value < 0 else "", decimals.Decimal(repr(abs(value))).normalize().as_tuple()
    digits, point = "".join(map(str, parts)), len(parts) + exponent
    if -6 < point <= 21:
        return sign + (digits[:point] + "." + digits[point:] if point > 0 else "0." + "0" * -point + digits)
    return f"{sign}{digits[0]}{'.' if len(digits) > 1 else ''}{digits[1:]}e{'+' if point > 0 else '-'}{abs(point - 1)}"

def string_text(value): return json.dumps(value, ensure_ascii=False)
def canonical(value, room=32):
    """RFC 8785, of what nests no deeper than there is room."""
    if value is None or isinstance(value, bool):
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, (str, int, float)):
        return string_text(value) if isinstance(value, str) else number_text(value)
    need(room > 0, "JSON that nests too deep")
    if isinstance(value, list):
        return "[" + ",".join(canonical(item, room - 1) for item in value) + "]"
    names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
    return "{" + ",".join(f"{string_text(name)}:{canonical(value[name], room - 1)}" for name in names) + "}"

def once(pairs): return need(len(dict(pairs)) == len(pairs), "a name that stands twice in an object", dict(pairs))

def parse(data):
    """Canonical JSON and nothing else: what is read is written again, and compared."""
    text = data.decode("utf-8")
    value = json.loads(text, object_pairs_hook=once, parse_constant=lambda name: need(False, name))
    return need(canonical(value).encode("utf-8") == data, "JSON that is not canonical", value)

def shape(value, what, names):
    need(isinstance(value, dict) and set(value) == set(names), f"{what} has other members than it should")
    return [value[name] for name in names]

def text(value, what="a text"): return need(isinstance(value, str), f"{what} is none", value)
def whole(value, most=SIZE_MAX): return need(type(value) is int and 0 <= value <= most, "no whole number within its limit", value)
def array(value, most=100_000): return need(isinstance(value, list) and len(value) <= most, "no list within its limit", value)

# ---- Ed25519 (RFC 8032), in extended coordinates
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
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
    sign, y = divmod(int.from_bytes(data, "little"), 2**255)
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x * ROOT % P if (x * x - square) % P else x
    x = P - x if x % 2 != sign else x
    return need(y < P and x != P and (x * x - square) % P == 0, "a key that is no point of the curve", (x, y, 1, x * y % P))

BASE = point_of((4 * pow(5, -1, P) % P).to_bytes(32, "little"))

def ed25519(key, message, signature):
    """Whether a signature is one of the message; a key that is none refuses it."""
    (x, y, z, t), s = point_of(key), int.from_bytes(signature[32:], "little")
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    x, y, z, _ = add(times(s, BASE), times(k, (P - x, y, z, P - t)))
    x, y = x * pow(z, -1, P) % P, y * pow(z, -1, P) % P
    return len(signature) == 64 and s < L and (y | x % 2 << 255).to_bytes(32, "little") == signature[:32]

# ---- notes and checkpoints
def is_name(name): return name != "" and "+" not in name and not any(map(str.isspace, name))

def vkey(line, kind=1):
    """Name, key id, public key: Ed25519 of a log (1), or of a witness (4)."""
    parts = line.split("+", 2)
    need(len(parts) == 3 and is_name(parts[0]) and len(line.encode("utf-16-le")) <= 8192, "not a verifier key")
    data = b64(parts[2])
    need(len(data) == 33 and data[0] == kind, "not an Ed25519 key of that kind")
    key_id = sha(parts[0].encode(), b"\n", data)[:4]
    return need(parts[1] == key_id.hex(), "the key id is not the key's", (parts[0], key_id, data[1:]))

def witness_keys(policy):
    """The Ed25519 keys of the witnesses that a policy (c2sp.org/tlog-policy) names; a line whose key cannot be read names nobody."""
    for key in re.findall("^[ \t]*witness[ \t]+[^ \t\n]+[ \t]+([^ \t\n]+)", policy, re.MULTILINE):
        with contextlib.suppress(*REFUSALS):
            yield vkey(key, 4)

def open_note(note, keys, signed=None, witnesses=()):
    """The text of a note that one of the keys has signed. Who has goes into `signed`; a line of a known key that fails refuses it."""
    need(len(note.encode("utf-8")) <= 1024 * 1024, "a note that is too large")
    need(not re.search(r"[\x00-\x09\x0b-\x1f]", note), "a note with a control character")
    body, blank, block = note.rpartition("\n\n")
    body, lines, signed = body + "\n", block[:-1].split("\n"), set() if signed is None else signed
    need(blank != "" and block.endswith("\n") and len(lines) <= 100, "not a signed note, or one with too many signatures")
    for line in lines:
        name, signature = re.fullmatch("\u2014 ([^ ]+) (.+)", line).groups()
        signature = b64(signature)
        need(is_name(name) and len(signature) >= 5, "a signature line that is none")
        for key in (key for key in (*keys, *witnesses) if key[:2] == (name, signature[:4]) and not signed & {key, (*key, 0)}):
            time = int.from_bytes(signature[4:12], "big")  # of a cosignature (c2sp.org/tlog-cosignature)
            told, rest = (body, signature[4:]) if key in keys else (f"cosignature/v1\ntime {time}\n{body}", signature[12:])
            need(time < 2**63 or key in keys, "a time beyond 2^63 - 1")
            need(ed25519(key[2], told.encode("utf-8"), rest), "a signature that does not verify")
            signed.add(key if key in keys or time > 0 else (*key, 0))  # of time 0 it vouches for nothing
    need(any(key in signed for key in keys), "no signature by a known key of the log")
    return body

def checkpoint_of(body):
    lines = body.split("\n")
    need(len(lines) >= 4 and lines[-1] == "" and lines[0] != "" and "" not in lines[3:-1], "not a checkpoint")
    root = b64(lines[2])
    return need(len(root) == HASH, "a root that is no hash", (lines[0], decimal(lines[1]), root))

# ---- the tree
def leaf_hash(entry): return sha(b"\x00", entry)
def node(left, right): return sha(b"\x01", left, right)
def fold(hashes):
    """The root over any number of hashes (RFC 6962 section 2.1)."""
    while len(hashes) > 1:
        hashes = [node(*hashes[i : i + 2]) if i + 1 < len(hashes) else hashes[i] for i in range(0, len(hashes), 2)]
    return hashes[0] if hashes else sha()

def width_of(level, index, size): return max(0, min(size // WIDTH**level - index * WIDTH, WIDTH))

class Tiles:
    """Tiles that all lead to one root."""

    def __init__(self, size, root, tiles):
        self.tiles = {}
        for level, index, data in tiles:
            need(width_of(level, index, size) * HASH == len(data) > 0, "a tile that is not of this tree")
            self.tiles[need((level, index) not in self.tiles, "a tile that is there twice", (level, index))] = data
        need(self.root(size) == root, "tiles that do not lead to the root")
        for (level, index), data in self.tiles.items():
            hashes = [data[at : at + HASH] for at in range(0, len(data), HASH)]
            need(len(hashes) < WIDTH or self.at(level + 1, index) == fold(hashes), "a tile that is not its parent's")

    def at(self, level, index):
        data = self.tiles.get((level, index // WIDTH), b"")[index % WIDTH * HASH :][:HASH]
        return need(data != b"", "a tile that is missing", data)

    def root(self, size, begin=0):
        """The root over the entries from `begin` on, `size` of them (RFC 6962 section 2.1)."""
        if size & (size - 1) == 0 and size.bit_length() % 8 == min(size, 1):
            return self.at(size.bit_length() // 8, begin // size) if size else sha()
        left = 1 << (size - 1).bit_length() - 1
        return node(self.root(left, begin), self.root(size - left, begin + left))

# ---- entries and disclosures
LINE = r"[^\x00-\x1f\x7f-\x9f]+"
TYPE, ID = r"[A-Za-z0-9][A-Za-z0-9_.:-]*", r"[A-Za-z0-9._:-]+"
DIGEST, POINTER = r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]", r"(/([^/~]|~[01])*)*"
ACTION = r"[a-z][a-z0-9_-]*(\.[a-z0-9][a-z0-9_-]*)*"
REQUIRED = {"id": ID, "nonce": r"[A-Za-z0-9_-]{21}[AQgw]", "action": ACTION, "outcome": "success|failure|denied|unknown"}
OPTIONAL = {"severity": "info|low|medium|high|critical", "correlationId": ID, "causationId": ID}
KINDS = {"changes": list, "context": dict, "error": dict, "labels": dict, "reason": str}
TIME = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})\.([0-9]{3})Z")
HOURS = {"h": 1, "d": 24, "w": 168, "mo": 744, "y": 8784}

def form(value, pattern, most=128):
    return need(isinstance(value, str) and len(value) <= most and re.fullmatch(pattern, value), "a text that has not its form", value)

def subject(value): return form(value, f"{TYPE}/{LINE}", 1089)
def record(value): return need(isinstance(value, dict), "what should be an object is none", value)
def moment(value):
    """Milliseconds since 1970 of a time as entries write it. The calendar repeats after 400 years, and Python's begins with 1."""
    year, *rest, last = map(int, need(TIME.fullmatch(text(value)), "a time that is none", TIME.fullmatch(value)).groups())
    since = datetime.datetime(2000 + year % 400, *rest) - datetime.datetime(1970, 1, 1)
    return (since.days + (year // 400 - 5) * 146_097) * 86_400_000 + since.seconds * 1000 + last

def party(value, may_act_for=False):
    form(record(value).get("type"), TYPE, 64), form(value.get("id"), LINE, 1024)
    if "onBehalfOf" in value:
        party(need(may_act_for, "a party that acts for another where none can", value["onBehalfOf"]))

def read_entry(data):
    need(len(data) <= 65_535, "an entry that is too large")
    entry = record(parse(data))
    need(whole(entry.get("v")) == 1, "not an entry of version 1")
    for name, pattern in (*REQUIRED.items(), *((name, OPTIONAL[name]) for name in OPTIONAL if name in entry)):
        form(entry.get(name), pattern)
    moment(entry.get("occurredAt")), moment(entry.get("recordedAt")), party(entry.get("actor"), True)
    [party(target) for target in array(entry.get("targets"), 32)]
    source = record(entry.get("source"))
    for name in ("service", "instance", *(name for name in ("version", "credential") if name in source)):
        form(source.get(name), LINE)
    need("seq" in source and (source["seq"] is None or whole(source["seq"]) >= 0), "a source without its number")
    need(all(isinstance(entry[name], KINDS[name]) for name in KINDS if name in entry), "a value that its field cannot have")
    return entry, sealing_of(entry)

def sealing_of(entry):
    """The digests of an entry, and that whatever names them makes sense."""
    digests, names = list(digests_in(entry)), array(entry.get("sealed", []))
    spoken = [form(record(seal).get("digest"), DIGEST) for seal in array(entry.get("seals", []), 64)]
    need(all(len(set(some)) == len(some) for some in (digests, names, spoken)), "a digest or a name that stands twice")
    need(entry.get("_sd_alg") == ("sha-256" if digests else None), "a digest without its algorithm")
    need(("sealed" in entry) == ("_sd" in entry) and len(names) == len(entry.get("_sd", [])), "a sealed field without a name")
    need(not set(map(text, names)) & set(entry), "a sealed field that is in the open, too")
    need(set(spoken) <= set(digests) and ("seals" in entry) == bool(spoken), "a seal of no digest")
    for seal in entry.get("seals", []):
        form(seal.get("path"), POINTER, 1024), [subject(one) for one in array(seal.get("subjects"), 32)]
    return set(digests)

def digests_in(value, top=True):
    for name, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        need(name != "..." and (name != "_sd_alg" or top), "a name that sealing uses itself")
        if name == "_sd":
            need(isinstance(item, list) and item and item == sorted(item), "digests that are not sorted")
            yield from (form(digest, DIGEST) for digest in item)
        else:
            yield from digests_in(item, False)

def check_removal(entry, index):
    """A record of an erasure, or of retention: it says of what, and reaches neither ahead of itself nor what had not passed."""
    told = record(entry.get("metadata"))
    if entry["action"] == "log.erased":
        return subject(told.get("subject")), whole(told.get("below"), index)
    for rule in array(told.get("rules"), 64):
        match, keep = form(record(rule).get("match"), r"\*|[a-z][a-z0-9._-]{0,127}\*?", 129), rule.get("keep")
        number, unit = re.fullmatch("([1-9][0-9]{0,5})(h|d|w|mo|y)", text(keep)).groups()
        hours, before = int(number) * HOURS[unit], moment(rule.get("before"))
        need(hours <= 100 * HOURS["y"] and not match.startswith("log."), "a rule that none can be")
        need(before <= max(0, moment(entry["recordedAt"]) - hours * 3_600_000), "a record that reaches what had not passed its period")
        whole(rule.get("below"), index)
    need(len({rule["match"] for rule in told["rules"]}) == len(told["rules"]), "two rules that match the same")

def check_disclosures(disclosures, digests):
    left = set(digests)
    for disclosure in disclosures:
        inner = base64.urlsafe_b64encode(text(disclosure).encode("utf-8")).rstrip(b"=")
        digest = base64.urlsafe_b64encode(sha(inner)).rstrip(b"=").decode()
        left.remove(need(digest in left, "a disclosure that matches no digest of its entry", digest))

# ---- who signs (spec/keys.md)
def spans_of(first, genesis, changes):
    """The keys of a log, each with the sizes that it signs and who put it in its place."""
    facts, place = record(genesis.get("metadata")), base64.b64encode(leaf_hash(first)).decode()
    root = vkey(text(facts["rootKey"])) if facts.get("rootKey") is not None else None
    spans = {vkey(text(line)): {"first": 0, "last": SIZE_MAX} for line in array(facts.get("logKeys"))}
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
        need(span is not None and (span["last"] == SIZE_MAX) == (since is None), "a change of a key that does not sign")
        if since:
            known, span["since"] = span.get("since", since), since
            need(TIME.fullmatch(since[1]) and known[0] >= since[0] and known[1] >= since[1], "a key that was revoked from earlier on")
        else:
            new = vkey(text(other))
            need(new[0] == facts["origin"] and new not in spans and new != root, "a new key that is none")
            span["last"], spans[new] = index, {"first": index + 1, "last": SIZE_MAX, "old": old, "by": signed}
    return {key: span for key, span in spans.items() if key[0] == facts["origin"]}, root

def keys_of(spans, root, pinned, size):
    """The keys that sign a checkpoint of this size and follow from the pinned one; without it, from the first entry."""
    known = {pinned} if pinned else set(spans)
    for key, span in spans.items():
        known |= {key} if "old" in span and (root in known or {span["old"]} <= known & span["by"]) else set()
    keys = [key for key, span in spans.items() if key in known and span["first"] <= size <= span["last"]]
    return need(keys, "a log whose keys do not follow from the one that was given", keys)

# ---- the three commands
def root_over(index, size, leaf, path):
    """The root that a leaf and its path lead to (RFC 6962 section 2.1.1)."""
    if size == 1:
        return need(not path, "a path that is too long", leaf)
    left, (*rest, last) = 1 << (size - 1).bit_length() - 1, need(path, "a path that is too short", path)
    return node(root_over(index, left, leaf, rest), last) if index < left else node(last, root_over(index - left, size - left, leaf, rest))

def verify_proof(proof, entry, key):
    body, blank, note = proof.decode("utf-8").partition("\n\n")
    header, *rest = body.split("\n")
    need(blank != "" and header == "c2sp.org/tlog-proof@v1", "not a proof file")
    need(not rest or not rest[0].startswith("extra ") or len(b64(rest.pop(0)[6:])) > 0, "extra data that is empty")
    need(len(rest) >= 1 and rest[0].startswith("index ") and len(rest) <= 64, "a proof without its index")
    index, path = decimal(rest[0][6:]), [b64(line) for line in rest[1:]]
    origin, size, root = checkpoint_of(open_note(note, [key]))
    need(origin == key[0], "a checkpoint of another log")
    need(index < size and all(len(step) == HASH for step in path), "a proof of what is not in the tree")
    need(root_over(index, size, leaf_hash(entry), path) == root, "a path that does not lead to the root")
    read_entry(entry)
    return f"entry {index} of {origin}, in a tree of {size} entries"

MEMBERS = "blocks certificates checkpoint complete format made origin policy selected sources statements support tiles timestamps witnessed".split()
PAGE = re.compile('<template id="indelible-evidence">(.*?)</template>', re.DOTALL)

def inner_evidence(data):
    """Evidence out of its page; bare evidence as it is."""
    if not data.startswith(b"<"):
        return data
    found = PAGE.search(data.decode("utf-8"))
    inner = need(found, "a page without evidence", found)[1].encode("utf-8")
    need(not re.search(rb"<|&(?!amp;|lt;)", inner), "a page that is escaped in another way")
    return inner.replace(b"&lt;", b"<").replace(b"&amp;", b"&")

def rows_of(blocks):
    """Every row, in order; a block never becomes larger than it says."""
    for block in blocks:
        size, count, data = shape(block, "a block", ["bytes", "count", "data"])
        inflater = zlib.decompressobj(-15)
        inflated = inflater.decompress(b64(data), size + 1)
        need(len(inflated) == size and inflater.eof and not inflater.unconsumed_tail, "a block of another length than it says")
        rows = array(parse(inflated), 4096)
        need(len(rows) == count, "a block of another count than it says")
        for row in rows:
            need(isinstance(row, list) and len(row) == 3, "a row that is none")
            yield whole(row[0]), text(row[1]).encode("utf-8"), array(row[2])

def verify_evidence(data, key, witnesses=()):
    is_page, data = data.startswith(b"<"), inner_evidence(data)
    need(len(data) <= 256 * 1024**2, "a file that is too large")
    evidence, seal = shape(parse(data), "the file", ["evidence", "signed"])
    (blocks, certificates, note, complete, version, made, origin, policy, selected, sources, statements, support, tiles, stamps,
        witnessed) = shape(evidence, "evidence", MEMBERS)
    need(whole(version) == 1, "evidence of another format")
    for block in array(blocks):
        size, count, _ = shape(block, "a block", ["bytes", "count", "data"])
        whole(size, 16 * 1024**2), whole(count, 4096)
    is_small = sum(block["count"] for block in blocks) <= 1_000_000 and sum(block["bytes"] for block in blocks) <= 2 * 1024**3
    need(is_small, "more than one file holds")
    at, by, ids, query, reveal, tool = shape(made, "made", ["at", "by", "ids", "query", "reveal", "tool"])
    need((ids is None) != (query is None), "not one of a query and ids")
    given = [item for item in (policy, witnessed, query) if item is not None]
    tokens = [shape(stamp, "a timestamp", ["token", "authority", "checkpoint"]) for stamp in array(stamps, 500)]
    for value in [origin, note, seal, at, by, tool, *given, *array(statements), *array(reveal), *array(ids or []), *sum(tokens, [])]:
        text(value)
    [b64(text(value)) for value in (*array(certificates, 200), *(token for token, _, _ in tokens))]
    signed = data[len(b'{"evidence":') : -len(b',"signed":}') - len(canonical(seal).encode("utf-8"))]
    _, size, root = checkpoint_of(note.rpartition("\n\n")[0] + "\n")
    parts = [shape(tile, "a tile", ["level", "index", "hashes"]) for tile in array(tiles)]
    tree = Tiles(size, root, [(whole(level, 63), whole(index), b64(text(hashes))) for level, index, hashes in parts])
    supporting, seen, last, recorded, genesis, numbers, changes = {whole(i) for i in array(support)}, set(), -1, "", None, {}, []
    chosen = set()
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
        elif value["action"] in ("log.erased", "log.retention_applied"):
            check_removal(value, index)
        if index not in supporting:
            chosen.add(value["id"])
        source = value["source"]
        numbers.setdefault((source.get("service"), source["instance"]), set()).add(source.get("seq"))
    need(ids is None or set(ids) == chosen, "other entries than those that were named")
    need(genesis, "evidence without the log's first entry")
    timeline = spans_of(first, genesis, changes)
    keys = keys_of(*timeline, key, size)
    named, size, _ = checkpoint_of(open_note(note, keys))
    need({named, genesis["metadata"].get("origin")} == {origin}, "evidence under another name than the log's")
    known, cosigned = witnesses or list(witness_keys(policy or "")), set()
    for carried in [*{stamp["checkpoint"] for stamp in stamps}, *([] if witnessed is None else [witnessed])]:
        name, count, root = checkpoint_of(carried.rpartition("\n\n")[0] + "\n")
        need(name == origin and count <= size and tree.root(count) == root, "a checkpoint of another history")
        open_note(carried, keys_of(*timeline, None, count), *((cosigned, known) if carried is witnessed else ()))
    digest = base64.b64encode(sha(signed)).decode()
    need(open_note(seal, keys) == f"indelible/evidence@v1\n{origin}\n{digest}\n", "a file that its signature does not bind")
    need(len(seen - supporting) == whole(selected), "another count of entries than it says")
    need(supporting <= seen and sorted(supporting) == support, "entries in support that are not here")
    if complete is not None:
        begin, end = (whole(value) for value in shape(complete, "complete", ["from", "to"]))
        need(begin < end <= size and sum(begin <= i < end for i in seen) == end - begin, "a stretch that is not whole")
    for source in array(sources):
        first, instance, service, end = shape(source, "a source", ["from", "instance", "service", "to"])
        have = numbers.pop((text(service), text(instance)), set())  # a source that is named twice has nothing left
        is_short = whole(first) <= whole(end) and end - first < len(have)
        need(is_short and all(number in have for number in range(first, end + 1)), "a source with a gap")
    own = {material for _, _, material in keys_of(*timeline, None, size)}
    names = sorted({name for name, _, material in cosigned & set(known) if name != origin and material not in own})
    whose = f"; {count} cosigned by {', '.join(names)}{'' if witnesses else ', whom the policy inside names'}" if names else ""
    unread = {"time-stamp tokens": stamps, "whether they match the query": ids is None, "the page around the data": is_page}
    left = "; not looked at: " + ", ".join(name for name, is_there in unread.items() if is_there) if any(unread.values()) else ""
    verdict = "verified" if key else "consistent with the key inside"
    return f"{len(seen)} entries of {origin}, in a tree of {size}: {verdict}{whose}{left}"

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
        bundle, at, count = read_tile(folder, "entries", index, width, WIDTH * 65_537), 0, len(hashes)
        while at < len(bundle):
            data = bundle[at + 2 : at + 2 + int.from_bytes(bundle[at : at + 2], "big")]
            entry, _ = read_entry(data)
            need(entry["recordedAt"] >= recorded, f"bundle {index} holds an entry that was recorded before its predecessor")
            recorded, at = entry["recordedAt"], at + 2 + len(data)
            hashes.append(leaf_hash(data))
        need(len(hashes) - count == width, f"bundle {index} holds {len(hashes) - count} entries, not {width}")
    need(fold(hashes) == root, "entries that do not give the signed root")
    for level in range(8):
        parts = [hashes[at : at + WIDTH] for at in range(0, len(hashes), WIDTH)]
        for index, part in enumerate(parts):
            stored = read_tile(folder, level, index, len(part), WIDTH * HASH)
            need(stored == b"".join(part), f"tile {level}/{index} is not that of its entries")
        hashes = [fold(part) for part in parts if len(part) == WIDTH]
    return f"{size} entries of {origin}: entries, tiles and root are what was signed"

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, words in (("proof", ["--proof", "--entry"]), ("evidence", ["file"]), ("tiles", ["directory"])):
        command = commands.add_parser(name)
        for word in words:
            command.add_argument(word, **({"required": True} if word.startswith("-") else {}))
        command.add_argument("--vkey", required=name != "evidence")
        command.add_argument("--witness", action="append", default=[], help="key of a witness to believe, for evidence")
    asked = parser.parse_args()
    sys.setrecursionlimit(10_000)
    try:
        key, witnesses = vkey(asked.vkey.strip()) if asked.vkey else None, [vkey(line.strip(), 4) for line in asked.witness]
    except Refused as refusal:
        parser.error(f"a key that was given: {refusal}")
    read = lambda path, most: open(path, "rb").read(most + 1)
    try:
        if asked.command == "proof":
            shown = verify_proof(read(asked.proof, 4 * 1024**2), read(asked.entry, 65_536), key)
        elif asked.command == "evidence":
            shown = verify_evidence(read(asked.file, 272 * 1024**2), key, witnesses)
        else:
            shown = verify_tiles(asked.directory, key)
    except OSError as failure:
        parser.error(f"it cannot be read: {failure}")
    except REFUSALS as refusal:
        print(f"It does not hold: {refusal}.")
        return 1
    print(f"It holds: {shown}.")
    return 0

if __name__ == "__main__":
    sys.exit(main())
