#!/usr/bin/env python3
"""Name the tests of a run that did not pass, with what each said at its end, and from a
sanitizer's report on.

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
            return lines[i:i + LINES_MAX]
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
            for line in log:
                test = json.loads(line)
                if test["result"] not in PASSED:
                    show(build, test)
                    named += 1
    except (OSError, ValueError) as why:
        print(f"{build}: {why}")
    if named == 0:
        print(f"{build}: no test is named as failed; the run itself did not go well")


main()
