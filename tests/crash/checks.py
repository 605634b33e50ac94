"""The promises after a crash, checked from outside: the database by sqlite3, the lists and the
certificates by the openssl command, what is served by HTTP."""
import glob
import hashlib
import os
import re
import sqlite3
import subprocess
import urllib.error
import urllib.request

from authority import HOLD, REVOKED, VALID, certificate_of, require, serial_of, wait_until

STATE_AFTER = {'hold': HOLD, 'reactivate': VALID, 'revoke': REVOKED}
REASONS = {'unspecified': 0, 'keyCompromise': 1, 'affiliationChanged': 3, 'superseded': 4,
           'cessationOfOperation': 5, 'privilegeWithdrawn': 9}
ASK_AT_ONCE = 16
LIST_S = 20


def openssl(*args):
    p = subprocess.run(['openssl', *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=60, check=False)
    text = p.stdout.decode()
    require(p.returncode == 0, f'openssl {" ".join(args)}:\n{text}')
    return text


class Checks:
    def __init__(self, authority):
        self.a = authority
        self.lists = {}       # (ca, number) -> SHA-256 of every list ever seen
        self.served = {}      # ca -> number served last
        self.newest = {}      # ca -> largest number in the database
        self.verified = set() # certificates that openssl has verified
        self.events = 0

    def database(self):
        path = os.path.join(self.a.home, 'db', 'smki.db')
        return sqlite3.connect(f'file:{path}?mode=ro', uri=True, timeout=10)

    # ---- lists ----

    def note_list(self, ca, number, data, where):
        digest = hashlib.sha256(data).digest()
        seen = self.lists.setdefault((ca, number), digest)
        require(seen == digest, f'{where}: number {number} of ca {ca} with other octets than before')

    def files(self):
        """(path, ca, number) of each published list."""
        out = []
        for path in glob.glob(os.path.join(self.a.home, 'crl', '*.crl')):
            ca, number = re.fullmatch(r'([a-z]+)-([0-9]+)\.crl', os.path.basename(path)).groups()
            out.append((path, ca, int(number)))
        return out

    def note_files(self):
        """Every published list; .new ones are nobody's yet."""
        for path, ca, number in self.files():
            try:
                with open(path, 'rb') as f:
                    data = f.read()
            except FileNotFoundError:
                # smkid goes on: it takes a list away once there are newer ones.
                require(any(c == ca and n > number for _, c, n in self.files()),
                        f'{path}: vanished, and there is no newer list')
                continue
            self.note_list(ca, number, data, path)

    def parse_list(self, path):
        """(number, {serial: reason or None}) of a list whose signature openssl has verified."""
        text = openssl('crl', '-inform', 'DER', '-in', path, '-noout', '-text', '-CAfile',
                       self.a.ca_file('chain'))
        require('verify OK' in text, f'{path}: openssl crl does not verify it')
        number = int(re.search(r'X509v3 CRL Number:\s*\n\s*(\d+)', text).group(1))
        entries = {}
        for part in text.split('Serial Number: ')[1:]:
            reason = re.search(r'CRL Reason Code:\s*\n\s*([^\n]+)', part)
            entries[part.split()[0].lower()] = reason.group(1).strip() if reason else None
        return number, entries

    def fetch_list(self, ca):
        """What smki-httpd serves: it never goes back."""
        with urllib.request.urlopen(f'http://{self.a.http}/crl/{ca}.crl', timeout=20) as answer:
            data = answer.read()
        path = os.path.join(self.a.work, f'served-{ca}.crl')
        with open(path, 'wb') as f:
            f.write(data)
        number, entries = self.parse_list(path)
        self.note_list(ca, number, data, 'served')
        require(number >= self.served.get(ca, 0),
                f'crl of ca {ca}: number {number} is served after {self.served.get(ca)}')
        self.served[ca] = number
        return number, entries, data

    def check_lists(self, db):
        # smkid may be writing a list just now: that one does not stay.
        left = glob.glob(os.path.join(self.a.home, 'crl', '*.new'))
        wait_until(f'end of {left}, left over after a start', LIST_S,
                   lambda: not any(os.path.exists(path) for path in left))
        for ca_id, ca in db.execute('SELECT id, name FROM ca').fetchall():
            rows = db.execute('SELECT number, event, sha256 FROM crl WHERE ca = ? '
                              'ORDER BY number', (ca_id,)).fetchall()
            numbers = [r[0] for r in rows]
            require(numbers == list(range(1, len(rows) + 1)), f'crl numbers of {ca}: {numbers}')
            require(len(rows) >= self.newest.get(ca, 0), f'crl numbers of {ca} went back')
            self.newest[ca] = len(rows)
            finished = {r[0]: r for r in rows if r[1] is not None}
            for (of, number), digest in self.lists.items():
                if of == ca:
                    require(number in finished, f'{ca}-{number}.crl was seen, not recorded')
                    require(finished[number][2] == digest,
                            f'{ca}-{number}.crl: recorded with other octets than seen')
            wait_until(f'the newest list of {ca} is its file', LIST_S,
                       lambda: self.newest_is_there(db, ca_id, ca))

    def newest_is_there(self, db, ca_id, ca):
        """The list recorded last is published, octet for octet."""
        number, size, sha256 = db.execute(
            'SELECT number, size, sha256 FROM crl WHERE ca = ? AND event IS NOT NULL '
            'ORDER BY number DESC LIMIT 1', (ca_id,)).fetchone()
        path = os.path.join(self.a.home, 'crl', f'{ca}-{number}.crl')
        try:
            with open(path, 'rb') as f:
                data = f.read()
        except FileNotFoundError:
            return False
        require(len(data) == size and hashlib.sha256(data).digest() == sha256,
                f'{path}: is not what was recorded')
        require(self.parse_list(path)[0] == number, f'{path}: its number is another one')
        return True

    def check_fresh_list(self):
        """A new list agrees with the states, has a number of its own, and is the one served."""
        before = self.newest['issuing']
        path = os.path.join(self.a.work, 'fresh.crl')
        require(self.a.crl(path), 'crl: smkid is not there')
        number, entries = self.parse_list(path)
        require(number > before, f'crl: number {number} after {before}')
        with open(path, 'rb') as f:
            data = f.read()
        self.note_list('issuing', number, data, 'smki crl')
        db = self.database()
        wanted = {serial.hex() for serial, in db.execute(
            "SELECT c.serial FROM certificate_now c JOIN ca ON ca.id = c.ca "
            "WHERE ca.name = 'issuing' AND c.state <> 0")}
        db.close()
        require(set(entries) == wanted, 'crl: lists other certificates than the database')
        for meter in self.a.meters:
            if meter.state == HOLD:
                require(entries[meter.serial] == 'Certificate Hold',
                        f'crl: {meter.serial} is listed with {entries[meter.serial]}')
        if self.a.http is not None:
            at, _, served = self.fetch_list('issuing')
            require(at >= number, f'crl: number {at} is served, {number} was published')
            require(at > number or served == data, 'crl: served with other octets')

    # ---- the database ----

    def check_whole(self, db):
        def none(sql, what):
            rows = db.execute(sql).fetchall()
            require(not rows, f'{what}: {rows[:5]}')

        require(db.execute('PRAGMA integrity_check').fetchall() == [('ok',)], 'integrity_check')
        none('PRAGMA foreign_key_check', 'foreign_key_check')
        first, last, n = db.execute('SELECT min(id), max(id), count(*) FROM event').fetchone()
        require(first == 1 and last == n, f'events 1..{last} are {n}')
        require(n >= self.events, f'{n} events, there were {self.events}')
        self.events = n
        none('SELECT ca, serial FROM certificate GROUP BY ca, serial HAVING count(*) > 1',
             'one serial twice')
        none('SELECT key_hash FROM certificate GROUP BY key_hash HAVING count(*) > 1',
             'one key with two certificates')
        none('SELECT id FROM certificate EXCEPT SELECT certificate FROM certificate_der',
             'a certificate without its octets')
        none('SELECT certificate FROM certificate_der EXCEPT SELECT id FROM certificate',
             'octets without their certificate')
        none("SELECT certificate FROM event WHERE action = 'issue' GROUP BY certificate "
             'HAVING count(*) <> 1', 'not one issue event')
        none("SELECT c.id FROM certificate c LEFT JOIN event e ON e.id = c.issue_event "
             "WHERE e.certificate IS NOT c.id OR e.action <> 'issue' "
             "OR e.to_state <> c.issued_state OR e.time <> c.issued",
             'a row that is not its issue event')
        none("SELECT id FROM event WHERE action = 'issue' "
             'EXCEPT SELECT issue_event FROM certificate', 'an issue event of nothing')
        none('SELECT c.id FROM (SELECT certificate, max(id) AS id FROM event '
             'WHERE to_state IS NOT NULL GROUP BY certificate) newest '
             'CROSS JOIN event e ON e.id = newest.id '
             'CROSS JOIN certificate_now c ON c.id = newest.certificate '
             'WHERE e.id <> c.event OR e.to_state <> c.state OR e.reason IS NOT c.reason '
             'OR e.time <> c.changed OR e.invalid_since IS NOT c.invalid_since',
             'a state that is not its newest event')
        # each change begins where the one before it ended
        none('SELECT id FROM (SELECT id, from_state, lag(to_state) OVER '
             '(PARTITION BY certificate ORDER BY id) AS was FROM event '
             'WHERE to_state IS NOT NULL) WHERE from_state IS NOT was', 'a change from nowhere')
        now = ('SELECT ca, event, id, serial, state, reason, changed, invalid_since, shard '
               'FROM certificate_now WHERE state <> 0')
        listed = ('SELECT ca, event, certificate, serial, state, reason, changed, invalid_since, '
                  'shard FROM listed')
        none(f'{now} EXCEPT {listed}', 'is not valid, and not listed')
        none(f'{listed} EXCEPT {now}', 'is listed as what it is not')
        none('SELECT t.ca, t.state FROM tally t WHERE t.n <> (SELECT count(*) '
             'FROM certificate_now c WHERE c.ca = t.ca AND c.state = t.state)',
             'a tally that does not count')

    def rows(self, db):
        return {key: (id_, state, reason, since, der) for id_, key, state, reason, since, der
                in db.execute('SELECT c.id, c.key_hash, c.state, c.reason, c.invalid_since, d.der '
                              'FROM certificate_now c '
                              'JOIN certificate_der d ON d.certificate = c.id')}

    def check_meter(self, db, meter, row):
        if row is None:
            require(not meter.told, f'{meter.name}: a certificate that left is not recorded')
            require(not meter.done, f'{meter.name}: is not recorded')
            meter.state = None
            return
        id_, state, reason, since, der = row
        require(meter.told <= {der}, f'{meter.name}: recorded with other octets than it left with')
        events = db.execute('SELECT action, to_state, reason, invalid_since, actor FROM event '
                            'WHERE certificate = ? ORDER BY id', (id_,)).fetchall()
        done = [('issue', HOLD if meter.on_hold else VALID)]
        done += [(c[0], STATE_AFTER[c[0]]) for c in meter.done]
        if meter.pending is not None and len(events) == len(done) + 1:
            # It was not acknowledged, and happened: then all of it.
            meter.done.append(meter.pending)
            done.append((meter.pending[0], STATE_AFTER[meter.pending[0]]))
        meter.pending = None
        require([e[:2] for e in events] == done,
                f'{meter.name}: events {[e[:2] for e in events]}, acknowledged {done}')
        require(all(e[4] == os.getuid() for e in events), f'{meter.name}: events of another actor')
        require(state == done[-1][1], f'{meter.name}: state {state} after {done}')
        if state == REVOKED:
            last = meter.done[-1]
            require(reason == REASONS[last[1] or 'unspecified'] and since == last[2],
                    f'{meter.name}: revoked for {reason} since {since}, asked for {last}')
        meter.state, meter.serial = state, serial_of(der).hex()

    def check_database(self):
        """After a start. Brings what is known of the meters up to what was not acknowledged."""
        db = self.database()
        self.check_whole(db)
        self.note_files()
        self.check_lists(db)
        rows = self.rows(db)
        known = {m.key_hash for m in self.a.meters if m.asked}
        fresh = []
        for meter in self.a.meters:
            self.check_meter(db, meter, rows.get(meter.key_hash))
            row = rows.get(meter.key_hash)
            if row is not None and meter.name not in self.verified:
                fresh.append((meter.name, row[4]))
        strangers = db.execute('SELECT count(*) FROM certificate c JOIN holder h '
                               'ON h.id = c.holder WHERE h.kind = 1').fetchone()[0]
        require(strangers == sum(k in rows for k in known), 'certificates nobody asked for')
        db.close()
        self.verify(fresh)

    def verify(self, fresh):
        """Nothing recorded as issued is unsigned."""
        paths = []
        for name, der in fresh:
            paths.append(self.pem_path(name))
            with open(paths[-1], 'wb') as f:
                f.write(der)
            self.verified.add(name)
        if paths:
            openssl('verify', '-x509_strict', '-CAfile', self.a.ca_file('root'), '-untrusted',
                    self.a.ca_file('issuing'), *paths)

    def pem_path(self, name):
        return os.path.join(self.a.requests, name + '.cer')

    # ---- afterwards ----

    def check_again(self, meter):
        """The same request gives exactly one certificate."""
        status, out, err = self.a.smki('issue', meter.request)
        db = self.database()
        rows = db.execute('SELECT c.state, d.der FROM certificate_now c '
                          'JOIN certificate_der d ON d.certificate = c.id WHERE c.key_hash = ?',
                          (meter.key_hash,)).fetchall()
        db.close()
        require(len(rows) == 1, f'{meter.name}: {len(rows)} certificates for one key')
        if meter.state == REVOKED:
            require(status == 73 and not out, f'{meter.name}: issue after revoke: {status} {err}')
            return
        require(status == 0, f'{meter.name}: issue again: exit {status}: {err.strip()}')
        der = certificate_of(out)
        require(der == rows[0][1], f'{meter.name}: other octets than recorded')
        require(meter.told <= {der}, f'{meter.name}: a second certificate for one key')
        meter.told.add(der)
        if meter.state is None:
            # Made just now, and without --on-hold.
            meter.on_hold, meter.state = False, rows[0][0]
            meter.serial = serial_of(der).hex()
            require(meter.state == VALID, f'{meter.name}: issued in state {meter.state}')

    def check_served(self, meters):
        """OCSP says what was acknowledged, and a list is there; with and without smkid."""
        for ca in 'root', 'issuing':
            try:
                self.fetch_list(ca)
            except urllib.error.URLError as e:
                require(False, f'crl of ca {ca} is not served: {e}')
        wanted = {VALID: ('good',), HOLD: ('revoked',), REVOKED: ('revoked',)}
        # What was not acknowledged may be either.
        meters = [m for m in meters if m.state is not None and m.pending is None]
        for at in range(0, len(meters), ASK_AT_ONCE):
            group = meters[at:at + ASK_AT_ONCE]
            args = []
            for m in group:
                args += ['-serial', '0x' + m.serial]
            text = openssl('ocsp', '-issuer', self.a.ca_file('issuing'), '-CAfile',
                           self.a.ca_file('chain'), '-url', f'http://{self.a.http}/ocsp', *args)
            require('Response verify OK' in text, f'ocsp:\n{text}')
            for m in group:
                got = re.search(r'^0x%s: (\w+)' % m.serial, text, re.M)
                require(got is not None and got.group(1) in wanted[m.state],
                        f'ocsp: {m.serial} is {got and got.group(1)}, state {m.state}')
