#!/usr/bin/env python3
"""Name the tests of a run that did not pass, with the end of what each said.

    failed.py BUILD_DIR     reads meson-logs/testlog.json
"""

import json
import os
import sys

PASSED = ("OK", "SKIP", "EXPECTEDFAIL")
LINES_MAX = 40


def main():
    build = sys.argv[1]
    with open(os.path.join(build, "meson-logs", "testlog.json"), encoding="utf-8") as log:
        for line in log:
            test = json.loads(line)
            if test["result"] in PASSED:
                continue
            print(f"{build}: {test['name']}: {test['result']}, {test['duration']:.1f} s")
            said = (test.get("stdout", "") + test.get("stderr", "")).splitlines()
            for text in said[-LINES_MAX:]:
                print(f"    {text}")


main()
