#!/bin/sh
# cppcheck finds nothing. What it is told to leave out stands, with the reason, in cppcheck.supp
# or beside the line.
#
#   cppcheck.sh ROOT BUILD
set -eu
cd "$1"
cache=$2/cppcheck

if ! command -v cppcheck >/dev/null; then
	echo "cppcheck is not installed"
	exit 77
fi
cppcheck --version
mkdir -p "$cache"
exec cppcheck --quiet --enable=warning,portability,performance --inline-suppr --error-exitcode=1 \
    --std=c11 --library=posix --suppressions-list=tests/style/cppcheck.supp \
    --cppcheck-build-dir="$cache" -j 2 -D_GNU_SOURCE -DSMKI_VERSION='"0"' -I include -I tests/unit \
    -i tests/corpus src tools tests
