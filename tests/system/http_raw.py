"""What no proper HTTP client sends, over plain sockets. Used by http.sh.

    http_raw.py framing|halves|address|crowd ADDR:PORT SECONDS
    http_raw.py stop ADDR:PORT SECONDS PID

SECONDS is [http] timeout, PID who listens. Prints the number of checks; the first that fails ends
it with want and got.
"""
import os
import re
import signal
import socket
import sys
import time

checks = 0
POST = "POST /ocsp HTTP/1.1\r\nHost: x\r\nContent-Type: application/ocsp-request\r\n"
HEALTH = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
FILE = "GET /ca/issuing.cer HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED = "Transfer-Encoding: chunked\r\n"
# An OCSP answer to what is no OCSP request.
MALFORMED = b"\x30\x03\x0a\x01\x01"


def same(what, want, got):
    global checks
    if want != got:
        sys.exit("%s\nwant: %r\ngot:  %r" % (what, want, got))
    checks += 1


def connect(server, source=None, room=None):
    peer = socket.socket()
    if room:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    if source:
        peer.bind((source, 0))
    peer.settimeout(30)
    peer.connect(server)
    return peer


def to_end(peer):
    """All that comes until the server closes."""
    got = b""
    try:
        while True:
            some = peer.recv(65536)
            if not some:
                return got
            got += some
    except ConnectionResetError:
        return got


def say(server, text):
    with connect(server) as peer:
        try:
            peer.sendall(text.encode("latin-1"))
        except (BrokenPipeError, ConnectionResetError):
            pass
        return to_end(peer)


def statuses(answers):
    return [int(s) for s in re.findall(rb"HTTP/1\.1 (\d+) ", answers)]


def framing(server, seconds):
    """A second request in what may be a body is never answered."""
    hidden = HEALTH + HEALTH
    for what, text in {
            "length twice": POST + "Content-Length: 5\r\nContent-Length: 0\r\n\r\n" + hidden,
            "the same twice": POST + "Content-Length: 0\r\nContent-Length: 0\r\n\r\n" + hidden,
            "both": POST + "Content-Length: 80\r\n" + CHUNKED + "\r\n0\r\n\r\n" + hidden,
            "both, turned": POST + CHUNKED + "Content-Length: 0\r\n\r\n0\r\n\r\n" + hidden,
            "unknown coding": POST + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + hidden,
            "identity": POST + "Transfer-Encoding: identity\r\nContent-Length: 0\r\n\r\n" + hidden,
            "blank before the colon": POST + "Content-Length : 5\r\n\r\n" + hidden,
    }.items():
        answers = say(server, text)
        same(what, [400], statuses(answers))
        # Some are refused by the library itself, in its own words.
        same("it says why", True, len(answers.partition(b"\r\n\r\n")[2]) > 20)
    # A line that goes on: newer libraries join it to its header's value, and then it is one.
    for what, header in {
            "folded length": "Content-Length:\r\n %d\r\n" % len(hidden),
            "length that goes on": "Content-Length: 0\r\n\t%d\r\n" % len(hidden),
            "folded coding": "Transfer-Encoding:\r\n chunked\r\n",
            # As "36 -" it is a length to whoever reads no further than its digits.
            "length and a hyphen": "Content-Length: %d\r\n -\r\n" % len(hidden),
    }.items():
        answers = statuses(say(server, POST + header + "\r\n" + hidden))
        same(what, (1, False), (len(answers), 200 in answers and what != "folded length"))
    # The end of a line to some, who then see a length; newer libraries end the connection.
    same("a CR alone", False, 200 in statuses(
        say(server, "GET /health HTTP/1.1\r\nHost: x\r\nX: y\rContent-Length: %d\r\n\r\n" %
            len(hidden) + hidden)))
    same("two Hosts", [400], statuses(
        say(server, "GET /health HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n" + hidden)))
    # A little too long is read to its end, so that whoever sends it comes to see the answer.
    for length in (16385, 1024 * 1024):
        same("length %d" % length, [413], statuses(
            say(server, POST + "Content-Length: %d\r\n\r\n" % length + hidden.ljust(length))))
    for length in ("1048577", "2147483648", "18446744073709551615"):
        same("length " + length, [413], statuses(say(server, POST + "Content-Length: " + length +
                                                    "\r\n\r\n" + hidden)))
    # libmicrohttpd's own refusals close, whatever they say.
    for length in ("-1", "+5", "0x5", "5, 5", "18446744073709551616", ""):
        answers = say(server, POST + "Content-Length: " + length + "\r\n\r\n" + hidden)
        same("length " + length, True, set(statuses(answers)) < {400, 413})
    with connect(server) as peer:
        peer.sendall((POST + CHUNKED + "\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n" + HEALTH +
                      "GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").encode())
        answers = to_end(peer)
    same("one after the other", [200, 200, 404], statuses(answers))
    same("the first is malformed", True, MALFORMED in answers)


def halves(server, seconds):
    """Whatever part of a request drips in, the connection ends at the time-out."""
    for what, text in {"nothing": "", "request line": "GET /hea", "headers": HEALTH[:-2] + "X: ",
                       "body": POST + "Content-Length: 10000\r\n\r\n",
                       "chunks": POST + CHUNKED + "\r\n"}.items():
        with connect(server) as peer:
            begun = time.monotonic()
            peer.sendall(text.encode())
            peer.settimeout(0.2)
            while time.monotonic() - begun < 10 * seconds:
                try:
                    if what != "nothing":
                        peer.sendall(b"1\r\na\r\n" if what == "chunks" else b"a")
                    if peer.recv(1) == b"":
                        break
                except socket.timeout:
                    continue
                except (BrokenPipeError, ConnectionResetError):
                    break
            took = time.monotonic() - begun
            same("slow %s is let go after %.1f s" % (what, took), True,
                 seconds - 0.5 < took < seconds + 10)


def healthy(server, source):
    with connect(server, source) as peer:
        peer.sendall(HEALTH.encode())
        return statuses(peer.recv(4096)) == [200]


def address(server, seconds):
    """connections_per_address = 4 ends the fifth, and nobody else's."""
    kept = [connect(server, "127.0.0.2") for _ in range(4)]
    with connect(server, "127.0.0.2") as fifth:
        same("the fifth is closed", b"", to_end(fifth))
    same("another address", True, healthy(server, "127.0.0.3"))
    for peer in kept:
        peer.close()


def crowd(server, seconds):
    """connections = 8, all taken by peers that say nothing: two seconds and not their time-out."""
    begun = time.monotonic()
    kept = [connect(server, "127.0.0.%d" % (10 + i // 4)) for i in range(8)]
    same("one more is served", True, healthy(server, "127.0.0.3"))
    took = time.monotonic() - begun
    same("after %.1f s" % took, True, took < seconds / 2)
    for peer in kept:
        peer.close()


def stop(server, seconds, pid):
    """A request under way is answered; nobody else is let in meanwhile."""
    with connect(server) as peer:
        peer.sendall(FILE[:-2].encode())
        # Served after it: its request line was read (by the one worker that http.sh asks for).
        with connect(server) as another:
            another.sendall(FILE.encode())
            same("before", [200], statuses(another.recv(4096)))
        os.kill(int(pid), signal.SIGTERM)
        begun, refused = time.monotonic(), False
        while not refused and time.monotonic() - begun < seconds:
            try:
                connect(server).close()
            except ConnectionRefusedError:
                refused = True
            except ConnectionResetError:
                continue  # at the very moment
        same("a connection after the stop is refused", True, refused)
        peer.sendall(b"\r\n")
        answer = to_end(peer)
    same("the request under way", [200], statuses(answer))
    same("is the last one", True, b"Connection: close" in answer)


def main(word, where, seconds, *more):
    what = {"framing": framing, "halves": halves, "address": address, "crowd": crowd,
            "stop": stop}[word]
    host, port = where.rsplit(":", 1)
    what((host, int(port)), float(seconds), *more)
    print(checks)


main(*sys.argv[1:])
