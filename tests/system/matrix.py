"""Every route of the TLS listener with every credential, and bad input with a good one: the tables
below say what is answered, and whether anything is issued. Called by matrix.sh, which makes the
credentials, as

  matrix.py HTTPS-PORT HTTP-ADDRESS FOLDER SOURCE SMKI HOME

The last line printed is how many checks held.
"""
import base64
import glob
import json
import os
import re
import subprocess
import sys
import urllib.request

from tls_client import EST, FORM, HW_TYPE, JSON, PKCS10, Client, basic, csr_der, statement

OUI = "00db12346d0000"

# Routes whose answer depends on who asks, in the order of the columns below. "/": with a label;
# boot: /bootstrap, with "renew", and without a request (the service makes the key).
JUDGED = ("first", "first/", "renew", "renew/", "key", "key/", "boot", "boot+r", "boot-k", "token")

# A line for each credential. device: the last octet of the EUI-64 in the request; tls: certificate
# shown, N- stands for that device; basic: of which device the secret is ("x" a wrong one, "bad" what is
# no Basic). Then the status for each route of JUDGED; +1: a certificate was issued, else none was;
# tls: the handshake ends, since the certificate's key usage is not for signing it.
CREDENTIALS = """
none                        01 -       -    401   401 401   401 401 401   401 401   401   401
rogue-self-signed           02 rogue   -    403   403 403   403 403 403   403 403   403   403
CA-of-the-same-name         03 N-id    -    403   403 403   403 403 403   403 403   403   403
other-manufacturer          04 N-id    -    403   403 403   403 403 403   403 403   403   403
IDevID-ended                05 N-id    -    403   403 403   403 403 403   403 403   403   403
IDevID-revoked              06 N-id    -    403   403 403   403 403 403   403 403   403   403
IDevID-of-another-device    31 30-id   -    403   403 403   403 403 403   403 403   403   403
IDevID-unregistered-proof   22 N-id    -    403   403 403   403 403 403   403 403   403   403
ours                        07 N-ours  -    409   409 200+1 200 403 403   200 200   403   200
ours-on-hold                08 N-ours  -    403   403 403   403 403 403   403 403   403   403
ours-revoked                09 N-ours  -    403   403 403   403 403 403   403 403   403   403
ours-forged                 17 forged  -    403   403 403   403 403 403   403 403   403   403
ours-of-another-device      0a 1a-ours -    403   403 403   403 403 403   403 403   403   403
ours-key-agreement          0c N-ours  -    tls   tls tls   tls tls tls   tls tls   tls   tls
ours-of-the-TLS-server      0d server  -    403   403 403   403 403 403   403 403   403   403
ours-of-an-organisation     0e org     -    403   403 403   403 403 403   403 403   403   403
secret-wrong                0f -       x    401   401 401   401 403 403   401 401   403   401
secret-right                10 -       10   200+1 200 401   401 403 403   200 401   403   401
secret-used-with-this-key   11 -       11   200   200 401   401 403 403   200 401   403   401
secret-used-with-other-key  12 -       12   409   409 401   401 403 403   409 401   403   401
secret-of-another-device    14 -       1b   403   403 401   401 403 403   403 401   403   401
Basic-malformed             13 -       bad  400   400 400   400 400 400   400 400   400   401
IDevID                      15 N-id    -    200+1 200 403   403 403 200+1 200 403   200+1 403
IDevID-and-wrong-secret     19 N-id    x    401   401 403   403 403 401   401 403   401   403
IDevID-end-to-end           18 N-id    -    403   403 403   403 403 403   200+1 403 403   403
IDevID-held-device          1c N-id    -    403   403 403   403 403 403   403 403   403   403
IDevID-retired-device       1d N-id    -    403   403 403   403 403 403   403 403   403   403
IDevID-unregistered-device  1e N-id    -    403   403 403   403 403 403   403 403   403   403
IDevID-not-approved         1f N-id    -    202   202 403   403 403 202   202 403   202   403
secret-held-device          20 -       20   403   403 403   403 403 403   403 403   403   401
registered-key              16 -       -    200+1 200 401   401 401 401   200 401   401   401
"""

# Whatever is shown: the same for everybody. Method, path, status.
OPEN = (("GET", EST + "cacerts", 200), ("GET", EST + "device-signature/cacerts", 200),
        ("GET", EST + "csrattrs", 200), ("GET", EST + "device-agreement/csrattrs", 200),
        ("GET", "/.well-known/jwks.json", 200),
        ("GET", EST + "nonesuch/csrattrs", 404), ("POST", EST + "nonesuch/simpleenroll", 404),
        ("POST", EST + "fullcmc", 404), ("GET", "/nonesuch", 404), ("POST", "/nonesuch", 404))

# A body that nobody would read to its end: the answer comes before it.
LONG = {"Content-Length": "2000000"}

BODY_MAX = 32768

# What no stranger is told.
INSIDE = re.compile(rb"/[a-z]+/[a-z]|\.(?:c|h|py|db|pem|cnf|sock|key)\b|sqlite|SELECT|INSERT|UPDATE "
                    rb"|UNIQUE|constraint|uid|errno|PKCS#?11|CKR_|0x[0-9a-f]{6}|smkid|softhsm", re.I)

checks = 0


def same(what, want, got):
    global checks
    if want != got:
        print("%s:\n  want %r\n  got  %r" % (what, want, got))
        sys.exit(1)
    checks += 1


class World:
    """The home under test."""

    def __init__(self, port, http, folder, source, smki, home):
        self.port, self.http, self.folder, self.source = int(port), http, folder, source
        self.command = [smki, "--home", home]
        self.asked = 0
        with open(folder + "/secrets", encoding="ascii") as file:
            self.secrets = dict(line.split() for line in file)

    def file(self, name):
        return os.path.join(self.folder, name)

    def smki(self, *words):
        return subprocess.run(self.command + list(words), stdout=subprocess.PIPE, check=True).stdout

    def certificates(self):
        return len(self.smki("--json", "list").splitlines())

    def register(self):
        return self.smki("--json", "device", "list")

    def client(self, tls=None):
        """A source of its own for each, so that no wrong secret slows another down."""
        self.asked += 1
        source = "127.1.%d.%d" % (self.asked // 250, 1 + self.asked % 250)
        cert = self.file(tls) if tls else None
        return Client(self.port, self.file("root.pem"), cert, source=source)


def refusal(what, path, answer):
    """One line in the form of its route, without anything of our inside."""
    same(what + ": one line of text", (1, True),
         (answer.body.count(b"\n"), answer.body.endswith(b"\n") and len(answer.body) < 600))
    leak = INSIDE.search(answer.body.replace(b"application/", b""))
    same("%s: %r tells of the inside" % (what, answer.body), None, leak and leak.group())
    if path.startswith(EST):
        same(what + ": type", "text/plain", answer.type())
    elif path == "/token" and answer.status not in (404, 405, 413, 415):
        same(what + ": type", "application/json", answer.type())
        told = json.loads(answer.body)
        same(what + ": RFC 6749 5.2", {"error", "error_description"}, set(told))
        same(what + ": not kept", "no-store", answer.headers.get("Cache-Control"))
    else:
        same(what + ": type", "application/problem+json", answer.type())
        same(what + ": RFC 9457", answer.status, json.loads(answer.body)["status"])
    if answer.status == 401:
        same(what + ": challenge", True, "WWW-Authenticate" in answer.headers)
    if answer.status == 429:
        same(what + ": later", True, "Retry-After" in answer.headers)


def told(what, path, answer, want):
    same("%s: status of %r" % (what, answer), want, answer.status)
    if want >= 400:
        refusal(what, path, answer)


# ---- the table ----

def judged(world, route, device, tls):
    """Path, headers and body of a right request of this device."""
    csr = csr_der(world.file(device + ".csr"))
    eui = OUI + device
    label = "device-server/" if route == "key/" else "device-signature/" if "/" in route else ""
    key = world.file((tls or device) + ".key")
    if route == "boot":
        return "/bootstrap", JSON, statement(eui, csr, key)
    if route == "boot+r":
        return "/bootstrap", JSON, statement(eui, csr, key, renew=True)
    if route == "boot-k":
        return "/bootstrap", JSON, statement(eui, None, key, profile="device-server")
    if route == "token":
        return "/token", FORM, b"grant_type=client_credentials&client_id=" + eui.encode()
    name = {"first": "simpleenroll", "renew": "simplereenroll",
            "key": "serverkeygen"}[route.rstrip("/")]
    return EST + label + name, PKCS10, base64.b64encode(csr)


def authorization(world, device, word):
    if word == "-":
        return {}
    if word == "bad":
        return {"Authorization": "Basic %%%"}
    secret = "ABCDEFGHIJKLMNOPQRSTUVW234" if word == "x" else world.secrets[word]
    return basic(OUI + (device if word == "x" else word), secret)


def enrolled(world, device, csr, tls=None, word="-"):
    """A first enrolment that has to succeed: its certificate."""
    with world.client(tls) as client:
        answer = client.ask("POST", EST + "simpleenroll",
                            dict(PKCS10, **authorization(world, device, word)),
                            base64.b64encode(csr_der(world.file(csr + ".csr"))))
    same("enrolment of %s: %r" % (device, answer), 200, answer.status)
    return answer.body


def credential(world, name, device, tls, word, statuses):
    tls = None if tls == "-" else tls.replace("N", device)
    headers = authorization(world, device, word)
    before, register = world.certificates(), world.register()
    for route, status in zip(JUDGED, statuses, strict=True):
        path, kind, body = judged(world, route, device, tls)
        want, _, more = status.replace("tls", "0").partition("+")
        what = "%s, %s" % (name, route)
        with world.client(tls) as client:
            answer = client.ask("POST", path, dict(kind, **headers), body)
        told(what, path, answer, int(want))
        after = world.certificates()
        same(what + ": issued", int(more or 0), after - before)
        before = after
        if route == "token" and want == "200":
            same(what + ": type", "Bearer", json.loads(answer.body)["token_type"])
    if not any(status.startswith("200+") for status in statuses):
        same(name + ": the register", register, world.register())
    with world.client(tls) as client:
        for method, path, want in OPEN:
            body = b"" if method == "POST" else None
            told("%s, %s %s" % (name, method, path), path,
                 client.ask(method, path, dict(PKCS10, **headers), body),
                 0 if "tls" in statuses else want)
    same(name + ": nothing by what is open", before, world.certificates())


def credentials(world):
    enrolled(world, "11", "11", word="11")
    enrolled(world, "12", "12-old", word="12")
    for line in CREDENTIALS.strip().splitlines():
        name, device, tls, word, *statuses = line.split()
        credential(world, name, device, tls, word, statuses)


# ---- what an open connection may do ----

def open_connection(world):
    """The state counts at every request, not at the handshake."""
    serial = json.loads(world.smki("--json", "show", world.file("07-ours.pem")))["serial"]
    eui = OUI + "07"
    token = ("POST", "/token", FORM, b"grant_type=client_credentials")
    renew = ("POST", EST + "simplereenroll", PKCS10,
             base64.b64encode(csr_der(world.file("07.csr"))))
    boot = ("POST", "/bootstrap", JSON,
            statement(eui, csr_der(world.file("07.csr")), world.file("07-ours.key"), renew=True))
    with world.client("07-ours") as client:
        for hold, release in ((("hold", serial), ("reactivate", serial)),
                              (("device", "hold", eui), ("device", "release", eui))):
            for request in (token, renew, boot):
                same("before " + " ".join(hold), 200, client.ask(*request).status)
                socket = client.http.sock
                world.smki(*hold)
                told("%s after %s" % (request[1], hold), request[1], client.ask(*request), 403)
                world.smki(*release)
                same("after " + " ".join(release), 200, client.ask(*request).status)
                same("the same connection", True, client.http.sock is socket)
        world.smki("revoke", serial)
        for request in (token, renew, boot):
            told("revoked", request[1], client.ask(*request), 403)


def lost_answer(world):
    """Who lost the answer asks again and has the same certificate."""
    before = world.certificates()
    body = base64.b64encode(csr_der(world.file("33.csr")))
    headers = dict(PKCS10, **authorization(world, "33", "33"))
    with world.client() as client:
        client.http.request("POST", EST + "simpleenroll", body, headers)
    got = [enrolled(world, "33", "33", word="33") for _ in range(3)]
    same("the same", 1, len(set(got)))
    same("one issued", 1, world.certificates() - before)


# ---- bad input ----

def corrupt(der):
    """The same with another signature."""
    return der[:-1] + bytes([der[-1] ^ 1])


def b64(octets):
    return base64.b64encode(octets)


def bad_est(world):
    """What is asked with the right IDevID of device 30: what, method, path, headers, body, status."""
    first = EST + "simpleenroll"
    good = csr_der(world.file("30.csr"))
    yield "no body", "POST", first, PKCS10, b"", 400
    yield "no base64", "POST", first, PKCS10, b"!!!!", 400
    yield "base64 cut", "POST", first, PKCS10, b64(good)[:-1], 400
    yield "base64 of nothing that is DER", "POST", first, PKCS10, b64(b"a" * 200), 400
    yield "a request cut", "POST", first, PKCS10, b64(good[:-1]), 400
    yield "octets behind a request", "POST", first, PKCS10, b64(good + b"\0"), 400
    yield "signature", "POST", first, PKCS10, b64(corrupt(good)), 400
    yield "a certificate", "POST", first, PKCS10, \
        b64(csr_der(world.file("30-id.pem"))), 400
    yield "another device's name", "POST", first, PKCS10, b64(csr_der(world.file("31.csr"))), 403
    yield "a device that is not registered", "POST", first, PKCS10, \
        b64(csr_der(world.file("1e.csr"))), 403
    yield "long", "POST", first, PKCS10, b"A" * (BODY_MAX + 1), 413
    yield "very long", "POST", first, dict(PKCS10, **LONG), None, 413
    yield "long in chunks", "POST", first, PKCS10, iter([b"A" * 4000] * 10), 413
    yield "text", "POST", first, {"Content-Type": "text/plain"}, b64(good), 415
    yield "multipart", "POST", first, \
        {"Content-Type": "multipart/mixed; boundary=b"}, b"--b\r\n\r\nx\r\n--b--\r\n", 415
    yield "JSON", "POST", EST + "simplereenroll", JSON, b"{}", 415
    yield "no such label", "POST", EST + "nonesuch/simpleenroll", PKCS10, b64(good), 404
    yield "a label too long", "POST", EST + "a" * 200 + "/simpleenroll", PKCS10, b64(good), 404
    yield "two labels", "POST", EST + "device-signature/x/simpleenroll", PKCS10, b64(good), 404
    yield "a label with a percent sign", "POST", EST + "device%2dsignature/simpleenroll", PKCS10, \
        b64(good), 404
    yield "up", "POST", EST + "../simpleenroll", PKCS10, b64(good), 404
    yield "no operation", "POST", EST, PKCS10, b64(good), 404
    for label in ("root-ca", "issuing-ca", "ocsp", "tls-server", "organisation"):
        yield label, "POST", EST + label + "/simpleenroll", PKCS10, b64(good), 403
        yield label, "POST", EST + label + "/serverkeygen", PKCS10, b64(good), 403
        yield label, "GET", EST + label + "/csrattrs", {}, None, 404
    yield "another usage than the label's", "POST", EST + "device-agreement/simpleenroll", PKCS10, \
        b64(good), 400
    yield "GET", "GET", first, {}, None, 405
    yield "PUT", "PUT", first, PKCS10, b64(good), 405
    yield "POST", "POST", EST + "cacerts", PKCS10, b"", 405
    for text in ("Basic", "Basic ", "Bearer abc", "Basic !!!!", "Basic bm9jb2xvbg==",
                 "Digest username=x", "Basic " + b64(b"00db:x:y").decode(),
                 "Basic " + b64((OUI + "30:" + "A" * 65).encode()).decode(),
                 "Basic " + b64((OUI + "30:").encode()).decode(),
                 "Basic " + b64((OUI + "30:a\0b").encode()).decode()):
        yield "Authorization: " + text, "POST", first, dict(PKCS10, Authorization=text), \
            b64(good), 400


def bad_bootstrap(world):
    key, eui = world.file("30-id.key"), OUI + "30"
    good = csr_der(world.file("30.csr"))
    other = csr_der(world.file("31.csr"))

    def line(what, status, **more):
        fields = dict(dict(eui=eui, csr=good, key=key), **more)
        return what, "POST", "/bootstrap", JSON, statement(**fields), status
    for name in sorted(glob.glob(world.source + "/tests/corpus/bootstrap/bad-*")):
        with open(name, "rb") as file:
            yield os.path.basename(name), "POST", "/bootstrap", JSON, file.read(), 400
    for body in (b"", b"x", b"[]", b"{}", b"\xff", b"[" * 30000, b'{"eui64":"\\u0000"}', b"null",
                 statement(eui, good, key)[:-1], statement(eui, good, key) + b"x"):
        yield "%r" % body[:20], "POST", "/bootstrap", JSON, body, 400
    yield "long", "POST", "/bootstrap", JSON, b"[" * (BODY_MAX + 1), 413
    yield "very long", "POST", "/bootstrap", dict(JSON, **LONG), None, 413
    yield "long in chunks", "POST", "/bootstrap", JSON, iter([b"[" * 4000] * 10), 413
    yield "form", "POST", "/bootstrap", FORM, b"a=b", 415
    yield "GET", "GET", "/bootstrap", {}, None, 405
    for field, value in (("version", "smki-bootstrap-v2"), ("eui64", "00db"), ("eui64", 7),
                         ("hw_type", "1.x"), ("model", "a\nb"), ("model", "a" * 65),
                         ("time", "yesterday"), ("country", "nl"), ("country", "NLD"),
                         ("position", {"latitude": 91, "longitude": 0}), ("position", [1, 2]),
                         ("csr", "!"), ("csr", base64.b64encode(corrupt(good)).decode()),
                         ("csr", 5), ("certificates", []), ("certificates", ["!"]),
                         ("renew", "yes"), ("profile", "../x"), ("unknown", 1)):
        text = json.loads(statement(eui, good, key))
        text[field] = value
        yield "%s %r" % (field, value), "POST", "/bootstrap", JSON, json.dumps(text).encode(), 400
    yield line("no such profile", 404, profile="nonesuch")
    yield line("a CA's profile", 403, profile="issuing-ca")
    yield line("another device", 403, eui=OUI + "31")
    yield line("another hwType", 403, hw_type=HW_TYPE + ".1")
    yield line("signed by another key", 403, key=world.file("rogue.key"))
    yield line("signed by the request's key", 403, key=world.file("30.key"))
    yield line("another request signed", 403, signed={"csr": b64(other).decode()})
    yield line("another model signed", 403, signed={"model": "n"})
    yield line("another time signed", 403, signed={"time": "2026-01-01T00:00:00Z"})
    yield line("too old", 403, off=-2 * 86400)
    yield line("too new", 403, off=2 * 86400)


def bad_token(world):
    grant = "grant_type=client_credentials"
    for text, status, error in (
            ("", 400, "invalid_request"), ("x", 400, "invalid_request"),
            ("scope=meter", 400, "invalid_request"), ("grant_type=", 400, None),
            ("grant_type=password", 400, "unsupported_grant_type"),
            (grant + "&scope=admin", 400, "invalid_scope"),
            (grant + "&scope=" + "m" * 300, 400, "invalid_scope"),
            (grant + "&scope=meter%20admin", 400, "invalid_scope"),
            (grant + "&client_id=" + OUI + "07", 403, "invalid_client"),
            (grant + "&client_id=x", 403, "invalid_client"),
            (grant + "&" + grant, 400, "invalid_request"),
            (grant + "&scope=%zz", 400, "invalid_request"),
            (grant + "&scope=a%00", 400, None)):
        yield text, "POST", "/token", FORM, text.encode(), status, error
    yield "long", "POST", "/token", FORM, b"a" * 4097, 413, None
    yield "very long", "POST", "/token", dict(FORM, **LONG), None, 413, None
    yield "long in chunks", "POST", "/token", FORM, iter([b"a" * 1000] * 5), 413, None
    yield "JSON", "POST", "/token", JSON, b"{}", 415, None
    yield "multipart", "POST", "/token", \
        {"Content-Type": "multipart/form-data; boundary=b"}, b"--b", 415, None
    yield "GET", "GET", "/token", {}, None, 405, None


def bad_input(world):
    before, register = world.certificates(), world.register()
    for what, method, path, headers, body, want in [*bad_est(world), *bad_bootstrap(world)]:
        with world.client("30-id") as client:
            told("%s: %s" % (path[:60], what), path, client.ask(method, path, headers, body), want)
    for what, method, path, headers, body, want, error in bad_token(world):
        with world.client("1a-ours") as client:
            answer = client.ask(method, path, headers, body)
        told("token: " + what, path, answer, want)
        if error is not None:
            same("token: " + what, error, json.loads(answer.body)["error"])
    with world.client("30-id") as client:
        for name in sorted(glob.glob(world.source + "/tests/corpus/csr/bad/*.der")):
            with open(name, "rb") as file:
                body = b64(file.read())
            what = os.path.basename(name)
            answer = client.ask("POST", EST + "device-signature/simpleenroll", PKCS10, body)
            same("%s is refused: %r" % (what, answer), 400 if len(body) <= BODY_MAX else 413,
                 answer.status)
            refusal(what, EST, answer)
    same("nothing is issued", before, world.certificates())
    same("the register", register, world.register())


def cloned_key(world):
    """The key of one device's certificate in another device's request."""
    serial = json.loads(world.smki("--json", "show", world.file("1a-ours.pem")))["serial"]
    before = world.certificates()
    subprocess.run(["openssl", "req", "-new", "-config", world.source + "/docs/meter.cnf", "-subj",
                    "/", "-key", world.file("1a-ours.key"), "-out", world.file("clone.csr")],
                   env=dict(os.environ, EUI64=OUI + "23", USAGE="digitalSignature"), check=True)
    body = b64(csr_der(world.file("clone.csr")))
    with world.client("23-id") as client:
        told("cloned key", EST, client.ask("POST", EST + "simpleenroll", PKCS10, body), 409)
        world.smki("revoke", serial)
        told("of a revoked one", EST, client.ask("POST", EST + "simpleenroll", PKCS10, body), 409)
    same("nothing is issued", before, world.certificates())


def quota(world):
    """Ten certificates a day for one device; then 429, for that device only."""
    before = world.certificates()
    body = b64(csr_der(world.file("32.csr")))
    with world.client("32-id") as client:
        got = [client.ask("POST", EST + "device-server/serverkeygen", PKCS10, body)
               for _ in range(11)]
    same("quota", [200] * 10 + [429], [answer.status for answer in got])
    same("issued", 10, world.certificates() - before)
    same("no key twice", 10, len({answer.body for answer in got[:10]}))
    refusal("quota", EST, got[10])


def main(*arguments):
    world = World(*arguments)
    for test in (credentials, open_connection, lost_answer, bad_input, cloned_key, quota):
        print(test.__name__)
        test(world)
    with urllib.request.urlopen("http://%s/metrics" % world.http) as metrics:
        text = metrics.read().decode()
    counted = dict(re.findall(r'smki_refusals_total\{reason="([a-z-]+)"\} (\d+)', text))
    same("reasons that never came", ["ceiling"],
         sorted(reason for reason, n in counted.items() if n == "0"))
    print(checks)


main(*sys.argv[1:])
