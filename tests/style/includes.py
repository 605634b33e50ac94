#!/usr/bin/env python3
"""Which file may include which.

base <- core <- service, base <- io <- service, service <- programs; private headers stay in their
folder; core knows no clock, file, thread, database or token; only programs log; each vendor header
stands in one .c file and in no header.
"""
import os
import re
import sys

import tree

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)

MAY = {
    'base': {'base'},
    'core': {'base', 'core'},
    'io': {'base', 'io'},
    'service': {'base', 'core', 'io', 'service'},
}
PROGRAMS = ('smkid', 'httpd', 'cli')
for program in PROGRAMS:
    MAY[program] = MAY['service']

# Public headers whose name is not that of a source file of their room.
ROOM_OF = {'embed': 'base', 'fault': 'base'}

# core is handed the time, bytes and keys.
CORE_NOT_OURS = {'clock', 'log', 'rng', 'fault', 'embed'}
CORE_NOT_SYSTEM = re.compile(
    r'^(threads|unistd|fcntl|dirent|fts|signal|poll|dlfcn|spawn|semaphore|syslog)\.h$|'
    r'^(sys|netinet)/(?!types\.h$)')
CORE_NOT_CALLED = re.compile(
    r'\b(time|clock_gettime|gettimeofday|localtime|localtime_r|fopen|open|read|write|printf|puts|'
    r'fprintf|perror|getenv|rand|random|getrandom|RAND_bytes|'
    # Per-thread contexts (pthread_key, pthread_once) are no threads.
    r'pthread_create|pthread_(mutex|cond|rwlock)_\w+)\s*\(')

# Vendor header: the rooms it may stand in.
VENDORS = {
    'sqlite3.h': {'io'},
    'libp11.h': {'io'},
    'pkcs11.h': {'io'},
    'microhttpd.h': {'httpd'},
}


def room_of_headers(root):
    """include/smki/X.h belongs to the room that has X.c or X_part.c."""
    rooms = {}
    stems = {room: [os.path.splitext(n)[0] for n in os.listdir(os.path.join(root, 'src', room))
                    if n.endswith('.c')] for room in ('base', 'core', 'io', 'service')}
    for name in os.listdir(os.path.join(root, 'include', 'smki')):
        stem = os.path.splitext(name)[0]
        whole = [r for r in stems if stem in stems[r]]
        part = [r for r in stems if any(s.startswith(stem + '_') for s in stems[r])]
        rooms[stem] = ROOM_OF.get(stem) or (whole or part or [None])[0]
    return rooms


def without_comments(text):
    """Comments and string literals blanked out, lines kept."""
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(\\.|[^"\\\n])*"',
                  lambda m: re.sub(r'[^\n]', ' ', m.group(0)), text, flags=re.S)


def main():
    root = sys.argv[1]
    rooms = room_of_headers(root)
    findings = tree.Findings()
    vendors = {vendor: [] for vendor in VENDORS}
    looked_at = 0

    for stem, room in rooms.items():
        if room is None:
            findings.add(f'include/smki/{stem}.h', 1, 'belongs to no room of src/')
    for path in tree.files(root, ('src', 'include'), ()):
        if not path.endswith(('.c', '.h')):
            continue
        looked_at += 1
        stem, ext = os.path.splitext(os.path.basename(path))
        public = path.startswith('include')
        room = rooms.get(stem) if public else path.split(os.sep)[1]
        text = tree.text(root, path)

        for m in INCLUDE.finditer(text):
            line = text.count('\n', 0, m.start()) + 1
            kind, name = m.groups()
            bare = os.path.basename(name)
            if bare in VENDORS:
                if ext == '.h':
                    findings.add(path, line, f'{bare} in a header')
                elif room not in VENDORS[bare]:
                    findings.add(path, line, f'{bare} in room {room}')
                else:
                    vendors[bare].append(path)
            if name.startswith('smki/'):
                target = os.path.splitext(bare)[0]
                if target not in rooms:
                    findings.add(path, line, f'{name} does not exist')
                elif room in MAY and rooms[target] not in MAY[room]:
                    findings.add(path, line, f'{room} includes {name} of {rooms[target]}')
                if room == 'core' and target in CORE_NOT_OURS:
                    findings.add(path, line, f'core includes {name}')
                if target == 'log' and room not in PROGRAMS and path != 'src/base/log.c':
                    findings.add(path, line, 'only programs log')
            elif kind == '"':
                if public or '/' in name or not os.path.isfile(
                        os.path.join(root, os.path.dirname(path), name)):
                    findings.add(path, line, f'"{name}" is not a private header of this folder')
            elif room == 'core' and CORE_NOT_SYSTEM.search(name):
                findings.add(path, line, f'core includes <{name}>')
        if room == 'core' and not public:
            code = without_comments(text)
            for m in CORE_NOT_CALLED.finditer(code):
                findings.add(path, code.count('\n', 0, m.start()) + 1, f'core calls {m.group(1)}()')
    for vendor, where in vendors.items():
        if len(where) != 1:
            findings.add('src', 0, f'{vendor} is in {len(where)} files: {" ".join(where)}')
    findings.end(looked_at)


main()
