#!/bin/sh
# clang-format has nothing to change. Versions differ in what they do with one .clang-format, so
# only version 14 (Debian 12) judges; with another, or none, the test is skipped.
#
#   format.sh ROOT
set -eu
cd "$1"

version=$(clang-format --version 2>/dev/null | sed -n 's/.*version \([0-9]*\)\..*/\1/p')
if [ "$version" != 14 ]; then
	echo "clang-format 14 is wanted, here is: ${version:-none}"
	exit 77
fi
files=$(find src include tests tools -name corpus -prune -o -name '*.[ch]' -print | sort)
n=0 bad=0
for f in $files; do
	n=$((n + 1))
done
# One process for all is quick; a name each only when there is something to name.
# shellcheck disable=SC2086
clang-format --style=file --dry-run -Werror $files >/dev/null 2>&1 || for f in $files; do
	clang-format --style=file "$f" | cmp -s - "$f" && continue
	echo "$f: clang-format -i changes it"
	bad=$((bad + 1))
done
echo "$n looked at, $bad bad"
[ "$n" -gt 0 ] && [ "$bad" -eq 0 ]
