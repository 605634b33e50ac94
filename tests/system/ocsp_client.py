"""An OCSP client that also says what no proper client says. Requests are built by hand, octet by
octet; responses are read by asn1crypto. Used by ocsp.sh.

    ocsp_client.py request ISSUER.der SERIAL [odd]          request octets to standard output
    ocsp_client.py read RESPONSE                            "successful good ..." of a file
    ocsp_client.py nonces|wrong|random|shape|revoked ADDR:PORT ISSUER.der SERIAL

SERIAL, in hexadecimal, is of a valid certificate. The last ones print the number of checks; the
first that fails ends it with want and got.
"""
import base64
import hashlib
import http.client
import os
import random
import sys

from asn1crypto import ocsp, x509

SHA1 = bytes.fromhex("06052b0e03021a")
SHA256 = bytes.fromhex("0609608648016503040201")
SHA512 = bytes.fromhex("0609608648016503040203")
NULL = b"\x05\x00"
NONCE = bytes.fromhex("06092b0601050507300102")
MAX_IDS = 64
checks = 0


def same(what, want, got):
    global checks
    if want != got:
        sys.exit("%s\nwant: %.500r\ngot:  %.500r" % (what, want, got))
    checks += 1


def tlv(tag, *parts):
    contents = b"".join(parts)
    if len(contents) < 128:
        return bytes([tag, len(contents)]) + contents
    length = len(contents).to_bytes((len(contents).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + contents


def seq(*parts):
    return tlv(0x30, *parts)


def octets(value):
    return tlv(4, value)


class Issuer:
    def __init__(self, path):
        with open(path, "rb") as file:
            cert = x509.Certificate.load(file.read())
        self.name = cert.subject.dump()
        self.key = bytes(cert.public_key["public_key"])

    def cert_id(self, serial, algorithm=SHA256, parameters=b"", name=None):
        h = hashlib.sha1 if algorithm == SHA1 else hashlib.sha256
        return seq(seq(algorithm, parameters), octets(h(name or self.name).digest()),
                   octets(h(self.key).digest()), tlv(2, serial))


def request(ids, extensions=b"", version=b""):
    return seq(seq(version, seq(*[seq(one) for one in ids]), extensions))


def nonce(value, wrap=octets):
    return tlv(0xA2, seq(seq(NONCE, octets(wrap(value)))))


class Server:
    """One connection, kept for all requests."""

    def __init__(self, address):
        self.address = address
        self.http = http.client.HTTPConnection(address, timeout=30)
        self.opened = 0

    def ask(self, der, type_="application/ocsp-request"):
        if self.http.sock is None:
            self.opened += 1
        self.http.request("POST", "/ocsp", der, {"Content-Type": type_})
        answer = self.http.getresponse()
        body = answer.read()
        same("HTTP status of an OCSP answer", 200, answer.status)
        same("Content-Type", "application/ocsp-response", answer.getheader("Content-Type"))
        return ocsp.OCSPResponse.load(body, strict=True)


def same_each(what, want, got):
    """Of lists: the first that differs says more than all of them."""
    same(what + ": number", len(want), len(got))
    for one, other in zip(want, got):
        if one != other:
            same(what, one, other)
    same(what, True, want == got)


def status(response):
    return response["response_status"].native


def basic(response):
    same("status", "successful", status(response))
    return response.basic_ocsp_response["tbs_response_data"]


def singles(response):
    return [(one["cert_id"].dump(), one["cert_status"].name)
            for one in basic(response)["responses"]]


def extension(data, name):
    found = [e for e in data["response_extensions"] if e["extn_id"].native == name]
    return found[0] if found else None


def odd_request(issuer, serial):
    """A request whose base64 has all that is troublesome in a path: + / // and =."""
    draw = random.Random(serial)
    while True:
        other = bytes([draw.randrange(1, 128)]) + draw.randbytes(draw.randrange(5, 8))
        der = request([issuer.cert_id(serial), issuer.cert_id(other)])
        text = base64.b64encode(der).decode()
        if "+" in text and "//" in text and text.endswith("="):
            return der


def read(path):
    with open(path, "rb") as file:
        response = ocsp.OCSPResponse.load(file.read(), strict=True)
    if status(response) != "successful":
        return status(response)
    return "successful " + " ".join(name for _, name in singles(response))


def nonces(server, issuer, serial):
    """RFC 9654 2.1."""
    ids = [issuer.cert_id(serial)]
    for size in (0, 1, 15, 16, 17, 31, 32, 33, 127, 128, 129, 1000):
        value = os.urandom(size)
        response = server.ask(request(ids, nonce(value)))
        if size == 0 or size > 128:
            same("nonce of %d octets" % size, "malformed_request", status(response))
            continue
        found = extension(basic(response), "nonce")
        got = found and found["extn_value"].contents
        if 16 <= size <= 32:
            same("nonce of %d octets" % size, octets(value), got)
        else:
            same("nonce of %d octets is echoed or left out" % size, True,
                 got in (None, octets(value)))
    same("no nonce, none in the answer", None,
         extension(basic(server.ask(request(ids))), "nonce"))
    for what, extensions in {
            "nonce without inner OCTET STRING": nonce(os.urandom(32), lambda v: v),
            "nonce twice": tlv(0xA2, seq(*2 * [seq(NONCE, octets(octets(bytes(32))))])),
    }.items():
        same(what, "malformed_request", status(server.ask(request(ids, extensions))))
    critical = tlv(0xA2, seq(seq(NONCE, b"\x01\x01\xff", octets(octets(bytes(32))))))
    same("a critical nonce is a nonce", octets(bytes(32)), extension(
        basic(server.ask(request(ids, critical))), "nonce")["extn_value"].contents)


def wrong(server, issuer, serial):
    """Malformed, of no use, or about somebody else."""
    one = issuer.cert_id(serial)
    good = request([one])
    unknown = tlv(0xA2, seq(seq(bytes.fromhex("06032a0304"), b"\x01\x01\xff", octets(NULL))))
    for what, der in {
            "one octet behind it": good + b"\x00",
            "cut": good[:-1],
            "a text": b"is it revoked?",
            "one octet": b"\x30",
            "version 2": request([one], version=bytes.fromhex("a003020101")),
            "version 1 encoded": request([one], version=bytes.fromhex("a003020100")),
            "no certificate": request([]),
            "65 certificates": request(65 * [one]),
            "an unknown critical extension": request([one], unknown),
            "indefinite length": b"\x30\x80" + good[2:] + b"\x00\x00",
            "serial with a superfluous zero": request([issuer.cert_id(b"\x00" + serial)]),
    }.items():
        same(what, "malformed_request", status(server.ask(der)))
    same_each("64 certificates", MAX_IDS * [(one, "good")],
         singles(server.ask(request(MAX_IDS * [one]))))
    same("an unknown extension that is not critical", "successful",
         status(server.ask(request([one], unknown.replace(b"\x01\x01\xff", b"").replace(
             b"\xa2\x10\x30\x0e\x30\x0c", b"\xa2\x0d\x30\x0b\x30\x09")))))
    ids = [
        (issuer.cert_id(serial), "good"),
        (issuer.cert_id(serial, SHA256, NULL), "good"),
        (issuer.cert_id(serial, SHA1), "good"),
        (issuer.cert_id(serial, SHA1, NULL), "good"),
        (issuer.cert_id(serial, name=b"\x30\x00"), "unknown"),
        (issuer.cert_id(serial, SHA512), "unknown"),
        (issuer.cert_id(b"\x80" + serial[1:]), "unknown"),
        (issuer.cert_id(b"\x00"), "unknown"),
        (issuer.cert_id(serial + bytes(13)), "unknown"),
    ]
    for one, want in ids:
        same("one CertID, echoed as it came", [(one, want)], singles(server.ask(request([one]))))
    same_each("all in one request", ids, singles(server.ask(request([one for one, _ in ids]))))


def random_serials(server, issuer, serial):
    """10,000 serials that nobody issued, in large requests and in small ones."""
    number = int.from_bytes(serial, "big")
    near = [number + d for d in (-2, -1, 1, 2)] + [number ^ 1 << bit for bit in range(62)]
    left = [n.to_bytes(8, "big") for n in near if 0 < n >> 56 < 128]
    left += [bytes([random.randrange(1, 128)]) + os.urandom(7) for _ in range(10000 - len(left))]
    asked = 0
    while left:
        size = 1 if asked < 400 else random.randrange(2, MAX_IDS + 1)
        ids = [issuer.cert_id(n, random.choice((SHA1, SHA256))) for n in left[:size]]
        left = left[size:]
        same_each("never issued", [(one, "unknown") for one in ids],
                  singles(server.ask(request(ids))))
        asked += len(ids)
    same("serials asked for", 10000, asked)
    same("connections", 1, server.opened)


def shape(server, issuer, serial):
    """What each answer carries (RFC 9919 3.2)."""
    response = server.ask(request([issuer.cert_id(serial)]))
    whole = response.basic_ocsp_response
    data = basic(response)
    single = data["responses"][0]
    same("version is the default", "v1", data["version"].native)
    same("responder by key", "by_key", data["responder_id"].name)
    same("one certificate", 1, len(whole["certs"]))
    cert = whole["certs"][0]
    same("the key's SHA-1", hashlib.sha1(bytes(cert.public_key["public_key"])).digest(),
         data["responder_id"].native)
    same("issued by the CA itself", issuer.name, cert.issuer.dump())
    same("for OCSP only", ["ocsp_signing"], cert.extended_key_usage_value.native)
    same("nocheck", NULL, cert.ocsp_no_check_value.dump())
    lived = cert["tbs_certificate"]["validity"]
    same("fourteen days", 14, round((lived["not_after"].native - lived["not_before"].native)
                                    .total_seconds() / 86400))
    same("producedAt is thisUpdate", data["produced_at"].native, single["this_update"].native)
    same("nextUpdate in an hour", 3600,
         (single["next_update"].native - single["this_update"].native).total_seconds())
    same("no extensions", True, not data["response_extensions"].native)
    same("algorithm", "300a06082a8648ce3d040302", whole["signature_algorithm"].dump().hex())


def revoked(server, issuer, serial):
    """never_issued = revoked (RFC 6960 2.2)."""
    data = basic(server.ask(request([issuer.cert_id(b"\x01\x02\x03")])))
    found = data["responses"][0]["cert_status"]
    same("never issued", "revoked", found.name)
    same("revoked in 1970", "1970-01-01T00:00:00",
         found.chosen["revocation_time"].native.strftime("%Y-%m-%dT%H:%M:%S"))
    same("reason", "certificate_hold", found.chosen["revocation_reason"].native)
    same("extended-revoke", (False, NULL), (extension(data, "extended_revoke")["critical"].native,
                                            extension(data, "extended_revoke")
                                            ["extn_value"].contents))
    data = basic(server.ask(request([issuer.cert_id(serial)])))
    same("a good one is good", "good", data["responses"][0]["cert_status"].name)
    same("extended-revoke there, too", False, extension(data, "extended_revoke") is None)
    for _ in range(200):
        ids = [issuer.cert_id(bytes([random.randrange(1, 128)]) + os.urandom(7))]
        same("never good", [(ids[0], "revoked")], singles(server.ask(request(ids))))


def main(word, *rest):
    if word == "read":
        print(read(rest[0]))
        return
    if word == "request":
        issuer, serial = Issuer(rest[0]), bytes.fromhex(rest[1])
        der = odd_request(issuer, serial) if len(rest) > 2 else request([issuer.cert_id(serial)])
        sys.stdout.buffer.write(der)
        return
    what = {"nonces": nonces, "wrong": wrong, "random": random_serials, "shape": shape,
            "revoked": revoked}[word]
    what(Server(rest[0]), Issuer(rest[1]), bytes.fromhex(rest[2]))
    print(checks)


main(*sys.argv[1:])
