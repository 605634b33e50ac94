#!/usr/bin/env python3
"""Both daemons under concurrent clients of every kind; in a thread sanitizer's build they must
have nothing to report. In any other build: all is answered, and both end well.

    threads.py BUILD SOURCE
"""
import os
import random
import re
import shutil
import signal
import socket
import sys
import tempfile
import threading
import urllib.error
import urllib.request

sys.dont_write_bytecode = True

from authority import (HOLD, REVOKED, STOP_S, VALID, Authority, Broken, require,  # noqa: E402
                       wait_until)
from checks import openssl  # noqa: E402

OPERATORS = 4
METERS = 8        # of each operator
ASKERS = 4
HTTP_WORKERS = 16
STOPS = 8
# A report of the sanitizer, to its closing rule; lines of other processes may be within.
REPORT = re.compile(r'WARNING: ThreadSanitizer.*?(?:={18}\n|\Z)', re.DOTALL)
REPORTS_MAX = 20000  # characters that are shown


class Load:
    """Clients of both daemons until the operators are through."""

    def __init__(self, authority, meters, requests, may_end=False):
        self.a, self.meters, self.requests = authority, meters, requests
        self.may_end = may_end
        self.through = threading.Event()
        self.answers = self.asked = 0
        self.lock = threading.Lock()
        self.error = None

    def call(self, *args):
        """One command; False = smkid is gone, where that may be."""
        status, _, err = self.a.smki(*args)
        require(status == 0 or (self.may_end and status == 75),
                f'smki {" ".join(args)}: exit {status}: {err.strip()}')
        with self.lock:
            self.answers += status == 0
        return status == 0

    def went(self, ok):
        require(ok or self.may_end, 'smkid is gone')
        with self.lock:
            self.answers += ok
        return ok

    def operator(self, who):
        a = self.a
        for n, meter in enumerate(self.meters[who::OPERATORS]):
            ok = self.went(a.issue(meter))
            if ok and meter.state == VALID:
                ok = self.went(a.change(meter, 'hold'))
            if ok and meter.state == HOLD:
                ok = self.went(a.change(meter, 'reactivate'))
            ok = ok and self.went(a.change(meter, 'revoke', 'superseded'))
            ok = ok and meter.state == REVOKED and self.call('show', meter.serial)
            if ok and n % 2 == 0:
                ok = self.call(*(('list',), ('status',), ('crl',), ('ca', 'list'))[who])
            if not ok:
                return

    def fetch(self, path, data=None, kind='application/ocsp-request'):
        request = urllib.request.Request(f'http://{self.a.http}{path}', data)
        if data is not None:
            request.add_header('Content-Type', kind)
        with urllib.request.urlopen(request, timeout=60) as answer:
            body = answer.read()
        with self.lock:
            self.asked += 1
        return body

    def asker(self, who):
        rng = random.Random(who)
        paths = ('/crl/issuing.crl', '/crl/root.crl', '/ca/issuing.cer', '/health', '/metrics')
        while not self.through.is_set():
            body = self.fetch('/ocsp', rng.choice(self.requests))
            require(body[:1] == b'\x30' and b'\x0a\x01\x00' in body[:10], 'OCSP: not successful')
            self.fetch(rng.choice(paths))

    def guarded(self, what, who):
        try:
            what(who)
        except (urllib.error.URLError, OSError) as e:
            if not self.may_end:
                self.error = self.error or e
        except Exception as e:  # told by run()
            self.error = self.error or e

    def run(self, during=None):
        askers = [threading.Thread(target=self.guarded, args=(self.asker, who))
                  for who in range(ASKERS)]
        operators = [threading.Thread(target=self.guarded, args=(self.operator, who))
                     for who in range(OPERATORS)]
        for t in askers + operators:
            t.start()
        if during is not None:
            during(self)
        for t in operators:
            t.join()
        self.through.set()
        for t in askers:
            t.join()
        if self.error is not None:
            raise self.error


def ocsp_requests(authority, meters):
    """Requests of one and of several certificates, with and without nonce."""
    out = []
    for n in range(4):
        path = os.path.join(authority.work, f'{n}.ocsp')
        args = []
        for meter in meters[n:n + 1 + n % 3]:
            args += ['-serial', '0x' + meter.serial]
        openssl('ocsp', '-issuer', authority.ca_file('issuing'), '-reqout', path,
                '-nonce' if n % 2 else '-no_nonce', *args)
        with open(path, 'rb') as f:
            out.append(f.read())
    return out


def log_of(work):
    with open(os.path.join(work, 'log'), encoding='utf-8', errors='replace') as f:
        return f.read()


def end(process, what):
    process.send_signal(signal.SIGTERM)
    status = process.wait(STOP_S)
    require(status == 0, f'{what} ends with {status} on SIGTERM')


class Knocks:
    """Clients that connect again and again, whatever comes of it, until they are told to stop."""

    def __init__(self, address):
        host, port = address.rsplit(':', 1)
        self.server = host, int(port)
        self.answers = 0
        self.stopping = threading.Event()
        self.clients = [threading.Thread(target=self.knock) for _ in range(ASKERS)]

    def knock(self):
        while not self.stopping.is_set():
            try:
                with socket.create_connection(self.server, STOP_S) as s:
                    s.sendall(b'GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
                    while s.recv(4096):
                        self.answers += 1
            except OSError:
                continue

    def __enter__(self):
        for t in self.clients:
            t.start()
        return self

    def __exit__(self, *why):
        self.stopping.set()
        for t in self.clients:
            t.join()


def stops(a):
    """smki-httpd ends while clients connect, with more threads of its HTTP library than usual."""
    a.configure('[http]', f'[http]\nworkers = {HTTP_WORKERS}')
    for _ in range(STOPS):
        a.start_httpd()
        with Knocks(a.http) as knocks:
            wait_until('some answers', STOP_S, lambda: knocks.answers > ASKERS)
            end(a.httpd, 'smki-httpd')
        require(not os.path.exists(a.addresses()), 'the file of addresses is left')
    require('http library:' not in log_of(a.work), 'the HTTP library complains')


def run(a):
    a.init()
    a.start()
    a.export()
    a.start_httpd()
    first = a.new_meters(6)
    for meter in first:
        require(a.issue(meter), 'smkid is gone')
    requests = ocsp_requests(a, first)
    load = Load(a, a.new_meters(OPERATORS * METERS), requests)
    load.run()
    require(load.answers >= OPERATORS * METERS * 5 and load.asked > ASKERS,
            f'{load.answers} answers and {load.asked} of HTTP: too little was asked')

    # Both end in the middle of it.
    ending = Load(a, a.new_meters(OPERATORS * METERS), requests, may_end=True)

    def stop(busy):
        wait_until('some answers', 60, lambda: busy.answers > OPERATORS or busy.error)
        end(a.httpd, 'smki-httpd')
        end(a.smkid, 'smkid')

    ending.run(stop)
    stops(a)
    return load


def main():
    build, source = sys.argv[1:3]
    os.environ.setdefault('TSAN_OPTIONS', 'halt_on_error=0:exitcode=98:suppressions=' +
                          os.path.join(source, 'tests', 'tsan.supp'))
    work = tempfile.mkdtemp(prefix='smki-threads.')
    a = Authority(build, work)
    failed, load = None, None
    try:
        load = run(a)
    except Broken as e:
        failed = str(e)
    finally:
        a.close()
        reported = REPORT.findall(log_of(work))
        if failed and not reported:
            print('--- log of the daemons:', *log_of(work).splitlines()[-25:], sep='\n')
        shutil.rmtree(work)
    if reported:
        print(''.join(reported)[:REPORTS_MAX])
        failed = failed or f'{len(reported)} reports'
    if failed:
        print(f'FAIL: {failed}')
        return 1
    print(f'{load.answers} answers of smkid, {load.asked} of smki-httpd')
    return 0


sys.exit(main())
