#!/usr/bin/python3
"""Access tokens from the side of those who use them.

  token_client.py verify JWKS CERT   the token on standard input: signature by openssl with the key
                                     of the key set, binding to the certificate; prints its claims
  token_client.py alive PORT DIR NAME COMMAND
                                     on one TLS connection as $DIR/NAME.{pem,key}: a token, the
                                     command, a token and a re-enrolment, on the same connection;
                                     prints the statuses
"""
import base64
import hashlib
import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile


def octets(text):
    assert "=" not in text and "+" not in text and "/" not in text, text
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def der(tag, *parts):
    body = b"".join(parts)
    size = bytes([len(body)]) if len(body) < 128 else bytes([0x81, len(body)])
    return bytes([tag]) + size + body


def unsigned(data):
    """DER INTEGER of an unsigned number."""
    data = data.lstrip(b"\0") or b"\0"
    return der(2, b"\0" + data if data[0] > 127 else data)


def public_key(key):
    """SubjectPublicKeyInfo of a key on P-256 (RFC 5480)."""
    point = b"\4" + octets(key["x"]) + octets(key["y"])
    assert len(point) == 65
    algorithm = der(0x30, bytes.fromhex("06072a8648ce3d0201"), bytes.fromhex("06082a8648ce3d030107"))
    return der(0x30, algorithm, der(3, b"\0" + point))


def openssl_verifies(key, signed, signature):
    assert len(signature) == 64, len(signature)
    with tempfile.TemporaryDirectory() as folder:
        for name, data in (("key", public_key(key)), ("signed", signed),
                           ("sig", der(0x30, unsigned(signature[:32]), unsigned(signature[32:])))):
            with open(os.path.join(folder, name), "wb") as out:
                out.write(data)
        return subprocess.run(["openssl", "dgst", "-sha256", "-verify", "key", "-keyform", "DER",
                               "-signature", "sig", "signed"], cwd=folder, check=False,
                              capture_output=True).returncode == 0


def thumbprint(key):
    """RFC 7638 3."""
    text = '{"crv":"%s","kty":"%s","x":"%s","y":"%s"}' % (key["crv"], key["kty"], key["x"], key["y"])
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def verify(jwks, cert):
    token = sys.stdin.read().strip()
    head, claims, signature = token.split(".")
    header = json.loads(octets(head))
    assert header["typ"] == "at+jwt" and header["alg"] == "ES256", header
    with open(jwks, encoding="ascii") as file:
        keys = [key for key in json.load(file)["keys"] if key["kid"] == header["kid"]]
    assert len(keys) == 1, "no key " + header["kid"]
    key = keys[0]
    assert (key["kty"], key["crv"], key["use"], key["alg"]) == ("EC", "P-256", "sig", "ES256"), key
    assert thumbprint(key) == key["kid"], key
    signed = (head + "." + claims).encode()
    assert openssl_verifies(key, signed, octets(signature)), "signature"
    assert not openssl_verifies(key, signed + b"x", octets(signature)), "signature of anything"
    body = json.loads(octets(claims))
    with open(cert, encoding="ascii") as file:
        digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(file.read())).digest()
    assert octets(body["cnf"]["x5t#S256"]) == digest, "cnf"
    print(json.dumps(dict(body, kid=header["kid"])))


def alive(port, folder, name, command):
    def at(suffix):
        return os.path.join(folder, name + suffix)

    context = ssl.create_default_context(cafile=os.path.join(folder, "root.pem"))
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(at(".pem"), at(".key"))
    sock = context.wrap_socket(socket.create_connection(("127.0.0.1", int(port)), 30),
                               server_hostname="localhost")
    client = http.client.HTTPSConnection("localhost", int(port), context=context)
    client.sock = sock
    statuses = []

    def post(path, content, body):
        client.request("POST", path, body, {"Content-Type": content})
        response = client.getresponse()
        response.read()
        statuses.append(response.status)
        assert client.sock is sock, "another connection"

    form = "application/x-www-form-urlencoded"
    post("/token", form, "grant_type=client_credentials")
    subprocess.run(["sh", "-c", command], check=True, stdout=subprocess.DEVNULL)
    post("/token", form, "grant_type=client_credentials")
    request = subprocess.run(["openssl", "req", "-in", at(".csr"), "-outform", "DER"], check=True,
                             capture_output=True).stdout
    post("/.well-known/est/simplereenroll", "application/pkcs10", base64.b64encode(request))
    print(*statuses)


if __name__ == "__main__":
    {"verify": verify, "alive": alive}[sys.argv[1]](*sys.argv[2:])
