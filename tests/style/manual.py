#!/usr/bin/env python3
"""The manual pages and the sources name the same verbs, options, keys and exit statuses."""
import glob
import os
import re
import sys

import tree


def block(text, begin, end):
    """What stands between two marks; the empty string when the first is not there."""
    at = text.find(begin)
    return '' if at < 0 else text[at:text.index(end, at)]


def compare(findings, page, what, in_source, in_page):
    for name in sorted(in_source - in_page):
        findings.add(page, 0, f'{what} {name} is not described')
    for name in sorted(in_page - in_source):
        findings.add(page, 0, f'{what} {name} does not exist')


def main():
    root = sys.argv[1]
    findings = tree.Findings()
    page1, page5 = 'docs/smki.1', 'docs/smki.conf.5'
    man1, man5 = tree.text(root, page1), tree.text(root, page5)
    programs = ''.join(
        tree.text(root, os.path.relpath(path, root))
        for room in ('cli', 'smkid', 'httpd')
        for path in sorted(glob.glob(os.path.join(root, 'src', room, '*.c'))))
    table = block(tree.text(root, 'src/cli/main.c'), 'main_verbs[] = {', '\n};')

    verbs = set(re.findall(r'^\t\{ "([a-z-]+)",', table, re.M))
    compare(findings, page1, 'verb', verbs,
            set(re.findall(r'^\.It Ic ([a-z-]+)', block(man1, '.Sh VERBS', '.Ss'), re.M)))

    options = set(re.findall(r'\{ "([a-z-]+)", (?:required|no)_argument,', programs))
    compare(findings, page1, 'option', options,
            set(re.findall(r'(?:Fl|\|) -([a-z-]+)', man1)))
    compare(findings, 'src/cli/main.c', 'option',
            options - {'home', 'json', 'help', 'version', 'front-fd', 'debug'},
            set(re.findall(r'--([a-z-]+)', table)))

    statuses = block(tree.text(root, 'include/smki/err.h'), 'enum exit_status', '};')
    compare(findings, page1, 'exit status', set(re.findall(r'= (\d+),', statuses)),
            set(re.findall(r'^\.It (\d+)$', block(man1, '.Sh EXIT STATUS', '.Sh EXAMPLES'), re.M)))

    keys = set(re.findall(r'^\t\{ "([a-z *]+)", "([a-z0-9_]+)" \},',
                          tree.text(root, 'src/service/home_conf.c'), re.M))
    described, section = set(), None
    for line in man5.split('\n'):
        if line.startswith('.Ss ['):
            section = line[5:-1].replace(' NAME', ' *')
        elif line.startswith('.Sh'):
            section = None
        elif line.startswith('.It Cm ') and section is not None:
            described.add((section, line[7:]))
    compare(findings, page5, 'key', {f'[{s}] {k}' for s, k in keys},
            {f'[{s}] {k}' for s, k in described})
    findings.end(len(verbs) * len(options) * len(keys))


main()
