"""An authority under test: its home, its daemons, what its clients asked and were told.

Whatever a client was told is kept here in memory, so that checks.py can hold the database to it.
"""
import base64
import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
                                'corpus', 'csr'))
import request as pkcs10  # noqa: E402
from ecdsa import Key  # noqa: E402

START_S = 60
STOP_S = 60
CALL_S = 60
LOOK_S = 0.01
VALID, HOLD, REVOKED = 0, 1, 2
EX_UNAVAILABLE = 75


class Broken(Exception):
    """A promise that does not hold."""


def require(ok, what):
    if not ok:
        raise Broken(what)


def wait_until(what, seconds, condition):
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        require(time.monotonic() < deadline, f'{what}: not within {seconds} s')
        pause.wait(LOOK_S)


class Meter:
    """A key, its request, what was acknowledged about its certificate, and what was not."""

    def __init__(self, folder, number):
        eui = bytes.fromhex('00db1234') + number.to_bytes(4, 'big')
        key = Key(f'crash {number}')
        self.name = eui.hex()
        self.request = os.path.join(folder, self.name + '.csr')
        self.key_hash = hashlib.sha256(key.point).digest()
        with open(self.request, 'wb') as f:
            f.write(pkcs10.request(
                key=key, public=pkcs10.spki(key.point),
                exts=(pkcs10.key_usage(),
                      pkcs10.san(pkcs10.hw_name(serial=pkcs10.octets(eui))))))
        self.on_hold = number % 5 == 0
        self.asked = False    # the request left us at least once
        self.told = set()     # every certificate that came out, as DER
        self.serial = None    # as it is printed
        self.state = None     # as acknowledged
        self.done = []        # acknowledged changes: (action, reason, invalid_since)
        self.pending = None   # the change whose answer did not come
        self.lock = threading.Lock()


def certificate_of(pem):
    """DER of the one certificate in a client's standard output; None when there is none."""
    begin, end = b'-----BEGIN CERTIFICATE-----', b'-----END CERTIFICATE-----'
    if begin not in pem:
        return None
    require(pem.count(begin) == 1 and pem.rstrip().endswith(end), 'half a certificate came out')
    return base64.b64decode(pem.split(begin)[1].split(end)[0])


def serial_of(der):
    """Contents octets of the serialNumber (RFC 5280 4.1): the profiles' serials have 8 octets."""
    at = der.index(bytes.fromhex('a003020102')) + 5
    require(der[at:at + 2] == b'\x02\x08', 'serialNumber is not an INTEGER of 8 octets')
    return der[at + 2:at + 10]


class Authority:
    def __init__(self, build, work, crash=None):
        self.build, self.work = build, work
        self.crash = crash
        self.home = os.path.join(work, 'home')
        self.requests = os.path.join(work, 'requests')
        self.log = open(os.path.join(work, 'log'), 'ab')
        self.smkid = self.httpd = None
        self.http = None
        self.meters = []
        os.mkdir(self.requests)

    # ---- programs ----

    def program(self, name):
        return os.path.join(self.build, name)

    def smki(self, *args):
        """(exit status, standard output, standard error) of one command."""
        p = subprocess.run([self.program('smki'), '--home', self.home, *args], timeout=CALL_S,
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, check=False)
        return p.returncode, p.stdout, p.stderr.decode()

    def must(self, *args):
        status, out, err = self.smki(*args)
        require(status == 0, f'smki {" ".join(args)}: exit {status}: {err.strip()}')
        return out

    def init(self):
        self.must('init', '--http', '127.0.0.1:0', '--https', '127.0.0.1:0')
        self.configure('delay = 10s', 'delay = 1s')

    def configure(self, was, now):
        conf = os.path.join(self.home, 'smki.conf')
        with open(conf, encoding='utf-8') as f:
            text = f.read()
        require(was in text, f'smki.conf has no "{was}" to change')
        with open(conf, 'w', encoding='utf-8') as f:
            f.write(text.replace(was, now))

    def export(self):
        """The CA certificates, alone and together, for the openssl command."""
        for ca in 'root', 'issuing':
            self.must('ca', 'export', ca, '--out', self.ca_file(ca))
        with open(self.ca_file('chain'), 'wb') as chain:
            for ca in 'root', 'issuing':
                with open(self.ca_file(ca), 'rb') as f:
                    chain.write(f.read())

    def ca_file(self, name):
        return os.path.join(self.work, name + '.pem')

    def listens(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
            try:
                s.connect(os.path.join(self.home, 'run', 'admin.sock'))
            except OSError:
                return False
        return True

    def start(self, fault=None):
        """smkid; with a fault the one that kills itself there, maybe before it listens."""
        program = self.program('smkid') if fault is None else self.crash
        env = dict(os.environ)
        env.pop('SMKI_FAULT', None)
        if fault is not None:
            env['SMKI_FAULT'] = fault
        self.smkid = subprocess.Popen([program, '--home', self.home], env=env,
                                      stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        wait_until('start of smkid', START_S,
                   lambda: self.listens() or self.smkid.poll() is not None)
        require(fault is not None or self.smkid.poll() is None,
                f'smkid ends with {self.smkid.returncode} at start')

    def addresses(self):
        return os.path.join(self.home, 'run', 'addresses')

    def start_httpd(self):
        addresses = self.addresses()
        self.httpd = subprocess.Popen([self.program('smki-httpd'), '--home', self.home],
                                      stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        wait_until('start of smki-httpd', START_S, lambda: os.path.exists(addresses))
        with open(addresses, encoding='ascii') as f:
            self.http = f.readline().split()[1]

    def alive(self):
        return self.smkid is not None and self.smkid.poll() is None

    def stop(self):
        """By SIGTERM; a clean end is 0."""
        self.smkid.send_signal(signal.SIGTERM)
        status = self.smkid.wait(STOP_S)
        require(status == 0, f'smkid ends with {status} on SIGTERM')
        self.smkid = None

    def kill(self):
        self.smkid.kill()
        self.killed()

    def killed(self):
        status = self.smkid.wait(STOP_S)
        require(status == -signal.SIGKILL, f'smkid ended with {status}, not by SIGKILL')
        self.smkid = None

    def close(self):
        for p in self.httpd, self.smkid:
            if p is not None and p.poll() is None:
                p.terminate()
                try:
                    p.wait(STOP_S)
                except subprocess.TimeoutExpired:
                    p.kill()
                    p.wait()
        self.log.close()

    # ---- clients: False = smkid is gone ----

    def new_meters(self, n):
        fresh = [Meter(self.requests, len(self.meters) + 1 + i) for i in range(n)]
        self.meters += fresh
        return fresh

    def answered(self, what, status, err, also=()):
        """True for an answer, False when smkid went away; anything else breaks the test."""
        if status == 0 or status in also:
            return True
        require(status == EX_UNAVAILABLE, f'{what}: exit {status}: {err.strip()}')
        return False

    def issue(self, meter):
        with meter.lock:
            meter.asked = True
        options = ['--on-hold'] if meter.on_hold else []
        status, out, err = self.smki('issue', *options, meter.request)
        der = certificate_of(out)
        with meter.lock:
            if der is not None:
                meter.told.add(der)
                meter.serial = serial_of(der).hex()
            if status == 0:
                require(der is not None, f'issue {meter.name}: exit 0 without a certificate')
                if meter.state is None:
                    meter.state = HOLD if meter.on_hold else VALID
        return self.answered(f'issue {meter.name}', status, err)

    def change(self, meter, action, reason=None, since=None):
        """since: seconds since 1970."""
        target = {'hold': HOLD, 'reactivate': VALID, 'revoke': REVOKED}[action]
        options = []
        if reason is not None:
            options += ['--reason', reason]
        if since is not None:
            options += ['--invalid-since', time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(since))]
        change = (action, reason, since)
        meter.pending = change
        status, _, err = self.smki(action, meter.serial, *options)
        if not self.answered(f'{action} {meter.serial}', status, err):
            return False
        meter.pending = None
        meter.done.append(change)
        meter.state = target
        return True

    def crl(self, out):
        status, _, err = self.smki('crl', '--out', out)
        return self.answered('crl', status, err)
