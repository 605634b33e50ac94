#!/bin/sh
# The manual pages are sound mdoc. mandoc judges; without it groff's warnings do; without both the
# test is skipped.
#
#   manlint.sh ROOT
set -eu
cd "$1/docs"

if command -v mandoc >/dev/null; then
	exec mandoc -T lint -W warning ./*.[158]
fi
if ! command -v groff >/dev/null; then
	echo "neither mandoc nor groff is installed"
	exit 77
fi
out=$(mktemp)
trap 'rm -f "$out"' EXIT
for f in *.[158]; do
	groff -mdoc -Tascii -ww -b "$f" >/dev/null 2>>"$out" || echo "$f: groff failed" >>"$out"
done
cat "$out"
[ ! -s "$out" ]
