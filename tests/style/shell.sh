#!/bin/sh
# Every shell script of the tree parses.
#
#   shell.sh ROOT
set -eu
cd "$1"

bad=0 n=0
for f in $(find tools tests hsm .ci -type f -not -path '*/corpus/*' 2>/dev/null); do
	case $f in
	*.sh) ;;
	*)
		head -n 1 "$f" | grep -aq '^#! */bin/sh' || continue
		;;
	esac
	n=$((n + 1))
	sh -n "$f" || bad=$((bad + 1))
	case $(head -n 1 "$f") in
	'#!'*)
		if [ ! -x "$f" ]; then
			echo "$f: begins with #! and cannot be executed"
			bad=$((bad + 1))
		fi
		;;
	esac
done
echo "$n scripts, $bad bad"
[ "$n" -gt 0 ] && [ "$bad" -eq 0 ]
