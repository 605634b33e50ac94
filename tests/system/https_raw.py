"""What no proper TLS client does, over plain sockets and Python's ssl. Used by https.sh.

    https_raw.py halves|shake|flood|crowd|peers PORT SECONDS DIR

SECONDS is [https] timeout; DIR holds root.pem, rogue.key and rogue.pem; HTTPD_PID in the
environment is smki-httpd's. Prints the number of checks; the first that fails ends it with want and
got.
"""
import os
import re
import socket
import ssl
import sys
import time

checks = 0
CACERTS = b"GET /.well-known/est/cacerts HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = (b"POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Type: application/pkcs10\r\n")


def same(what, want, got):
    global checks
    if want != got:
        sys.exit("%s\nwant: %r\ngot:  %r" % (what, want, got))
    checks += 1


def connect(port, source=None):
    peer = socket.socket()
    if source:
        peer.bind((source, 0))
    peer.settimeout(30)
    peer.connect(("127.0.0.1", port))
    return peer


def speak(port, folder, source=None, certs=None):
    context = ssl.create_default_context(cafile=folder + "/root.pem")
    if certs:
        context.load_cert_chain(certs, folder + "/rogue.key")
    return context.wrap_socket(connect(port, source), server_hostname="localhost")


def answer(peer, request):
    """Status and body of a request that ends its connection."""
    peer.sendall(request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
    got = b""
    try:
        while True:
            some = peer.recv(65536)
            if not some:
                break
            got += some
    except (ConnectionResetError, ssl.SSLError):
        pass
    head, _, body = got.partition(b"\r\n\r\n")
    status = re.match(rb"HTTP/1\.1 (\d+) ", head)
    return int(status.group(1)) if status else 0, body


def good(port, folder, source):
    with speak(port, folder, source) as peer:
        return answer(peer, CACERTS)[0]


def drip(peer, octet, limit):
    """Send an octet every 0.2 s until the server closes: how long that took."""
    begun = time.monotonic()
    peer.settimeout(0.2)
    while time.monotonic() - begun < limit:
        try:
            if octet:
                peer.sendall(octet)
            if peer.recv(1) == b"":
                break
        except (socket.timeout, ssl.SSLWantReadError):
            continue
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            break
    return time.monotonic() - begun


def drip_all(peer, limit):
    """Read what comes for so long."""
    begun = time.monotonic()
    peer.settimeout(0.2)
    while time.monotonic() - begun < limit:
        try:
            if peer.recv(65536) == b"":
                break
        except socket.timeout:
            continue
    return time.monotonic() - begun


def halves(port, seconds, folder):
    """After the handshake, whatever part of a request drips in, it ends at the time-out."""
    for what, text, octet in [("nothing", b"", None), ("request line", CACERTS[:8], b"a"),
                              ("headers", CACERTS[:-2] + b"X: ", b"a"),
                              ("body", POST + b"Content-Length: 1000\r\n\r\n", b"a"),
                              ("chunks", POST + b"Transfer-Encoding: chunked\r\n\r\n",
                               b"1\r\na\r\n")]:
        with speak(port, folder) as peer:
            peer.sendall(text)
            took = drip(peer, octet, 10 * seconds)
            same("slow %s is let go after %.1f s" % (what, took), True,
                 seconds - 0.5 < took < seconds + 5)
    # Handshake, request line and the rest: one time for all of it, each part late but not too late.
    begun = time.monotonic()
    with connect(port) as peer:
        drip(peer, None, 0.3 * seconds)
        peer.settimeout(30)
        context = ssl.create_default_context(cafile=folder + "/root.pem")
        with context.wrap_socket(peer, server_hostname="localhost") as session:
            drip(session, None, 0.3 * seconds)
            session.sendall(CACERTS[:-2])
            drip(session, None, 10 * seconds)
    took = time.monotonic() - begun
    same("all of it after %.1f s" % took, True, seconds - 0.5 < took < 1.5 * seconds)


def spent():
    """Processor time of smki-httpd so far, in seconds."""
    with open("/proc/%s/stat" % os.environ["HTTPD_PID"], encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def hello(folder):
    """A client's first message, and no more."""
    context = ssl.create_default_context(cafile=folder + "/root.pem")
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = context.wrap_bio(into, out, server_hostname="localhost")
    try:
        session.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()


def shake(port, seconds, folder):
    """A handshake has five seconds, however long a request may take, and waiting costs nothing."""
    whole = hello(folder)
    for what, text in [("half a hello", whole[:40]), ("a hello", whole)]:
        with connect(port) as peer:
            peer.sendall(text)
            before = spent()
            took = drip(peer, None, 5 * seconds) if text != whole else drip_all(peer, 2)
            used = spent() - before
            same("%s: %.2f s used in %.1f s" % (what, used, took), True, used < took / 4)
    for what, text, octet in [("nothing", b"", None),
                              ("hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"a")]:
        with connect(port) as peer:
            peer.sendall(text)
            took = drip(peer, octet, 5 * seconds)
            same("slow %s is let go after %.1f s" % (what, took), True, 4.5 < took < 10)
    with connect(port) as peer:
        peer.sendall(b"GET / HTTP/1.1\r\n\r\n")
        took = drip(peer, None, 5 * seconds)
        same("plain text is let go after %.1f s" % took, True, took < 4)


def flood(port, seconds, folder):
    """A thousand connections of one address that say nothing; who comes from another is served."""
    kept = []
    for i in range(1000):
        kept.append(connect(port, "127.0.0.2"))
        if i % 250 == 249:
            # The best of three, and none waits for the handshakes' limit.
            took = []
            for _ in range(3):
                begun = time.monotonic()
                same("another address", 200, good(port, folder, "127.0.0.3"))
                took.append(time.monotonic() - begun)
            same("after %r" % took, True, min(took) < 1 and max(took) < 4)
    for peer in kept:
        peer.close()


def crowd(port, seconds, folder):
    """All connections taken by many addresses that say nothing: a second, and not five."""
    kept = [connect(port, "127.0.0.%d" % (10 + i // 4)) for i in range(8)]
    begun = time.monotonic()
    same("one more is served", 200, good(port, folder, "127.0.0.3"))
    took = time.monotonic() - begun
    same("after %.1f s" % took, True, took < 4)
    for peer in kept:
        peer.close()


def peers(port, seconds, folder):
    """Six certificates of a peer are looked at, not seven."""
    with open(folder + "/rogue.pem", encoding="ascii") as file:
        rogue = file.read()
    for n, want in ((1, b"none of ours"), (6, b"none of ours"), (7, b"client certificates")):
        with open(folder + "/chain-of-rogues.pem", "w", encoding="ascii") as file:
            file.write(n * rogue)
        with speak(port, folder, certs=folder + "/chain-of-rogues.pem") as peer:
            request = POST + b"Content-Length: 4\r\n\r\nMAA="
            status, body = answer(peer, request)
            same("%d certificates" % n, 403, status)
            same("%d certificates: %r" % (n, body), True, want in body)


def main(word, port, seconds, folder):
    what = {"halves": halves, "shake": shake, "flood": flood, "crowd": crowd, "peers": peers}[word]
    what(int(port), float(seconds), folder)
    print(checks)


main(*sys.argv[1:])
