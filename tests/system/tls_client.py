"""A client of the TLS listener for tests: one connection, requests over it, what came back; and the
requests that meters make.
"""
import base64
import hashlib
import http.client
import json
import socket
import ssl
import subprocess
import time

HW_TYPE = "1.3.6.1.4.1.32473.1.1"
EST = "/.well-known/est/"
PKCS10 = {"Content-Type": "application/pkcs10"}
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Answer:
    """Status 0: the connection ended without one."""

    def __init__(self, status, headers=None, body=b""):
        self.status, self.headers, self.body = status, headers or {}, body

    def __repr__(self):
        return "%d %r" % (self.status, self.body[:300])

    def type(self):
        return self.headers.get("Content-Type", "").split(";")[0]


class Connection(http.client.HTTPSConnection):
    """To this machine under the name in its certificate: not every machine can look that up."""

    def __init__(self, port, context, source):
        super().__init__("localhost", port, context=context, timeout=30)
        self.context, self.source = context, source

    def connect(self):
        plain = socket.create_connection(("127.0.0.1", self.port), self.timeout, (self.source, 0))
        self.sock = self.context.wrap_socket(plain, server_hostname=self.host)


class Client:
    """A connection; cert and key are file names without their endings."""

    def __init__(self, port, root, cert=None, key=None, source="127.0.0.1"):
        context = ssl.create_default_context(cafile=root)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        if cert:
            context.load_cert_chain(cert + ".pem", (key or cert) + ".key")
        self.http = Connection(port, context, source)

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.http.close()

    def ask(self, method, path, headers=None, body=None):
        try:
            self.http.request(method, path, body, headers or {})
            got = self.http.getresponse()
            return Answer(got.status, dict(got.getheaders()), got.read())
        except (ssl.SSLError, ConnectionError, http.client.BadStatusLine):
            self.http.close()
            return Answer(0)


def basic(user, secret):
    """The header of HTTP Basic."""
    text = base64.b64encode(("%s:%s" % (user, secret)).encode()).decode()
    return {"Authorization": "Basic " + text}


def csr_der(name):
    """A request of a file in PEM."""
    with open(name, encoding="ascii") as file:
        lines = [line.strip() for line in file if not line.startswith("-")]
    return base64.b64decode("".join(lines))


def sign(key, text):
    return subprocess.run(["openssl", "dgst", "-sha256", "-sign", key], input=text,
                          stdout=subprocess.PIPE, check=True).stdout


def statement(eui, csr, key, off=0, signed=None, **more):
    """The JSON of POST /bootstrap, signed by key; csr None = without. signed: what is signed
    instead of what is sent."""
    told = {"version": "smki-bootstrap-v1", "eui64": eui, "hw_type": HW_TYPE, "model": "m",
            "firmware": "1",
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + off))}
    if csr is not None:
        told["csr"] = base64.b64encode(csr).decode()
    told.update(more)
    over = dict(told, **(signed or {}))
    digest = hashlib.sha256(base64.b64decode(over["csr"])).hexdigest() if "csr" in over else ""
    text = ("%s\neui64=%s\nhw_type=%s\nmodel=%s\nfirmware=%s\ntime=%s\ncountry=%s\nposition=\n"
            "csr_sha256=%s\n" % ("smki-bootstrap-v1", over["eui64"], over["hw_type"],
                                 over["model"], over["firmware"], over["time"],
                                 over.get("country", ""), digest))
    told["signature"] = base64.b64encode(sign(key, text.encode())).decode()
    return json.dumps(told).encode()
