"""Peers of the TLS listener that mean no good. Called by abuse.sh as

  abuse.py WORD HTTPS-PORT HTTP-ADDRESS FOLDER

The last line printed is how many checks held.
"""
import base64
import re
import socket
import ssl
import sys
import threading
import time
import urllib.request

from tls_client import EST, PKCS10, Client, basic, csr_der

CACERTS = b"GET /.well-known/est/cacerts HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = (b"POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Type: application/pkcs10\r\n")
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
OUI = "00db12346e0000"
SLOW = 1000
WRONG = "ABCDEFGHIJKLMNOPQRSTUVW234"

checks = 0


def same(what, want, got):
    global checks
    if want != got:
        print("%s:\n  want %r\n  got  %r" % (what, want, got))
        sys.exit(1)
    checks += 1


def best(what, limit, ask):
    """Of three: a machine that stands still for a moment is not the service. None waits long."""
    took = [ask() for _ in range(3)]
    below(what + ", all of three", 4, max(took))
    below(what, limit, min(took))


def below(what, limit, got):
    same("%s: %.2f s, %.2f s at most" % (what, got, limit), True, got <= limit)
    print("%s: %.3f s" % (what, got))


class World:
    def __init__(self, port, http, folder):
        self.port, self.http, self.folder = int(port), http, folder
        self.root = folder + "/root.pem"
        self.context = ssl.create_default_context(cafile=self.root)
        with open(folder + "/secrets", encoding="ascii") as file:
            self.secrets = dict(line.split() for line in file)

    def connect(self, source):
        """TCP only."""
        peer = socket.socket()
        peer.bind((source, 0))
        peer.settimeout(30)
        peer.connect(("127.0.0.1", self.port))
        return peer

    def speak(self, source):
        return self.context.wrap_socket(self.connect(source), server_hostname="localhost")

    def good(self, source="127.0.0.1"):
        """A whole new connection and a right request: how long it took."""
        begun = time.monotonic()
        with Client(self.port, self.root, source=source) as client:
            same("a good one", 200, client.ask("GET", EST + "cacerts").status)
        return time.monotonic() - begun

    def enrol(self, device, secret, source):
        """Status, and how long it took."""
        body = base64.b64encode(csr_der("%s/%s.csr" % (self.folder, device)))
        with Client(self.port, self.root, source=source) as client:
            begun = time.monotonic()
            answer = client.ask("POST", EST + "simpleenroll",
                                dict(PKCS10, **basic(OUI + device, secret)), body)
            return answer.status, time.monotonic() - begun

    def enrolled(self, device, source):
        """With the right secret: how long it took. Asked again it gets the same certificate."""
        status, seconds = self.enrol(device, self.secrets[device], source)
        same("the right secret", 200, status)
        return seconds

    def guessed(self, source):
        status, seconds = self.enrol("03", WRONG, source)
        same("a wrong secret", 401, status)
        return seconds

    def metric(self, name):
        with urllib.request.urlopen("http://%s/metrics" % self.http) as text:
            return int(re.search(r"^%s (\d+)$" % re.escape(name), text.read().decode(),
                                 re.M).group(1))

    def open_now(self):
        return self.metric('smki_http_connections{listener="https"}')


def to_end(peer):
    got = b""
    try:
        while True:
            some = peer.recv(65536)
            if not some:
                break
            got += some
    except (ConnectionError, ssl.SSLError):
        pass
    return got


def statuses(answers):
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+) ", answers)]


def say(world, text, source="127.0.0.30"):
    """What came back until the end."""
    with world.speak(source) as peer:
        try:
            peer.sendall(text)
        except (ConnectionError, ssl.SSLError):
            pass
        return to_end(peer)


# ---- slow ones ----

def half_spoken(world, source, i):
    """After the handshake: nothing, a part of the headers, a part of a body."""
    peer = world.speak(source)
    peer.sendall((b"", CACERTS[:-4], POST + b"Content-Length: 1000\r\n\r\nMII",
                  POST + CHUNKED + b"3\r\nMII\r\n")[i % 4])
    return peer


def half_shaken(world, source, i):
    """Nothing, or the begin of a handshake."""
    peer = world.connect(source)
    if i % 2:
        peer.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    return peer


def drip(peers, octet, stop):
    """Each gets an octet now and then, so that none is idle."""
    while not stop.wait(0.5):
        for peer in peers:
            try:
                peer.sendall(octet)
            except (OSError, ssl.SSLError):
                continue


def slow(world):
    """A thousand slow connections of many addresses, all of them open: nobody waits for them."""
    kept = [half_spoken(world, "127.0.0.%d" % (2 + i % 16), i) for i in range(SLOW // 2)]
    # Only those in the middle of their headers or body may get one more octet. A daemon, here and
    # below: when something fails in between, the test ends.
    stop = threading.Event()
    dripping = threading.Thread(target=drip, args=([p for i, p in enumerate(kept) if i % 4 == 1],
                                                   b"a", stop), daemon=True)
    dripping.start()
    kept += [half_shaken(world, "127.0.0.%d" % (2 + i % 16), i) for i in range(SLOW - SLOW // 2)]
    took = [world.good() for _ in range(10)]
    best("another address", 1, lambda: world.good("127.0.0.20"))
    best("an enrolment", 1, lambda: world.enrolled("01", "127.0.0.1"))
    same("%d are open" % world.open_now(), True, world.open_now() >= SLOW)
    below("a good one beside %d slow ones" % SLOW, 1, sorted(took)[len(took) // 2])
    below("the slowest of them", 4, max(took))
    # An address has its limit, and what is above it is closed at once.
    over = [world.connect("127.0.0.2") for _ in range(5)]
    same("over the limit of an address", [b""] * 5, [to_end(peer) for peer in over])
    stop.set()
    dripping.join()
    for peer in kept:
        peer.close()


def crowd(world):
    """As many slow connections as the listener takes in all, from many addresses, which come again
    when they are let go."""
    stop = threading.Event()

    def again(source):
        mine = []
        while not stop.is_set():
            try:
                mine.append(half_shaken(world, source, len(mine)))
            except OSError:
                stop.wait(0.05)
            if len(mine) > 60:
                mine.pop(0).close()
            stop.wait(0.01)
        for peer in mine:
            peer.close()
    others = [threading.Thread(target=again, args=("127.0.0.%d" % (2 + i),), daemon=True)
              for i in range(16)]
    for other in others:
        other.start()
    limit = time.monotonic() + 10
    while world.open_now() < 200 and time.monotonic() < limit:
        time.sleep(0.05)
    took = [world.good() for _ in range(5)]
    stop.set()
    for other in others:
        other.join()
    below("a good one in a full house", 4, max(took))


# ---- wrong ones ----

def garbage(world):
    """What is no TLS is closed, and what TLS says no more of than it must."""
    hello = b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"
    for what, text in (("plain HTTP", CACERTS), ("zeros", b"\0" * 4096), ("noise", b"\xa5" * 4096),
                       ("SSL 2", b"\x80\x2e\x01\x00\x02" + b"\0" * 41),
                       ("a hello of nothing", hello), ("a record too long",
                                                       b"\x16\x03\x01\xff\xff" + b"\0" * 65535),
                       ("an alert", b"\x15\x03\x03\x00\x02\x02\x28"),
                       ("data before the handshake", b"\x17\x03\x03\x00\x10" + b"\0" * 16),
                       ("a change of ciphers", b"\x14\x03\x03\x00\x01\x01" * 100)):
        with world.connect("127.0.0.31") as peer:
            begun = time.monotonic()
            try:
                peer.sendall(text)
            except OSError:
                pass
            got = to_end(peer)
            same("%s: %r" % (what, got[:40]), True, len(got) <= 64 and b"HTTP" not in got)
            below("%s is let go" % what, 6, time.monotonic() - begun)
    # In the middle of a session that was good.
    for what, text in (("noise", b"\xa5" * 100), ("a record that is not ours", b"\x17\x03\x03\x00\x20" +
                                                  b"\0" * 32)):
        with world.connect("127.0.0.31") as plain:
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            session = world.context.wrap_bio(incoming, outgoing, server_hostname="localhost")
            while True:
                try:
                    session.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    plain.sendall(outgoing.read())
                    incoming.write(plain.recv(65536))
            plain.sendall(outgoing.read() + text)
            got = to_end(plain)
            same("%s in a session ends it" % what, True, len(got) < 4096)


def lengths(world):
    """A second request in what may be a body is never answered; bodies that never come, or do not
    end, end the connection."""
    hidden = CACERTS + CACERTS
    for what, text, want in (
            ("length twice", b"Content-Length: 5\r\nContent-Length: 0\r\n\r\n" + hidden, {400}),
            ("both", b"Content-Length: 80\r\n" + CHUNKED + b"0\r\n\r\n" + hidden, {400}),
            ("unknown coding", b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + hidden, {400}),
            ("too long", b"Content-Length: 32769\r\n\r\n" + hidden.ljust(32769), {413}),
            ("longer than is read", b"Content-Length: 1048577\r\n\r\n" + hidden, {413}),
            ("very long", b"Content-Length: 18446744073709551615\r\n\r\n" + hidden, {413}),
            ("a chunk too long", CHUNKED + b"FFFFFFFFFFFFFFFFF\r\n" + hidden, {400, 413}),
            ("a chunk without a length", CHUNKED + b"\r\n" + hidden, {400, 413}),
            ("a negative length", b"Content-Length: -1\r\n\r\n" + hidden, {400, 413}),
            ("a negative chunk", CHUNKED + b"-1\r\n" + hidden, {400, 413})):
        got = statuses(say(world, POST + text))
        # An answer before the end of what was sent may be lost with the connection.
        same("%s: %r" % (what, got), True, set(got) <= want)
    for what, text in (("a body that never comes", b"Content-Length: 1000\r\n\r\n"),
                       ("a body that ends early", b"Content-Length: 1000\r\n\r\nMII"),
                       ("chunks that end early", CHUNKED + b"400\r\nMII")):
        begun = time.monotonic()
        same(what, [], statuses(say(world, POST + text)))
        below(what + " is waited for", 2 + 2, time.monotonic() - begun)


def floods(world):
    """Bodies in chunks without an end, of small chunks, long headers, many headers."""
    with world.speak("127.0.0.32") as peer:
        peer.sendall(POST + CHUNKED)
        sent, begun = 0, time.monotonic()
        chunk = b"4000\r\n" + b"A" * 0x4000 + b"\r\n"
        try:
            while sent < 64 * 1024 * 1024 and time.monotonic() - begun < 20:
                peer.sendall(chunk)
                sent += len(chunk)
        except (ConnectionError, ssl.SSLError):
            pass
        same("a body without end is not read on: %d octets" % sent, True, sent < 8 * 1024 * 1024)
    got = say(world, POST + CHUNKED + b"1\r\nA\r\n" * 40000 + b"0\r\n\r\n" + CACERTS.replace(
        b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    same("small chunks, and the next", [413, 200], statuses(got))
    for what, text in (("a long path", b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n"),
                       ("a long header", CACERTS[:-2] + b"X: " + b"a" * 100000 + b"\r\n\r\n"),
                       ("many headers", CACERTS[:-2] + b"X: y\r\n" * 20000 + b"\r\n"),
                       ("no end of headers", CACERTS[:-2] + b"X: y\r\n" * 20000)):
        got = statuses(say(world, text))
        same("%s: %r" % (what, got), True, set(got) <= {400, 413, 414, 431})
    for what, text in (("no HTTP", b"\0\1\2\3\r\n\r\n"), ("HTTP/9", b"GET / HTTP/9.9\r\n\r\n"),
                       ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
                       ("only blanks", b" \r\n" * 1000), ("no host", b"GET / HTTP/1.1\r\n\r\n")):
        got = statuses(say(world, text))
        same("%s: %r" % (what, got), True, set(got) <= {400, 404, 405, 408, 500, 505})


def pipelines(world):
    """Requests one behind the other are answered one by one, in their order."""
    body = base64.b64encode(csr_der(world.folder + "/02.csr"))
    post = POST + b"Content-Length: %d\r\n\r\n" % len(body) + body
    last = CACERTS.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    got = say(world, (CACERTS + post) * 20 + CACERTS.replace(b"cacerts", b"nonesuch") + last)
    same("in their order", [200, 401] * 20 + [404, 200], statuses(got))
    # The library reads no further than it has room; who does not take answers is let go.
    with world.speak("127.0.0.33") as peer:
        peer.settimeout(0.5)
        begun = time.monotonic()
        try:
            while time.monotonic() - begun < 20:
                try:
                    peer.sendall(CACERTS * 100)
                except TimeoutError:
                    pass
        except (ConnectionError, ssl.SSLError):
            pass
        below("who takes no answers is let go", 10, time.monotonic() - begun)


def secrets(world):
    """Wrong secrets are answered late, by address; a right one at once, whoever guessed before."""
    took = [world.guessed("127.0.0.40") for _ in range(4)]
    for i, least in enumerate((0.25, 0.5, 1, 2)):
        same("wrong secret %d is held back: %.2f s" % (i + 1, took[i]), True,
             least <= took[i] < 2 * least + 2)
    same("longer and longer: %r" % took, True, took[3] - took[0] > 0.5)
    others = ("127.0.0.%d" % (41 + i) for i in range(3))
    best("another address", 1, lambda: world.guessed(next(others)))
    # Fifty guess at the same time, from as many addresses and for the same device.
    guesses = [threading.Thread(target=world.enrol, args=("04", WRONG, "127.0.2.%d" % (1 + i)))
               for i in range(50)]
    for guess in guesses:
        guess.start()
    status, seconds = world.enrol("04", world.secrets["04"], "127.0.0.1")
    for guess in guesses:
        guess.join()
    same("the device is not locked out", 200, status)
    below("it", 2, seconds)
    best("from the address that guessed", 0.5, lambda: world.enrolled("03", "127.0.0.40"))
    seconds = world.guessed("127.0.0.40")
    same("a wrong secret again: %.2f s" % seconds, True, seconds > 2)


def main(word, *arguments):
    world = World(*arguments)
    {"slow": slow, "crowd": crowd, "garbage": garbage, "lengths": lengths, "floods": floods,
     "pipelines": pipelines, "secrets": secrets}[word](world)
    best("a good one after all that", 1, world.good)
    print(checks)


main(*sys.argv[1:])
