#!/usr/bin/env python3
"""The form of source files: heads, sizes, leftovers, sleeps."""
import os
import re
import sys

import tree

FILE_LINES = 600
FUNCTION_LINES = 80
# Brackets keep these lines from finding themselves.
LEFTOVER = re.compile(r'\b(TO[D]O|FIX[M]E|XX[X]|HAC[K])\b')
ELSEWHERE = re.compile(r'/wor[k]/|\bissue [#]|\b(design|standards|libraries|style-anchors)\.[m]d\b')
# A call; a definition begins its line (a test may put time of its own in sleep's place).
C_SLEEP = re.compile(r'\W(u|nano|clock_nano)?sleep\s*\(')
PY_SLEEP = re.compile(r'\bsleep\s*\(')
SH_SLEEP = re.compile(r'(^|[;&|\s])sleep\s')
LOOP = re.compile(r'\b(for|while|until|do)\b')
# The faulty token plays a slow one: that is its fault, not a wait of a test.
MAY_SLEEP = os.path.join('tests', 'hsm', 'shim')
TEXT = ('.c', '.h', '.py', '.sh', '.build', '.md', '.sql', '.cnf', '.txt', '.1', '.5')


def is_shell(path, text):
    return path.endswith('.sh') or re.match(r'#!\s*/bin/(ba)?sh', text) is not None


def functions(lines):
    """(name, first line, number of lines) of each function: KNF puts its braces in column 0."""
    for i, line in enumerate(lines):
        if line != '{':
            continue
        start = i
        while start > 0 and not re.match(r'[A-Za-z_]\w*\(', lines[start]):
            start -= 1
        end = i
        while end + 1 < len(lines) and lines[end] != '}':
            end += 1
        yield lines[start].split('(')[0], start + 1, end - start + 1


def check_c(path, lines, findings):
    if not lines or not lines[0].startswith('/*'):
        findings.add(path, 1, 'does not begin with a comment that says what it is')
    if len(lines) > FILE_LINES:
        findings.add(path, len(lines), f'{len(lines)} lines, over {FILE_LINES}')
    for name, first, n in functions(lines):
        if n > FUNCTION_LINES:
            findings.add(path, first, f'{name} has {n} lines, over {FUNCTION_LINES}')
    if path.endswith('.h'):
        guards = [line for line in lines if line.startswith('#ifndef')]
        if not guards or f'#define {guards[0].split()[1]}' not in lines:
            findings.add(path, 1, 'has no include guard')


def in_loop(lines, i):
    """A wait for a condition looks again every so often: some block around line i is a loop."""
    def depth(line):
        return len(line) - len(line.lstrip())

    around = depth(lines[i])
    while i > 0 and around > 0:
        i -= 1
        if lines[i].strip() and depth(lines[i]) < around:
            around = depth(lines[i])
            if LOOP.search(lines[i]):
                return True
    return False


def check_sleep(path, lines, findings, pattern, exact=None):
    for i, line in enumerate(lines):
        if not pattern.search(line) or line.lstrip().startswith(('#', '*', '/*')):
            continue
        if exact is not None and line.strip() != exact:
            findings.add(path, i + 1, f'a sleep other than "{exact}" of a wait for a condition')
        elif not in_loop(lines, i):
            findings.add(path, i + 1, 'a sleep outside a wait for a condition')


def main():
    root = sys.argv[1]
    findings = tree.Findings()
    looked_at = 0

    for path in tree.files(root):
        ext = os.path.splitext(path)[1]
        try:
            text = tree.text(root, path)
        except UnicodeDecodeError:
            if ext in TEXT:
                findings.add(path, 1, 'is not UTF-8')
            continue
        looked_at += 1
        lines = text.split('\n')
        if lines[-1] == '':
            lines.pop()
        elif lines != ['']:
            findings.add(path, len(lines), 'does not end with a line end')
        for i, line in enumerate(lines):
            if line != line.rstrip():
                findings.add(path, i + 1, 'white space at the end of the line')
            if LEFTOVER.search(line):
                findings.add(path, i + 1, f'leftover: {LEFTOVER.search(line).group(0)}')
            if ELSEWHERE.search(line):
                findings.add(path, i + 1, f'speaks of {ELSEWHERE.search(line).group(0)}')
        if ext in ('.c', '.h'):
            check_c(path, lines, findings)
        in_tests = path.split(os.sep)[0] in ('tests', 'tools')
        if path.startswith(MAY_SLEEP):
            continue
        if in_tests and ext in ('.c', '.h'):
            check_sleep(path, lines, findings, C_SLEEP)
        elif in_tests and ext == '.py':
            check_sleep(path, lines, findings, PY_SLEEP)
        elif is_shell(path, text):
            check_sleep(path, lines, findings, SH_SLEEP, 'sleep 0.1')
    findings.end(looked_at)


main()
