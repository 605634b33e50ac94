#!/usr/bin/python3
"""Writes the corpus of certification requests: good/, bad/ and bad/EXPECT.

Each file in bad/ has exactly one defect and is named by it; everything else about it is right,
its signature too wherever the defect leaves a choice. bad/EXPECT says, a line a file and parted by
tabs, the stage that must refuse it (parse, pop, profile) and a part of the message. profile means
profile device-signature.

    make.py           writes all files
    make.py --check   compares them with what stands in the tree; exit 1 on a difference

Files named openssl-* were made once by the openssl command, for a second opinion on the format,
and are only listed here. Their keys were thrown away.
"""
import base64
import hashlib
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from ecdsa import BRAINPOOL, P256, P384, SECP256K1, Key  # noqa: E402
from ecdsa import bits, octets, oid, seq, set_of, sig_value, tlv, uint  # noqa: E402
from request import CHALLENGE, DEVICE, EC_KEY, EUI64, EXT_REQUEST, HW_NAME  # noqa: E402
from request import HW_TYPE, KEY, KEY384, KU_AGREE, KU_SIGN, NULL, OTHER, TRUE  # noqa: E402
from request import attribute, body, explicit, ext, ext_request, hw_name, indefinite  # noqa: E402
from request import info, key_usage, long_length, padded, pem, request, san, sig_alg  # noqa: E402
from request import spki  # noqa: E402

files = {}
expect = []


def good(name, data):
    files["good/" + name] = data


def bad(stage, name, clause, data=None):
    """data None: the file is not ours to make."""
    expect.append("%s\t%s\t%s\n" % (name, stage, clause))
    if data is not None:
        files["bad/" + name] = data


def make_good():
    device = request()
    gb_type = oid("1.2.826.0.1.8641679.1.2.1.7")
    role = seq(oid("2.5.4.11"), tlv(0x13, b"02"))
    ident = seq(oid("2.5.4.45"), bits(EUI64))
    name = seq(oid("2.5.4.3"), tlv(0x0C, b"Example Supplier"))
    host = tlv(0x82, b"meters.example.org")
    cn = seq(set_of(seq(oid("2.5.4.3"), tlv(0x0C, b"meters.example.org"))))
    agree = Key("agreement")
    good("device-signature.der", device)
    good("device-signature-gb.der", request(exts=(key_usage(), san(hw_name(gb_type)))))
    good("device-signature-not-critical.der",
         request(exts=(key_usage(critical=b""), san(hw_name(), critical=b""))))
    good("device-signature-ext-order.der", request(exts=DEVICE[::-1]))
    good("device-signature-challenge-password.der", request(attrs=explicit(0, *sorted([
        attribute(CHALLENGE, tlv(0x0C, b"secret")), ext_request(*DEVICE)]))))
    for half, wanted in (("low", lambda r, s: 2 * s < P256.n),
        ("high", lambda r, s: 2 * s > P256.n)):
        good("device-signature-%s-s.der" % half,
             request(sig=bits(sig_value(*KEY.sign(info(), wanted=wanted)))))
    good("device-signature-4096-octets.der", padded(4096))
    good("device-agreement.der", request(
        key=agree, public=spki(agree.point), exts=(key_usage(KU_AGREE), san(hw_name()))))
    good("device-agreement-gb.der", request(
        key=agree, public=spki(agree.point), exts=(key_usage(KU_AGREE), san(hw_name(gb_type)))))
    for form, subject in (("", seq(set_of(role), set_of(ident))),
                          ("-cn", seq(set_of(name), set_of(role), set_of(ident))),
                          ("-one-rdn", seq(set_of(role, ident)))):
        key = Key("organisation")
        good("organisation%s.der" % form,
             request(key=key, public=spki(key.point), subject=subject, exts=(key_usage(),)))
    for form, key in (("", Key("server")), ("-p384", Key("server", P384))):
        good("server%s.der" % form, request(
            key=key, public=spki(key.point, key.curve.oid), subject=cn,
            exts=(key_usage(), san(host, critical=b""))))
    good("no-attributes.der", request(attrs=explicit(0)))
    good("pem.pem", pem(device))
    good("pem-new.pem", pem(device, "NEW CERTIFICATE REQUEST"))
    good("pem-crlf.pem", pem(device, end="\r\n"))
    good("pem-cr.pem", pem(device, end="\r"))
    good("pem-one-line.pem", pem(device, width=10000))
    good("pem-no-final-newline.pem", pem(device).rstrip())
    good("pem-text-around.pem",
         b"Certificate Request:\n    Data:\n        Version: 1 (0x0)\n"
         + pem(device) + b"-- \nbye\n")
    good("pem-byte-order-mark.pem", b"\xef\xbb\xbf" + pem(device, end="\r\n"))
    good("base64.txt", base64.b64encode(device))
    good("base64-lines.txt", base64.encodebytes(device))


def make_text():
    device = request()
    text = pem(device).decode()
    bad("parse", "empty.der", "RFC 2986 4.2: request is empty", b"")
    bad("parse", "oversize-4097.der", "size limit", padded(4097))
    bad("parse", "oversize-4097.pem", "size limit", pem(padded(4097)))
    bad("parse", "oversize-text.pem", "size limit", b"x\n" * 4400 + pem(device))
    bad("parse", "oversize-oid-100k.der", "size limit", request(exts=(
        key_usage(), san(hw_name(tlv(0x06, b"\x2b" + b"\x85\x05" * 50000))))))
    bad("parse", "pem-two-blocks.pem", "RFC 7468 7", pem(device) * 2)
    bad("parse", "pem-after-parameters.pem", "RFC 7468 7",
        pem(P256.oid, "EC PARAMETERS") + pem(device))
    bad("parse", "pem-label-certificate.pem", "RFC 7468 7", pem(device, "CERTIFICATE"))
    bad("parse", "pem-end-label-differs.pem", "RFC 7468 2",
        pem(device, end_label="NEW CERTIFICATE REQUEST"))
    bad("parse", "pem-no-end.pem", "RFC 7468 2", text.split("-----END")[0].encode())
    bad("parse", "pem-empty.pem", "RFC 7468 2", pem(b""))
    bad("parse", "pem-bad-base64.pem", "RFC 4648 4", text.replace("M", "*", 1).encode())
    bad("parse", "pem-bad-padding.pem", "RFC 4648 4",
        text.replace("\n-----END", "=\n-----END").encode())
    bad("parse", "pem-headers.pem", "RFC 4648 4",
        pem(device, head="Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n"))
    bad("parse", "pem-nul.pem", "RFC 4648 4", text.replace("\n", "\0", 3).encode())
    bad("parse", "base64-cut.txt", "RFC 4648 4", base64.b64encode(device)[:-3])
    bad("parse", "base64-url.txt", "RFC 4648 4",
        base64.urlsafe_b64encode(b"0\xff\xfe" + device))
    bad("parse", "base64-text.txt", "RFC 4648 4", b"this is not a request\n")
    bad("parse", "base64-of-text.txt", "RFC 2986 4.2",
        base64.b64encode(b"this is not a request"))


def make_encoding():
    device, cri = request(), info()
    ten = "X.690 10.1"
    subject = seq(set_of(seq(oid("2.5.4.3"), tlv(0x0C, b"x"))))
    request_attr = ext_request(*DEVICE)
    for kind, change in (("indefinite", indefinite), ("long", long_length)):
        bad("parse", "length-%s-request.der" % kind, ten, change(device))
        bad("parse", "length-%s-info.der" % kind, ten, request(change(cri)))
        bad("parse", "length-%s-subject.der" % kind, ten, request(subject=change(subject)))
        bad("parse", "length-%s-spki.der" % kind, "RFC 5280 4.1.2.7",
            request(public=change(spki(KEY.point))))
        bad("parse", "length-%s-attributes.der" % kind, ten,
            request(attrs=change(explicit(0, request_attr))))
        bad("parse", "length-%s-attribute.der" % kind, ten,
            request(attrs=explicit(0, change(request_attr))))
        bad("parse", "length-%s-extension.der" % kind, ten,
            request(exts=(change(key_usage()), san(hw_name()))))
        bad("parse", "length-%s-extension-value.der" % kind, "RFC 5280 4.2",
            request(exts=(key_usage(), ext("2.5.29.17", change(seq(hw_name()))))))
        bad("parse", "length-%s-signature-algorithm.der" % kind, ten,
            request(alg=change(sig_alg(P256))))
    bad("parse", "length-nine-octets.der", ten, b"\x30\x89" + bytes(8) + device[3:])
    bad("parse", "length-past-end.der", ten, device[:3] + bytes([device[3] + 1]) + device[4:])
    bad("parse", "length-huge.der", ten, b"\x30\x84\xff\xff\xff\xff" + body(device))
    bad("parse", "cut-one-octet.der", ten, device[:-1])
    bad("parse", "cut-half.der", ten, device[:len(device) // 2])
    bad("parse", "cut-header.der", ten, device[:1])
    bad("parse", "info-missing.der", "RFC 2986 4.2", seq())
    bad("parse", "info-is-octet-string.der", "RFC 2986 4.2", request(octets(body(cri))))
    bad("parse", "certificate-request-of-crmf.der", "RFC 2986 4.1", seq(seq(seq(uint(1), seq()))))
    bad("parse", "tag-of-two-octets.der", "RFC 2986 4.2",
        seq(b"\x3f\x10" + cri[1:], sig_alg(P256), bits(b"")))
    for place, data in (
            ("request", device + b"\0"),
            ("request-second", device + device)):
        bad("parse", "trailing-after-%s.der" % place, "RFC 2986 4.2: bytes after the Cert", data)
    bad("parse", "trailing-in-request.der", "RFC 2986 4.2: bytes after the sig", request(more=NULL))
    bad("parse", "trailing-in-info.der", "RFC 2986 4.1: bytes after the attr",
        request(info(more=NULL)))
    bad("parse", "trailing-in-spki.der", "RFC 5280 4.1.2.7: bytes after",
        request(public=seq(seq(EC_KEY, P256.oid), bits(KEY.point), NULL)))
    bad("parse", "trailing-in-key-algorithm.der", "RFC 5480 2.1.1: bytes after",
        request(public=spki(KEY.point, P256.oid + NULL)))
    bad("parse", "trailing-in-attributes.der", "RFC 2986 4.1: Attribute",
        request(attrs=explicit(0, request_attr, NULL)))
    bad("parse", "trailing-in-attribute.der", "RFC 2986 4.1: bytes after the values",
        request(attrs=explicit(0, seq(body(request_attr), NULL))))
    bad("parse", "trailing-in-extensions.der", "RFC 5280 4.1: Extension",
        request(exts=DEVICE + (NULL,)))
    bad("parse", "trailing-in-extension.der", "RFC 5280 4.1: extension 2.5.29.15 has bytes",
        request(exts=(seq(body(key_usage()), NULL), san(hw_name()))))
    bad("parse", "trailing-in-extension-value.der", "RFC 5280 4.2: value of extension 2.5.29.15",
        request(exts=(key_usage(KU_SIGN + NULL), san(hw_name()))))
    bad("parse", "trailing-in-subject-attribute.der", "RFC 5280 4.1.2.4",
        request(subject=seq(set_of(seq(oid("2.5.4.3"), tlv(0x0C, b"x"), NULL)))))


def make_info():
    one = "RFC 2986 4.1"
    attr = ext_request(*DEVICE)
    challenge = attribute(CHALLENGE, tlv(0x0C, b"secret"))
    for name, version in (("1", b"\x02\x01\x01"), ("2", b"\x02\x01\x02"),
                          ("negative", b"\x02\x01\xff"), ("not-minimal", b"\x02\x02\x00\x00"),
                          ("empty", b"\x02\x00"), ("enumerated", b"\x0a\x01\x00")):
        bad("parse", "version-%s.der" % name, one + ": version", request(version=version))
    bad("parse", "version-missing.der", one + ": version",
        request(seq(seq(), spki(KEY.point), explicit(0, attr))))
    bad("parse", "subject-is-set.der", one + ": subject", request(subject=set_of()))
    bad("parse", "subject-empty-rdn.der", "RFC 5280 4.1.2.4", request(subject=seq(set_of())))
    one_cn, one_ou = (seq(oid("2.5.4." + n), tlv(0x0C, b"x")) for n in ("3", "11"))
    bad("parse", "subject-rdn-not-ascending.der", "X.690 11.6",
        request(subject=seq(tlv(0x31, one_ou, one_cn))))
    bad("parse", "attributes-missing.der", one + ": attributes [0] are missing",
        request(seq(b"\x02\x01\x00", seq(), spki(KEY.point))))
    bad("parse", "attributes-tag-1.der", one + ": attributes", request(attrs=explicit(1, attr)))
    bad("parse", "attributes-primitive.der", one + ": attributes", request(attrs=tlv(0x80, attr)))
    bad("parse", "attributes-in-set.der", one + ": Attribute",
        request(attrs=explicit(0, set_of(attr))))
    bad("parse", "attributes-not-ascending.der", "X.690 11.6",
        request(attrs=explicit(0, *sorted([attr, challenge], reverse=True))))
    bad("parse", "attribute-unknown.der", one + ": attribute 1.3.6.1.4.1.311.13.2.3",
        request(attrs=explicit(0, attribute(oid("1.3.6.1.4.1.311.13.2.3"), tlv(0x16, b"10.0")))))
    bad("parse", "attribute-microsoft.der", "RFC 2985 5.4.2: Microsoft",
        request(attrs=explicit(0, attribute(oid("1.3.6.1.4.1.311.2.1.14"), seq(*DEVICE)))))
    bad("parse", "attribute-huge-oid.der", one + ": attribute",
        request(attrs=explicit(0, attribute(tlv(0x06, b"\x2b" + b"\x85\x05" * 1500), NULL))))
    bad("parse", "attribute-oid-not-minimal.der", "X.690 8.19",
        request(attrs=explicit(0, attribute(b"\x06\x04\x2b\x80\x85\x05", NULL))))
    bad("parse", "attribute-oid-cut.der", "X.690 8.19",
        request(attrs=explicit(0, attribute(b"\x06\x03\x2b\x85\x85", NULL))))
    bad("parse", "attribute-oid-empty.der", "X.690 8.19",
        request(attrs=explicit(0, attribute(b"\x06\x00", NULL))))
    bad("parse", "attribute-values-sequence.der", one + ": values",
        request(attrs=explicit(0, seq(EXT_REQUEST, seq(seq(*DEVICE))))))
    bad("parse", "challenge-password-twice.der", one + ": attribute",
        request(attrs=explicit(0, challenge, challenge)))
    bad("parse", "challenge-password-two-values.der", "RFC 2985 5.4.1",
        request(attrs=explicit(0, attribute(CHALLENGE, tlv(0x0C, b"a"), tlv(0x0C, b"b")))))
    bad("parse", "extension-request-twice.der", one + ": attribute",
        request(attrs=explicit(0, *sorted([ext_request(DEVICE[0]), ext_request(DEVICE[1])]))))
    bad("parse", "extension-request-two-values.der", "RFC 2985 5.4.2",
        request(attrs=explicit(0, attribute(EXT_REQUEST, seq(DEVICE[0]), seq(DEVICE[1])))))
    bad("parse", "extension-request-no-value.der", "RFC 2985 5.4.2",
        request(attrs=explicit(0, attribute(EXT_REQUEST))))
    bad("parse", "extension-request-empty.der", "RFC 5280 4.1", request(exts=()))
    bad("parse", "extension-twice.der", "RFC 5280 4.2: extension 2.5.29.17",
        request(exts=DEVICE + (san(hw_name(serial=octets(b"\0\xdb\x12\x34\x56\x78\0\2"))),)))
    bad("parse", "extension-seventeen.der", "size limit", request(exts=DEVICE + tuple(
        ext("1.3.6.1.4.1.32473.9.%d" % i, NULL) for i in range(15))))
    false, odd = b"\x01\x01\x00", b"\x01\x01\x01"
    bad("parse", "extension-critical-false.der", "X.690 11.5",
        request(exts=(key_usage(critical=false), DEVICE[1])))
    bad("parse", "extension-critical-01.der", "X.690 11.1",
        request(exts=(key_usage(critical=odd), DEVICE[1])))
    bad("parse", "extension-no-value.der", "RFC 5280 4.1: extension 2.5.29.15 has no",
        request(exts=(seq(oid("2.5.29.15"), TRUE), DEVICE[1])))
    bad("parse", "extension-empty-value.der", "RFC 5280 4.2",
        request(exts=(key_usage(b""), DEVICE[1])))
    bad("parse", "extension-value-constructed.der", "RFC 5280 4.1: extension 2.5.29.15 has no",
        request(exts=(seq(oid("2.5.29.15"), TRUE, tlv(0x24, octets(KU_SIGN))), DEVICE[1])))


def curve_parameters(field, a, b, generator, order, cofactor=uint(1)):
    return seq(uint(1), field, seq(octets(a), octets(b)), octets(generator), order, cofactor)


def prime_field(p):
    return seq(oid("1.2.840.10045.1.1"), uint(p))


def off_curve(curve, square):
    """An x with, or without, a square root for y; and a y that fits neither."""
    x = 5
    while True:
        rhs = (x ** 3 + curve.a * x + curve.b) % curve.p
        if (pow(rhs, (curve.p - 1) // 2, curve.p) == 1) == square:
            return x, rhs
        x += 1


def make_points():
    two = "RFC 5480 2.2"
    x, y = KEY.q
    field = P256.encode
    raw = KEY.point[1:]
    bad("parse", "key-off-curve.der", two + ": point is not on",
        request(public=spki(field((x, y ^ 1)))))
    bad("parse", "key-zero-point.der", two + ": point is not on",
        request(public=spki(field((0, 0)))))
    twist_x, rhs = off_curve(P256, False)
    bad("parse", "key-on-twist.der", two + ": point is not on",
        request(public=spki(field((twist_x, pow(-rhs, (P256.p + 1) // 4, P256.p))))))
    # A point with so small an x that x + p still has 32 octets; the same for y is too rare.
    small_x, rhs = off_curve(P256, True)
    small_y = pow(rhs, (P256.p + 1) // 4, P256.p)
    bad("parse", "key-x-not-reduced.der", two + ": point is not on",
        request(public=spki(field((small_x + P256.p, small_y)))))
    bad("parse", "key-infinity.der", two + ": point is infinity", request(public=spki(b"\0")))
    bad("parse", "key-empty.der", two, request(public=spki(b"")))
    for name, first in (("compressed-02", 2), ("compressed-03", 3)):
        bad("parse", "key-%s.der" % name, two + ": point is not uncompressed",
            request(public=spki(bytes([first]) + raw[:32])))
    for name, first in (("hybrid-06", 6), ("hybrid-07", 7), ("first-octet-05", 5),
        ("first-octet-ff", 255)):
        bad("parse", "key-%s.der" % name, two + ": point is not uncompressed",
            request(public=spki(bytes([first]) + raw)))
    bad("parse", "key-one-octet-short.der", two + ": point has",
        request(public=spki(KEY.point[:-1])))
    bad("parse", "key-one-octet-long.der", two + ": point has",
        request(public=spki(KEY.point + b"\0")))
    bad("parse", "key-p256-named-p384.der", two + ": point has",
        request(public=spki(KEY.point, P384.oid), alg=sig_alg(P384)))
    bad("parse", "key-p384-named-p256.der", two + ": point has", request(
        public=spki(KEY384.point), key=KEY384, alg=sig_alg(P256)))
    bad("parse", "key-p384-off-curve.der", two + ": point is not on", request(
        public=spki(KEY384.point[:-1] + bytes([KEY384.point[-1] ^ 1]), P384.oid), key=KEY384))
    bad("parse", "key-unused-bits.der", two + ": subjectPublicKey",
        request(public=spki(KEY.point, unused=1)))
    bad("parse", "key-octet-string.der", two + ": subjectPublicKey",
        request(public=seq(seq(EC_KEY, P256.oid), octets(KEY.point))))
    bad("parse", "key-bit-string-empty.der", two + ": subjectPublicKey",
        request(public=seq(seq(EC_KEY, P256.oid), b"\x03\x00")))


def make_curves():
    named = "RFC 5480 2.1.1: curve is not named P-256 or P-384"
    for name, curve in (("secp256k1", SECP256K1), ("brainpoolp256r1", BRAINPOOL)):
        key = Key("foreign", curve)
        bad("parse", "curve-%s.der" % name, named, request(
            public=spki(key.point, curve.oid), key=key, alg=sig_alg(P256)))
    for name, number, size in (("p521", "1.3.132.0.35", 66), ("p224", "1.3.132.0.33", 28),
                               ("sect283k1", "1.3.132.0.16", 36),
                               ("sm2", "1.2.156.10197.1.301", 32)):
        bad("parse", "curve-%s.der" % name, named,
            request(public=spki(b"\x04" + b"\x01" * (2 * size), oid(number))))
    bad("parse", "curve-absent.der", named, request(public=spki(KEY.point, b"")))
    bad("parse", "curve-implicit-null.der", named, request(public=spki(KEY.point, NULL)))
    size = lambda v: v.to_bytes(32, "big")
    right = (prime_field(P256.p), size(P256.a), size(P256.b))
    bad("parse", "curve-explicit-p256.der", named, request(public=spki(
        KEY.point, curve_parameters(*right, P256.encode(P256.g), uint(P256.n)))))
    # The key itself as generator makes 1 a private key that fits it.
    bad("parse", "curve-explicit-own-generator.der", named, request(public=spki(
        KEY.point, curve_parameters(*right, KEY.point, uint(P256.n)))))
    # A composite field and a compressed generator: a square root that never ends.
    bad("parse", "curve-explicit-composite-field.der", named, request(public=spki(
        b"\x02\x00\x08", curve_parameters(prime_field(697), b"\x02\xb8", b"\x00\x17",
        b"\x02\x00\x08", uint(5)))))
    bad("parse", "curve-explicit-zero-field.der", named, request(public=spki(
        b"\x02\x01", curve_parameters(prime_field(0), b"\x00", b"\x01", b"\x02\x01", uint(0)))))
    two = "1.2.840.10045.1.2"
    for name, m, basis in (("pentanomial", 283, seq(uint(5), uint(7), uint(12))),
                           ("bad-basis", 7, seq(uint(700), uint(7), uint(12)))):
        kind = oid(two + ".3.3")
        bad("parse", "curve-explicit-char-2-%s.der" % name, named, request(public=spki(
            b"\x04" + bytes(72), curve_parameters(
                seq(oid(two), seq(uint(m), kind, basis)), bytes(36), bytes(35) + b"\x01",
                b"\x04" + b"\x05" * 72, uint(2**282 + 1), uint(4)))))


def make_algorithms():
    other = "RFC 5480 2.1.1: key algorithm %s is not id-ecPublicKey"
    for name, number, size, sig_size in (
            ("x25519", "1.3.101.110", 32, 64), ("ed448", "1.3.101.113", 57, 114),
            ("dsa", "1.2.840.10040.4.1", 128, 46), ("rsa-pss", "1.2.840.113549.1.1.10", 270, 256),
            ("id-ec-dh", "1.3.132.1.12", 65, 64), ("id-ec-mqv", "1.3.132.1.13", 65, 64),
            ("gost-2012", "1.2.643.7.1.1.1.1", 64, 64),
            ("ml-dsa-44", "2.16.840.1.101.3.4.3.17", 1312, 2420),
            ("ml-dsa-65", "2.16.840.1.101.3.4.3.18", 1952, 64),
            ("ml-dsa-87", "2.16.840.1.101.3.4.3.19", 2592, 64),
            ("ml-kem-768", "2.16.840.1.101.3.4.4.2", 1184, 64),
            ("slh-dsa-128s", "2.16.840.1.101.3.4.3.20", 32, 64),
            ("hss-lms", "1.2.840.113549.1.9.16.3.17", 60, 1456),
            ("xmss", "1.3.6.1.5.5.7.6.34", 68, 2500), ("xmssmt", "1.3.6.1.5.5.7.6.35", 68, 2500)):
        noise = hashlib.shake_128(name.encode()).digest(size + sig_size)
        bad("parse", "algorithm-%s.der" % name, other % number, request(
            public=spki(noise[:size], b"", oid(number)), alg=seq(oid(number)),
            sig=bits(noise[size:])))
    noise = hashlib.shake_128(b"full").digest(1952 + 3309)
    number = oid("2.16.840.1.101.3.4.3.18")
    bad("parse", "algorithm-ml-dsa-65-full-size.der", "size limit", request(
        public=spki(noise[:1952], b"", number), alg=seq(number), sig=bits(noise[1952:])))
    bad("parse", "algorithm-missing.der", "RFC 5280 4.1.1.2",
        request(public=seq(seq(), bits(KEY.point))))
    bad("parse", "openssl-rsa-2048.der", other % "1.2.840.113549.1.1.1")
    bad("parse", "openssl-ed25519.der", other % "1.3.101.112")
    wrong = "RFC 5758 3.2: signatureAlgorithm of a P-256 key is not ecdsa-with-SHA256"
    for name, number, digest in (
            ("ecdsa-sha1", "1.2.840.10045.4.1", "sha1"),
            ("sha224-on-p256", "1.2.840.10045.4.3.1", "sha224"),
            ("sha384-on-p256", "1.2.840.10045.4.3.3", "sha384"),
            ("sha512-on-p256", "1.2.840.10045.4.3.4", "sha512"),
            ("sha3-256", "2.16.840.1.101.3.4.3.10", "sha3_256"),
            ("ed25519", "1.3.101.112", None), ("rsa-sha256", "1.2.840.113549.1.1.11", None),
            ("ec-public-key", "1.2.840.10045.2.1", None),
            ("ml-dsa-44", "2.16.840.1.101.3.4.3.17", None)):
        bad("parse", "sigalg-%s.der" % name, wrong, request(alg=seq(oid(number)), digest=digest))
    bad("parse", "sigalg-sha256-on-p384.der",
        "RFC 5758 3.2: signatureAlgorithm of a P-384 key is not ecdsa-with-SHA384",
        request(key=KEY384, public=spki(KEY384.point, P384.oid), alg=sig_alg(P256),
        digest="sha256"))
    bad("parse", "sigalg-parameters-null.der", "RFC 5758 3.2", request(alg=sig_alg(P256, NULL)))
    bad("parse", "sigalg-parameters-curve.der", "RFC 5758 3.2",
        request(alg=sig_alg(P256, P256.oid)))
    bad("parse", "sigalg-empty.der", "RFC 5758 3.2", request(alg=seq()))
    bad("parse", "sigalg-missing.der", "RFC 2986 4.2: signatureAlgorithm",
        seq(info(), bits(sig_value(*KEY.sign(info())))))
    value = sig_value(*KEY.sign(info()))
    bad("parse", "signature-missing.der", "RFC 2986 4.2: signature", seq(info(), sig_alg(P256)))
    bad("parse", "signature-octet-string.der", "RFC 2986 4.2: signature",
        request(sig=octets(value)))
    bad("parse", "signature-constructed.der", "RFC 2986 4.2: signature",
        request(sig=tlv(0x23, bits(value))))
    bad("parse", "signature-unused-bits.der", "RFC 2986 4.2: signature", request(
        sig=bits(value[:-1] + b"\x80", 4)))


def make_signatures():
    cri, n = info(), P256.n
    r, s = KEY.sign(cri)
    form = "RFC 2986 4.2: ECDSA-Sig-Value (RFC 3279 2.2.3)"
    does_not = "RFC 2986 4.2: signature does not"

    def value(name, clause, data):
        bad("pop", "signature-%s.der" % name, clause, request(sig=bits(data)))

    value("empty", form, b"")
    value("raw-r-s", form, r.to_bytes(32, "big") + s.to_bytes(32, "big"))
    for name, other in (("zero", 0), ("n", n), ("n-plus-1", n + 1), ("all-ones", 2**256 - 1)):
        value("r-" + name, form + " has r", sig_value(other, s))
        value("s-" + name, form + " has s", sig_value(r, other))
    value("r-plus-n", form + " has r", sig_value(r + n, s))
    value("s-plus-n", form + " has s", sig_value(r, s + n))
    big = KEY.sign(cri, wanted=lambda r, s: r >> 255 and s >> 255)
    minus = [tlv(0x02, v.to_bytes(32, "big")) for v in big]
    value("r-negative", form + " has r", seq(minus[0], uint(big[1])))
    value("s-negative", form + " has s", seq(uint(big[0]), minus[1]))
    value("r-minus-1", form + " has r", seq(b"\x02\x01\xff", uint(s)))
    low = KEY.sign(cri, wanted=lambda r, s: not (r >> 255 or s >> 255))
    value("r-not-minimal", form, seq(tlv(0x02, bytes(1), low[0].to_bytes(32, "big")), uint(low[1])))
    value("s-not-minimal", form, seq(uint(low[0]), tlv(0x02, bytes(1), low[1].to_bytes(32, "big"))))
    value("r-200-octets", form, seq(tlv(0x02, b"\x01" * 200), uint(s)))
    value("r-no-octets", form, seq(b"\x02\x00", uint(s)))
    value("s-missing", form, seq(uint(r)))
    value("third-integer", form, seq(uint(r), uint(s), uint(1)))
    value("trailing", form, sig_value(r, s) + b"\0")
    value("indefinite", form, indefinite(sig_value(r, s)))
    value("long-length", form, long_length(sig_value(r, s)))
    value("in-set", form, tlv(0x31, uint(r), uint(s)))
    value("octet-string-inside", form, octets(sig_value(r, s)))
    value("r-s-swapped", does_not, sig_value(s, r))
    value("r-one-s-one", does_not, sig_value(1, 1))
    value("bit-flipped", does_not, sig_value(r, s ^ 1))
    e = KEY.number(KEY.digest(cri))
    value("sum-is-infinity", does_not, sig_value(-e * pow(KEY.d, -1, n) % n, 1))
    value("of-other-hash", does_not, sig_value(*KEY.sign(cri, "sha384")))
    value("over-contents-only", does_not, sig_value(*KEY.sign(body(cri))))
    value("over-ber-info", does_not, sig_value(*KEY.sign(indefinite(cri))))
    value("over-info-without-attributes", does_not,
          sig_value(*KEY.sign(seq(b"\x02\x01\x00", seq(), spki(KEY.point)))))
    bad("pop", "signature-by-other-key.der", does_not, request(key=OTHER))
    bad("pop", "signature-of-negated-key.der", does_not, request(
        public=spki(P256.encode((KEY.q[0], P256.p - KEY.q[1])))))
    bad("pop", "info-bit-flipped.der", does_not, request().replace(EUI64, EUI64[:-1] + b"\0", 1))
    bad("pop", "key-replaced.der", does_not, request().replace(KEY.point, OTHER.point, 1))
    cri384 = info(public=spki(KEY384.point, P384.oid))
    r, s = KEY384.sign(cri384)
    for name, clause, pair in (("bit-flipped", does_not, (r, s ^ 1)), ("r-n", form + " has r",
        (P384.n, s)),
                               ("s-zero", form + " has s", (r, 0))):
        bad("pop", "signature-p384-%s.der" % name, clause,
            request(cri384, KEY384, sig=bits(sig_value(*pair))))


def make_usage():
    clause = "RFC 5280 4.2.1.3"
    for name, value in (
            ("both", b"\x03\x02\x03\x88"), ("none", b"\x03\x01\x00"), ("agreement", KU_AGREE),
            ("wrong-unused-bits", b"\x03\x02\x06\x80"),
            ("trailing-zero-octet", b"\x03\x03\x07\x80\x00"),
            ("unused-bit-set", b"\x03\x02\x07\x81"), ("unused-bits-8", b"\x03\x02\x08\x80"),
            ("no-octets", b"\x03\x00"), ("cert-sign", b"\x03\x02\x02\x04"),
            ("sign-and-cert-sign", b"\x03\x02\x02\x84"), ("crl-sign", b"\x03\x02\x01\x02"),
            ("key-encipherment", b"\x03\x02\x05\x20"), ("data-encipherment", b"\x03\x02\x04\x10"),
            ("sign-and-non-repudiation", b"\x03\x02\x06\xc0"),
            ("decipher-only", b"\x03\x03\x07\x08\x80"),
            ("octet-string", b"\x04\x02\x07\x80")):
        bad("profile", "usage-%s.der" % name, clause,
            request(exts=(key_usage(value), san(hw_name()))))
    bad("profile", "usage-absent.der", clause, request(exts=(san(hw_name()),)))
    bad("profile", "no-extension-request.der", "RFC 2985 5.4.2", request(attrs=explicit(0)))
    bad("profile", "subject-not-empty.der", "RFC 5280 4.1.2.6",
        request(subject=seq(set_of(seq(oid("2.5.4.3"), tlv(0x0C, b"meter"))))))
    bad("profile", "subject-name-with-nul.der", "RFC 5280 4.1.2.6",
        request(subject=seq(set_of(seq(oid("2.5.4.3"), tlv(0x0C, b"meter\0.example.org"))))))
    bad("profile", "curve-p384.der", "P-384", request(key=KEY384, public=spki(KEY384.point,
        P384.oid)))
    for name, number, value in (
            ("basic-constraints-ca", "2.5.29.19", seq(TRUE)),
            ("basic-constraints-empty", "2.5.29.19", seq()),
            ("eku-ocsp-signing", "2.5.29.37", seq(oid("1.3.6.1.5.5.7.3.9"))),
            ("certificate-policies", "2.5.29.32", seq(seq(oid("1.2.826.0.1.8641679.1.2.1.4")))),
            ("name-constraints", "2.5.29.30", seq()),
            ("subject-key-id", "2.5.29.14", octets(bytes(20))),
            ("authority-key-id", "2.5.29.35", seq(tlv(0x80, bytes(8)))),
            ("issuer-alt-name", "2.5.29.18", seq(hw_name())),
            ("ocsp-no-check", "1.3.6.1.5.5.7.48.1.5", NULL),
            ("unknown", "1.3.6.1.4.1.32473.9.1", NULL)):
        bad("profile", "extension-%s.der" % name, "RFC 5280 4.2: extension " + number,
            request(exts=DEVICE + (ext(number, value),)))
    bad("profile", "extension-huge-oid.der", "RFC 5280 4.2: extension", request(exts=DEVICE + (
        seq(tlv(0x06, b"\x2b" + b"\x85\x05" * 1500), octets(NULL)),)))


def make_names():
    one, module = "RFC 5280 4.2.1.6", "RFC 4108"
    utf8 = explicit(0, oid("1.3.6.1.5.5.7.8.9"), explicit(0, tlv(0x0C,
        b"a@xn--" + b"9" * 300 + b".example")))
    people = seq(set_of(seq(oid("2.5.4.3"), tlv(0x0C, b"x"))))
    second = hw_name(serial=octets(b"\0\xdb\x12\x34\x56\x78\0\2"))
    for name, other in (
            ("dns", tlv(0x82, b"meter.example.org")),
            ("rfc822", tlv(0x81, b"a@xn--9999.example.org")),
            ("edi-party", tlv(0xA5, tlv(0xA1, tlv(0x0C, b"party")))),
            ("x400", tlv(0xA3, seq(tlv(0x61, tlv(0x13, b"GB"))))),
            ("directory", explicit(4, people)),
            ("uri", tlv(0x86, b"http://meter.example.org/\0.example.com")),
            ("ip", tlv(0x87, bytes(4))),
            ("registered-id", tlv(0x88, body(HW_TYPE))), ("second-module", second),
            ("same-module-twice", hw_name()), ("smtp-utf8", utf8)):
        bad("profile", "san-and-%s.der" % name, one,
            request(exts=(key_usage(), san(hw_name(), other))))
    bad("profile", "san-absent.der", one, request(exts=(key_usage(),)))
    bad("profile", "san-empty.der", one, request(exts=(key_usage(), san())))
    bad("profile", "san-not-sequence.der", one, request(exts=(key_usage(), ext("2.5.29.17",
        hw_name()))))

    def hardware(name, *names, clause=module):
        bad("profile", "module-%s.der" % name, clause, request(exts=(key_usage(), san(*names))))

    hardware("only-dns", tlv(0x82, b"meter.example.org"))
    hardware("only-smtp-utf8", utf8)
    hardware("type-id-upn", hw_name(type_id=oid("1.3.6.1.4.1.311.20.2.3")))
    for size in (0, 7, 9, 16, 255):
        hardware("serial-%d-octets" % size, hw_name(serial=octets((EUI64 * 32)[:size])))
    hardware("serial-utf8-string", hw_name(serial=tlv(0x0C, EUI64)))
    hardware("serial-ascii-hex", hw_name(serial=octets(EUI64.hex().encode())))
    hardware("serial-integer", hw_name(serial=tlv(0x02, b"\x01" + EUI64[1:])))
    hardware("serial-constructed", hw_name(serial=tlv(0x24, octets(EUI64[:4]), octets(EUI64[4:]))))
    hardware("serial-missing", hw_name(serial=b""))
    hardware("serial-long-length", hw_name(serial=long_length(octets(EUI64))))
    hardware("trailing", hw_name(more=NULL))
    hardware("trailing-in-value", explicit(0, HW_NAME, explicit(0, seq(HW_TYPE, octets(EUI64)),
        NULL)))
    hardware("trailing-in-other-name", explicit(0, HW_NAME, explicit(0, seq(HW_TYPE,
        octets(EUI64))), NULL))
    hardware("no-inner-tag", explicit(0, HW_NAME, seq(HW_TYPE, octets(EUI64))))
    hardware("inner-tag-4", hw_name(inner=0xA4))
    hardware("inner-tag-implicit", explicit(0, HW_NAME, explicit(0, HW_TYPE, octets(EUI64))))
    hardware("value-missing", explicit(0, HW_NAME))
    hardware("hw-type-outside-arcs", hw_name(oid("1.3.6.1.4.1.99999.1")))
    hardware("hw-type-is-the-arc", hw_name(oid("1.3.6.1.4.1.32473")))
    hardware("hw-type-beside-the-arc", hw_name(oid("1.3.6.1.4.1.32474.1")))
    hardware("hw-type-above-the-arc", hw_name(oid("1.3.6.1.4.1")))
    hardware("hw-type-huge", hw_name(tlv(0x06, body(HW_TYPE) + b"\x85\x05" * 1500)))
    hardware("hw-type-not-minimal", hw_name(tlv(0x06, body(HW_TYPE) + b"\x80\x01")))
    hardware("hw-type-cut", hw_name(tlv(0x06, body(HW_TYPE) + b"\x85")))
    hardware("hw-type-missing", hw_name(b""))


def main():
    make_good()
    for part in (make_text, make_encoding, make_info, make_points, make_curves, make_algorithms,
                 make_signatures, make_usage, make_names):
        part()
    files["bad/EXPECT"] = "".join(sorted(expect)).encode()
    names = [line.split("\t")[0] for line in expect]
    wrong = sorted(set(n for n in names if names.count(n) > 1))
    for name, data in sorted(files.items()):
        path = os.path.join(HERE, name)
        if sys.argv[1:] == ["--check"]:
            with open(path, "rb") as f:
                if f.read() != data:
                    wrong.append(name)
        else:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as f:
                f.write(data)
    for folder in ("good", "bad"):
        for name in sorted(os.listdir(os.path.join(HERE, folder))):
            if folder + "/" + name not in files and not name.startswith("openssl-"):
                wrong.append(folder + "/" + name)
    for name in wrong:
        print("%s: not what make.py makes" % name, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
