"""Certification requests (RFC 2986) part by part, each part replaceable by a wrong one."""
import base64
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from ecdsa import P256, P384, Key  # noqa: E402
from ecdsa import bits, octets, oid, seq, set_of, sig_value, tlv  # noqa: E402

NULL = b"\x05\x00"
TRUE = b"\x01\x01\xff"
EC_KEY = oid("1.2.840.10045.2.1")
EXT_REQUEST = oid("1.2.840.113549.1.9.14")
CHALLENGE = oid("1.2.840.113549.1.9.7")
SIG_ALG = {P256: "1.2.840.10045.4.3.2", P384: "1.2.840.10045.4.3.3"}
KEY = Key("device")
KEY384 = Key("device", P384)
OTHER = Key("other")
EUI64 = bytes.fromhex("00db123456780001")
HW_TYPE = oid("1.3.6.1.4.1.32473.1.2")
HW_NAME = oid("1.3.6.1.5.5.7.8.4")
KU_SIGN, KU_AGREE = b"\x03\x02\x07\x80", b"\x03\x02\x03\x08"


def explicit(number, *parts):
    return tlv(0xA0 | number, *parts)


def ext(name, value, critical=TRUE):
    return seq(oid(name), critical, octets(value))


def key_usage(value=KU_SIGN, critical=TRUE):
    return ext("2.5.29.15", value, critical)


def hw_name(hw_type=HW_TYPE, serial=octets(EUI64), inner=0xA0, type_id=HW_NAME, more=b""):
    return explicit(0, type_id, tlv(inner, seq(hw_type, serial, more)))


def san(*names, critical=TRUE):
    return ext("2.5.29.17", seq(*names), critical)


def attribute(kind, *values):
    return seq(kind, set_of(*values))


def ext_request(*exts):
    return attribute(EXT_REQUEST, seq(*exts))


def spki(point, curve=P256.oid, alg=EC_KEY, unused=0):
    return seq(seq(alg, curve), bits(point, unused))


DEVICE = (key_usage(), san(hw_name()))


def info(subject=seq(), public=None, attrs=None, version=b"\x02\x01\x00", exts=DEVICE, more=b""):
    public = public or spki(KEY.point)
    if attrs is None:
        attrs = explicit(0, ext_request(*exts))
    return seq(version, subject, public, attrs, more)


def sig_alg(curve, *more):
    return seq(oid(SIG_ALG[curve]), *more)


def request(cri=None, key=KEY, alg=None, sig=None, digest=None, more=b"", **fields):
    cri = cri or info(**fields)
    if sig is None:
        sig = bits(sig_value(*key.sign(cri, digest)))
    return seq(cri, alg or sig_alg(key.curve), sig, more)


def pem(der, label="CERTIFICATE REQUEST", end="\n", width=64, end_label=None, head=""):
    text = base64.b64encode(der).decode()
    lines = ["-----BEGIN %s-----" % label] + ([head] if head else [])
    lines += [text[i:i + width] for i in range(0, len(text), width)]
    lines += ["-----END %s-----" % (end_label or label), ""]
    return end.join(lines).encode()


def padded(size):
    """A right request of exactly this many octets, by its challenge password."""
    same_length = lambda r, s: 2**247 <= r < 2**255 and 2**247 <= s < 2**255
    fill = size - 600
    while True:
        attrs = explicit(0, ext_request(*DEVICE), attribute(CHALLENGE, tlv(0x0C, b"x" * fill)))
        cri = info(attrs=attrs)
        out = request(cri, sig=bits(sig_value(*KEY.sign(cri, wanted=same_length))))
        if len(out) == size:
            return out
        fill += size - len(out)


def long_length(der, octets_more=1):
    """The same element with its length in more octets than needed."""
    if der[1] < 0x80:
        return bytes([der[0], 0x81]) + der[1:]
    size = der[1] & 0x7F
    return (bytes([der[0], 0x80 | (size + octets_more)]) + bytes(octets_more) + der[2:])


def body(der):
    return der[2:] if der[1] < 0x80 else der[2 + (der[1] & 0x7F):]


def indefinite(der):
    return bytes([der[0], 0x80]) + body(der) + b"\0\0"
