#!/usr/bin/env python3
"""SIGKILL of smkid, at every fault point and at random moments, under concurrent clients; after
each the promises of checks.py.

    kill.py BUILD SOURCE CRASH [--random N] [--seed S] [--no-points]

CRASH: smkid linked with the fault points that kill. N: kills at random moments.
"""
import argparse
import os
import random
import re
import shutil
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True

from authority import HOLD, REVOKED, VALID, Authority, Broken, require, wait_until  # noqa: E402
from checks import Checks, REASONS  # noqa: E402

# Which passages of a fault point kill.
PASSAGES = {
    'commit.begin': (1, 4), 'commit.applied': (1, 4), 'commit.done': (1, 4),
    'issue.checked': (1, 4), 'issue.signed': (1, 4), 'issue.applied': (1, 4),
    'issue.committed': (1, 4),
    'status.applied': (1, 4), 'status.committed': (1, 4),
    # The first pass is that of the start.
    'checkpoint.begin': (2,), 'checkpoint.copied': (2,),
    'crl.taken': (1, 2), 'crl.streamed': (1,), 'crl.written': (1, 2), 'crl.finished': (1, 2),
    'crl.renamed': (1, 2),
}
# Those that a list signed by the root passes too.
ROOT_POINTS = ('crl.written', 'crl.finished', 'crl.renamed')
CLIENTS = 4
FRESH = 3  # requests a client brings to a round
KEPT = 12  # older certificates whose state changes in a round
REACHED_S = 30


def points_of(source):
    """The fault points that stand in the sources: one without a row above fails the test."""
    found = set()
    for folder, _, names in os.walk(os.path.join(source, 'src')):
        for name in names:
            if name.endswith('.c'):
                with open(os.path.join(folder, name), encoding='utf-8') as f:
                    found |= set(re.findall(r'\bfault_point\("([^"]+)"\)', f.read()))
    return found


class Round:
    """Concurrent clients against one life of smkid."""

    def __init__(self, authority, rng, n):
        self.a, self.rng, self.n = authority, rng, n
        self.answers = 0
        self.lock = threading.Lock()
        self.error = None
        older = [m for m in authority.meters if m.state in (VALID, HOLD)]
        self.older = rng.sample(older, min(KEPT, len(older)))
        self.fresh = authority.new_meters(CLIENTS * FRESH)
        self.touched = self.older + self.fresh
        # Two clients with the same request at the same moment.
        self.twin = self.fresh[-1]

    def count(self):
        with self.lock:
            self.answers += 1

    def step(self, ok):
        if ok:
            self.count()
        return ok

    def life(self, meter, at):
        """A state change of meter. False = smkid is gone."""
        if meter.state == HOLD:
            return self.a.change(meter, 'reactivate')
        if (at + self.n) % 3 == 0:
            reason = list(REASONS)[(at + self.n) % len(REASONS)]
            return self.a.change(meter, 'revoke', reason, int(time.time()) - 3600)
        return self.a.change(meter, 'hold')

    def client(self, who):
        a = self.a
        older, fresh = self.older[who::CLIENTS], self.fresh[who:-1:CLIENTS]
        if who < 2 and not self.step(a.issue(self.twin)):
            return
        for at in range(max(len(older), len(fresh))):
            if at < len(fresh) and not self.step(a.issue(fresh[at])):
                return
            if at < len(older) and not self.step(self.life(older[at], who + at)):
                return
            if who == 0 and not self.step(a.crl(os.path.join(a.work, f'asked-{at}.crl'))):
                return
        for at, meter in enumerate(fresh):
            if meter.state != REVOKED and not self.step(self.life(meter, who + at)):
                return

    def guarded(self, who):
        try:
            self.client(who)
        except Exception as e:  # told by run()
            self.error = self.error or e

    def run(self, during=None):
        threads = [threading.Thread(target=self.guarded, args=(who,)) for who in range(CLIENTS)]
        for t in threads:
            t.start()
        if during is not None:
            during()
        for t in threads:
            t.join()
        if self.error is not None:
            raise self.error


class Kill:
    def __init__(self, options, work):
        self.a = Authority(options.build, work, os.path.abspath(options.crash))
        self.checks = Checks(self.a)
        self.rng = random.Random(options.seed)
        self.rounds = 0

    def begin(self):
        self.a.init()
        self.a.start()
        self.a.export()
        self.a.start_httpd()
        first = Round(self.a, self.rng, 0)
        first.run()
        self.after(first)

    def after(self, one):
        """smkid runs again."""
        c = self.checks
        c.check_database()
        for meter in one.touched:
            if meter.asked:
                c.check_again(meter)
        c.check_fresh_list()
        c.check_served(one.touched)
        self.rounds += 1

    def dead(self, one):
        """smkid was killed: what stays served, then a start."""
        self.a.killed()
        self.checks.note_files()
        self.checks.check_served(one.touched)
        self.a.start()
        self.after(one)

    def point(self, name, passage):
        fault = f'{name}:{passage}'
        if self.a.alive():
            self.a.stop()
        one = Round(self.a, self.rng, self.rounds)
        self.a.start(fault)
        one.run()
        # A list may still be on its way by itself.
        wait_until(f'{fault} is reached', REACHED_S, lambda: not self.a.alive())
        self.dead(one)

    def root_point(self, name):
        self.a.stop()
        before = self.checks.newest['root']
        one = Round(self.a, self.rng, self.rounds)
        self.a.start(f'{name}:1')
        status, _, err = self.a.smki('ca', 'crl', 'root')
        require(status == 75, f'ca crl root: exit {status}: {err.strip()}')
        self.dead(one)
        require(self.checks.newest['root'] == before + 1, f'{name}: not passed by the root\'s list')
        self.a.must('ca', 'crl', 'root')
        self.checks.check_database()
        self.checks.check_served([])
        require(self.checks.served['root'] == before + 2, 'the root\'s new list is not served')

    def random(self):
        if not self.a.alive():
            self.a.start()
        one = Round(self.a, self.rng, self.rounds)
        wanted = self.rng.randrange(0, CLIENTS * FRESH * 2)
        more = self.rng.random() * 0.03

        def during():
            pause = threading.Event()
            deadline = time.monotonic() + REACHED_S
            while one.answers < wanted and one.error is None and time.monotonic() < deadline:
                pause.wait(0.001)
            pause.wait(more)
            self.a.smkid.kill()

        one.run(during)
        self.dead(one)


def parse(args):
    p = argparse.ArgumentParser()
    p.add_argument('build')
    p.add_argument('source')
    p.add_argument('crash')
    p.add_argument('--random', type=int, default=5)
    p.add_argument('--seed', type=int, default=None)
    p.add_argument('--no-points', action='store_true')
    options = p.parse_args(args)
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1 << 32)
    return options


def run(kill, options):
    kill.begin()
    if not options.no_points:
        for name in sorted(PASSAGES):
            for passage in PASSAGES[name]:
                kill.point(name, passage)
                print(f'{name}:{passage}', flush=True)
        for name in ROOT_POINTS:
            kill.root_point(name)
            print(f'{name} of the root', flush=True)
    for n in range(options.random):
        kill.random()
        if (n + 1) % 50 == 0 or n + 1 == options.random:
            print(f'{n + 1} random kills', flush=True)
    kill.a.stop()


def main():
    options = parse(sys.argv[1:])
    found = points_of(options.source)
    if found != set(PASSAGES):
        print(f'FAIL: fault points with and without a case differ: {found ^ set(PASSAGES)}')
        return 1
    work = tempfile.mkdtemp(prefix='smki-crash.')
    kill = Kill(options, work)
    try:
        run(kill, options)
    except Broken as e:
        kill.a.log.flush()
        with open(os.path.join(work, 'log'), encoding='utf-8', errors='replace') as f:
            print('--- log of the daemons:', *f.readlines()[-25:], sep='\n', end='')
        print(f'FAIL (round {kill.rounds}, --seed {options.seed}): {e}')
        return 1
    finally:
        kill.a.close()
        shutil.rmtree(work)
    issued = sum(m.state is not None for m in kill.a.meters)
    print(f'{kill.rounds} rounds, {issued} certificates, {kill.checks.events} events, '
          f'{len(kill.checks.lists)} lists')
    return 0


sys.exit(main())
