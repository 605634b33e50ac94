#!/usr/bin/env python3
"""Name the tests of a run that did not pass, with the end of what each said and the beginning of a
sanitizer's report in it.

    failed.py BUILD_DIR     reads meson-logs/testlog.json
"""

import json
import os
import sys

PASSED = ("OK", "SKIP", "EXPECTEDFAIL")
LINES_MAX = 50
REPORTS = ("Sanitizer: ", "runtime error: ")


def said(text):
    lines = text.splitlines()
    for i, line in enumerate(lines):
        if any(report in line for report in REPORTS):
            report = lines[i:i + LINES_MAX]
            return report + lines[max(i + LINES_MAX, len(lines) - LINES_MAX):]
    return lines[-LINES_MAX:]


def show(build, test):
    print(f"{build}: {test['name']}: {test['result']}, {test['duration']:.1f} s")
    for stream in "stdout", "stderr":
        for line in said(test.get(stream, "")):
            print(f"    {line}")


def main():
    build, named = sys.argv[1], 0
    sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with open(os.path.join(build, "meson-logs", "testlog.json"), encoding="utf-8",
                  errors="replace") as log:
            tests = log.read().splitlines()
    except OSError as why:
        print(f"{build}: {why}")
        tests = []
    for line in tests:
        try:
            test = json.loads(line)
        except ValueError as why:
            print(f"{build}: {why}")
            continue
        if test["result"] not in PASSED:
            show(build, test)
            named += 1
    if named == 0:
        print(f"{build}: no test is named as failed; the run itself did not go well")


main()
