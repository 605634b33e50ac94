"""Walk of the source tree and the list of findings, shared by the checks of this folder."""
import os
import sys

TOPS = ('src', 'include', 'tests', 'tools', 'schema', 'policies', 'hsm', 'docs', '.ci')
LOOSE = ('meson.build', 'meson_options.txt', 'README.md')
SKIP_DIRS = {'corpus', '__pycache__'}


def files(root, tops=TOPS, loose=LOOSE):
    """Paths relative to root of all files that people write, in order."""
    found = [name for name in loose if os.path.isfile(os.path.join(root, name))]
    for top in tops:
        for folder, dirs, names in os.walk(os.path.join(root, top)):
            dirs[:] = sorted(d for d in dirs if d not in SKIP_DIRS)
            for name in sorted(names):
                found.append(os.path.relpath(os.path.join(folder, name), root))
    return found


def text(root, path):
    with open(os.path.join(root, path), encoding='utf-8') as f:
        return f.read()


class Findings:
    def __init__(self):
        self.n = 0

    def add(self, path, line, what):
        print(f'{path}:{line}: {what}')
        self.n += 1

    def end(self, looked_at):
        """Exit status; a check that looked at nothing has failed."""
        print(f'{looked_at} looked at, {self.n} findings')
        sys.exit(1 if self.n or not looked_at else 0)
