"""What a foreign decoder (asn1crypto) reads in an issued certificate, against the profile.

    certificate.py device LEAF.der CA.der EUI64 digital_signature|key_agreement HWTYPE
    certificate.py organisation LEAF.der CA.der EUI64 digital_signature|key_agreement ROLE
    certificate.py server LEAF.der CA.der NAME...

Prints the number of checks; the first that fails ends it with got and want.
"""
import datetime
import hashlib
import sys

from asn1crypto import core, x509

POLICY = "1.2.826.0.1.8641679.1.2.1.4"
USAGE = {"digital_signature": "03020780", "key_agreement": "03020308"}
ECDSA_SHA256 = "300a06082a8648ce3d040302"
checks = 0


def same(what, want, got):
    global checks
    if want != got:
        sys.exit("%s\nwant: %.500r\ngot:  %.500r" % (what, want, got))
    checks += 1


def tlv(tag, *parts):
    """DER of fewer than 128 octets."""
    contents = b"".join(parts)
    return bytes([tag, len(contents)]) + contents


def value(ext):
    """Octets inside the OCTET STRING of an extension."""
    return ext["extn_value"].contents.hex()


def extensions(cert, want):
    """Name to (critical, octets); no other ones, none twice."""
    have = cert["tbs_certificate"]["extensions"]
    names = [ext["extn_id"].native for ext in have]
    same("extensions", sorted(want), sorted(names))
    for ext in have:
        name = ext["extn_id"].native
        same(name + " critical", want[name][0], ext["critical"].native)
        if want[name][1] is not None:
            same(name, want[name][1], value(ext))
    return {ext["extn_id"].native: ext for ext in have}


def point(cert):
    return bytes(cert.public_key["public_key"])


def method_2(cert):
    """RFC 5280 4.2.1.2 (2): 0100 and the last 60 bits of the hash."""
    tail = hashlib.sha1(point(cert)).digest()[-8:]
    return "%02x%s" % (0x40 | tail[0] & 0x0F, tail[1:].hex())


def method_1(cert):
    return hashlib.sha1(point(cert)).hexdigest()


def policies():
    return tlv(0x30, tlv(0x30, core.ObjectIdentifier(POLICY).dump())).hex()


def common(cert, ca):
    tbs = cert["tbs_certificate"]
    same("version", "v3", tbs["version"].native)
    serial = tbs["serial_number"].contents
    same("serial octets", 8, len(serial))
    same("serial is positive", True, 0 < serial[0] < 0x80)
    same("signature algorithm", ECDSA_SHA256, cert["signature_algorithm"].dump().hex())
    same("the same inside", ECDSA_SHA256, tbs["signature"].dump().hex())
    same("issuer, byte for byte", ca.subject.dump().hex(), tbs["issuer"].dump().hex())
    same("no issuerUniqueID", None, tbs["issuer_unique_id"].native)
    same("no subjectUniqueID", None, tbs["subject_unique_id"].native)
    same("key algorithm", "ec", cert.public_key.algorithm)
    same("curve", ("named", "secp256r1"), cert.public_key.curve)
    same("uncompressed point", (65, 4), (len(point(cert)), point(cert)[0]))
    same("notBefore", "utc_time", tbs["validity"]["not_before"].name)
    begun = tbs["validity"]["not_before"].native
    now = datetime.datetime.now(datetime.timezone.utc)
    same("notBefore is the time of creation", True,
         abs((now - begun).total_seconds()) < 3600)
    return tbs


def identifiers(cert, ca):
    return {
        "key_identifier": (False, "0408" + method_2(cert)),
        "authority_key_identifier": (False, "300a8008" + method_2(ca)),
        "certificate_policies": (True, policies()),
    }


def device(cert, ca, eui64, usage, hw_type):
    tbs = common(cert, ca)
    same("subject", "3000", tbs["subject"].dump().hex())
    same("notAfter", ("general_time", b"99991231235959Z"),
         (tbs["validity"]["not_after"].name, tbs["validity"]["not_after"].chosen.contents))
    same("octets of the CA's key identifier", 16, len(method_2(ca)))
    name = tlv(0x30, tlv(
        0xA0, core.ObjectIdentifier("1.3.6.1.5.5.7.8.4").dump(),
        tlv(0xA0, tlv(0x30, core.ObjectIdentifier(hw_type).dump(), tlv(4, bytes.fromhex(eui64))))))
    want = identifiers(cert, ca)
    want["key_usage"] = (True, USAGE[usage])
    want["subject_alt_name"] = (True, name.hex())
    found = extensions(cert, want)
    same("usage as decoded", {usage}, found["key_usage"]["extn_value"].parsed.native)
    names = found["subject_alt_name"]["extn_value"].parsed
    same("one name", 1, len(names))
    other = names[0].chosen
    same("its type", "1.3.6.1.5.5.7.8.4", other["type_id"].dotted)
    inner = other["value"].parsed
    same("hwType", hw_type, inner[0].dotted)
    same("hwSerialNum", bytes.fromhex(eui64), inner[1].native)


def organisation(cert, ca, eui64, usage, role):
    tbs = common(cert, ca)
    want = identifiers(cert, ca)
    want["key_usage"] = (True, USAGE[usage])
    extensions(cert, want)
    pairs = [(one["type"].dotted, one["value"]) for rdn in tbs["subject"].chosen for one in rdn]
    same("subject attributes", ["2.5.4.11", "2.5.4.45"], [kind for kind, _ in pairs])
    same("role code", role, pairs[0][1].native)
    same("x500UniqueIdentifier", "030900" + eui64, pairs[1][1].dump().hex())
    years = (tbs["validity"]["not_after"].native - tbs["validity"]["not_before"].native).days
    same("ten years", True, 3649 <= years <= 3650)


def server(cert, ca, *names):
    tbs = common(cert, ca)
    same("subject", "3000", tbs["subject"].dump().hex())
    found = extensions(cert, {
        "key_identifier": (False, "0414" + method_1(cert)),
        "authority_key_identifier": (False, "300a8008" + method_2(ca)),
        "key_usage": (True, USAGE["digital_signature"]),
        "extended_key_usage": (False, "300a06082b06010505070301"),
        "subject_alt_name": (True, None),
    })
    same("names", list(names), found["subject_alt_name"]["extn_value"].parsed.native)
    seconds = tbs["validity"]["not_after"].native - tbs["validity"]["not_before"].native
    same("397 days, both ends counted", 397 * 86400 - 1, int(seconds.total_seconds()))


def load(path):
    with open(path, "rb") as file:
        octets = file.read()
    cert = x509.Certificate.load(octets, strict=True)
    same("encoded again it is the same", octets.hex(), cert.dump(force=True).hex())
    return cert


def main(kind, leaf, ca, *rest):
    check = {"device": device, "organisation": organisation, "server": server}[kind]
    check(load(leaf), load(ca), *rest)
    print(checks)


main(*sys.argv[1:])
