#!/usr/bin/env python3
"""docs/openapi.yaml and the tables of routes in the source name the same paths and methods."""
import re
import sys

import tree

try:
    import yaml
except ImportError:
    print('python3-yaml is not installed')
    sys.exit(77)

DOC = 'docs/openapi.yaml'
ROUTES, EST = 'src/httpd/route.c', 'src/httpd/route_est.c'
ROW = re.compile(r'^\t\{ "(/[^"]*)", (true|false), (\w+), WORK_\w+, ([^,]+), \w+,\s*([A-Z_| ]+),', re.M)
EST_ROW = re.compile(r'^\t\{ "([a-z]+)", (\w+),', re.M)
METHODS = {'READING': 'get', 'EST_READING': 'get', 'HTTP_POST': 'post'}


def block(text, begin):
    at = text.index(begin)
    return text[at:text.index('\n};', at)]


def covers(path, prefix, described):
    """A route that is a prefix answers what is described with a parameter behind it."""
    return described == path or (prefix and described.startswith(path + '{'))


def references(node, where=''):
    """Each $ref of the document with its place."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == '$ref':
                yield where, value
            yield from references(value, f'{where}/{key}')
    elif isinstance(node, list):
        for i, value in enumerate(node):
            yield from references(value, f'{where}/{i}')


def main():
    root = sys.argv[1]
    findings = tree.Findings()
    doc = yaml.safe_load(tree.text(root, DOC))
    source = tree.text(root, ROUTES)
    table = block(source, 'routes[] = {')
    media = dict(re.findall(r'^#define (\w+) ("[^"]*")$', source, re.M))
    rows = [(p, prefix == 'true', METHODS[m], media.get(t, t).strip('"'), on)
            for p, prefix, m, t, on in ROW.findall(table)]
    if len(rows) != table.count('WORK_'):
        findings.add(ROUTES, 0, 'a row of the table does not look like the others')
    asked = {(path, method): op for path, item in doc['paths'].items()
             for method, op in item.items() if method in ('get', 'post', 'put', 'delete', 'head')}

    for path, prefix, method, wanted, on in rows:
        found = [(d, m) for d, m in asked if m == method and covers(path, prefix, d)]
        if not found:
            findings.add(DOC, 0, f'{method} {path} is not described')
        for d, m in found:
            servers = doc['paths'][d].get('servers', doc['servers'])
            schemes = {s['url'].split(':')[0] for s in servers}
            if schemes != {w for w, bit in (('http', 'ON_HTTP'), ('https', 'ON_HTTPS'))
                           if re.search(rf'\b{bit}\b', on)}:
                findings.add(DOC, 0, f'{m} {d} is described on the wrong listener')
            content = asked[d, m].get('requestBody', {}).get('content', {})
            if wanted != 'NULL' and list(content) != [wanted]:
                findings.add(DOC, 0, f'{m} {d} does not take {wanted}')
    for d, m in asked:
        if not any(m == method and covers(path, prefix, d)
                   for path, prefix, method, _, _ in rows):
            findings.add(DOC, 0, f'{m} {d} does not exist')

    operations = {name: METHODS[m] for name, m in
                  EST_ROW.findall(block(tree.text(root, EST), 'est_ops[] = {'))}
    for (d, m), op in asked.items():
        if '{operation}' not in d:
            continue
        listed = {v for p in op['parameters'] if p['name'] == 'operation'
                  for v in p['schema']['enum']}
        if listed != set(operations):
            findings.add(DOC, 0, f'{m} {d}: operations {sorted(listed ^ set(operations))}')
        for name, method in operations.items():
            if (name in op['summary']) != (m == method):
                findings.add(DOC, 0, f'{m} {d}: {name} is a matter of {method}')
    for where, target in references(doc):
        node = doc
        for part in target.lstrip('#/').split('/'):
            node = node.get(part, {}) if isinstance(node, dict) else {}
        if not node:
            findings.add(DOC, 0, f'{where}: {target} is not there')
    findings.end(len(rows) * len(asked) * len(operations))


main()
