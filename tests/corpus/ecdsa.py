"""DER writing and ECDSA in plain Python, for the corpus generators.

Everything is derived from names, nonces included (RFC 6979), so a generator run twice gives the
same octets. Never for keys that guard anything.
"""
import hashlib
import hmac


def tlv(tag, *parts):
    body = b"".join(parts)
    if len(body) < 0x80:
        return bytes([tag, len(body)]) + body
    size = (len(body).bit_length() + 7) // 8
    return bytes([tag, 0x80 | size]) + len(body).to_bytes(size, "big") + body


def seq(*parts):
    return tlv(0x30, *parts)


def set_of(*parts):
    return tlv(0x31, *sorted(parts))


def octets(data):
    return tlv(0x04, data)


def bits(data, unused=0):
    return tlv(0x03, bytes([unused]), data)


def uint(value):
    return tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def arc(value):
    out = [value & 0x7F]
    while value > 0x7F:
        value >>= 7
        out.insert(0, 0x80 | (value & 0x7F))
    return bytes(out)


def oid(text):
    arcs = [int(a) for a in text.split(".")]
    return tlv(0x06, arc(40 * arcs[0] + arcs[1]), *[arc(a) for a in arcs[2:]])


class Curve:
    """Short Weierstrass curve over a prime field; points are (x, y), infinity is None."""

    def __init__(self, name, size, p, a, b, gx, gy, n, digest):
        self.oid, self.size, self.p, self.a, self.b = oid(name), size, p, a % p, b
        self.g, self.n, self.digest = (gx, gy), n, digest

    def add(self, one, two):
        if one is None or two is None:
            return one or two
        if one[0] == two[0] and (one[1] + two[1]) % self.p == 0:
            return None
        if one == two:
            slope = (3 * one[0] ** 2 + self.a) * pow(2 * one[1], -1, self.p) % self.p
        else:
            slope = (two[1] - one[1]) * pow(two[0] - one[0], -1, self.p) % self.p
        x = (slope * slope - one[0] - two[0]) % self.p
        return x, (slope * (one[0] - x) - one[1]) % self.p

    def mul(self, k, point):
        out = None
        while k:
            if k & 1:
                out = self.add(out, point)
            point, k = self.add(point, point), k >> 1
        return out

    def encode(self, point):
        return b"\x04" + b"".join(v.to_bytes(self.size, "big") for v in point)


P256 = Curve(
    "1.2.840.10045.3.1.7", 32,
    0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF, -3,
    0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
    0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551, "sha256")
P384 = Curve(
    "1.3.132.0.34", 48,
    2**384 - 2**128 - 2**96 + 2**32 - 1, -3,
    0xB3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF,
    0xAA87CA22BE8B05378EB1C71EF320AD746E1D3B628BA79B9859F741E082542A385502F25DBF55296C3A545E3872760AB7,
    0x3617DE4A96262C6F5D9E98BF9292DC29F8F41DBD289A147CE9DA3113B5F0B8C00A60B1CE1D7E819D7A431D7C90EA0E5F,
    0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
    "sha384")
SECP256K1 = Curve(
    "1.3.132.0.10", 32, 2**256 - 2**32 - 977, 0, 7,
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
    0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141, "sha256")
BRAINPOOL = Curve(
    "1.3.36.3.3.2.8.1.1.7", 32,
    0xA9FB57DBA1EEA9BC3E660A909D838D726E3BF623D52620282013481D1F6E5377,
    0x7D5A0975FC2C3057EEF67530417AFFE7FB8055C126DC5C6CE94A4B44F330B5D9,
    0x26DC5C6CE94A4B44F330B5D9BBD77CBF958416295CF7E1CE6BCCDC18FF8C07B6,
    0x8BD2AEB9CB7E57CB2C4B482FFC81B7AFB9DE27E1E3BD23C23A4453BD9ACE3262,
    0x547EF835C3DAC4FD97F8461A14611DC9C27745132DED8E545C1D54C72F046997,
    0xA9FB57DBA1EEA9BC3E660A909D838D718C397AA3B561A6F7901E0E82974856A7, "sha256")


class Key:
    """A key pair named by its seed."""

    def __init__(self, seed, curve=P256):
        self.curve = curve
        self.d = int.from_bytes(hashlib.sha512(b"smki corpus " + seed.encode()).digest(), "big")
        self.d = self.d % (curve.n - 1) + 1
        self.q = curve.mul(self.d, curve.g)
        self.point = curve.encode(self.q)

    def digest(self, data, name=None):
        return hashlib.new(name or self.curve.digest, data).digest()

    def number(self, digest):
        value = int.from_bytes(digest, "big")
        return value >> max(0, 8 * len(digest) - self.curve.n.bit_length())

    def nonces(self, digest):
        """RFC 6979 3.2, as an endless series."""
        name, size = self.curve.digest, self.curve.size
        seed = self.d.to_bytes(size, "big")
        seed += (self.number(digest) % self.curve.n).to_bytes(size, "big")
        v, k = b"\x01" * hashlib.new(name).digest_size, bytes(hashlib.new(name).digest_size)
        for tag in b"\x00\x01":
            k = hmac.new(k, v + bytes([tag]) + seed, name).digest()
            v = hmac.new(k, v, name).digest()
        while True:
            t = b""
            while len(t) < size:
                v = hmac.new(k, v, name).digest()
                t += v
            if 0 < self.number(t[:size]) < self.curve.n:
                yield self.number(t[:size])
            k = hmac.new(k, v + b"\x00", name).digest()
            v = hmac.new(k, v, name).digest()

    def sign(self, data, name=None, wanted=lambda r, s: True):
        """(r, s) over data; wanted picks among the signatures the nonces give."""
        digest, n = self.digest(data, name), self.curve.n
        for k in self.nonces(digest):
            r = self.curve.mul(k, self.curve.g)[0] % n
            s = pow(k, -1, n) * (self.number(digest) + r * self.d) % n
            if r and s and wanted(r, s):
                return r, s


def sig_value(r, s):
    """ECDSA-Sig-Value (RFC 3279 2.2.3)."""
    return seq(uint(r), uint(s))
