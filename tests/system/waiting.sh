#!/bin/sh
# An older database: smki-httpd waits for smkid to bring it up to date; by itself for half a minute,
# beside a smkid of its own for as long as that takes.
#
#   waiting.sh BUILD_ROOT SOURCE_ROOT
set -u
. "$2/tests/system/lib.sh"
needs faketime

# Its clock goes on by what stands in this file.
library=$(faketime -f +0 sh -c 'echo "$LD_PRELOAD"')
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0
export ASAN_OPTIONS
later() {
	echo "+$1" >"$work/clock.new"
	mv "$work/clock.new" "$work/clock"
}

# older STEP: the version that the database says it has goes on by so much. The end without a close
# leaves the files that a reader needs.
older() {
	"$python" -c 'import os, sqlite3, sys
db = sqlite3.connect(sys.argv[1])
version = db.execute("PRAGMA user_version").fetchone()[0] + int(sys.argv[2])
db.execute("PRAGMA user_version=%d" % version)
db.commit()
os._exit(0)' "$home/db/smki.db" "$1" || fail "the version is not written"
}

# httpd NAME COMMAND...: COMMAND starts smki-httpd; its end is in $work/NAME.
httpd() {
	later 0
	: >"$work/log"
	httpd_name=$1
	shift
	spawn "$httpd_name" env LD_PRELOAD="$library" FAKETIME_TIMESTAMP_FILE="$work/clock" \
	    FAKETIME_NO_CACHE=1 "$@" "$build/smki-httpd" --home "$home"
	within 10 "it waits" grep -q ' waiting for the database: .* is older' "$work/log"
}

said_again() {
	[ "$1" -le "$(grep -c 'still waiting' "$work/log")" ]
}

make_home
up
down
older -1

title "by itself"
httpd alone
later 60
ended "$alone"
same "its status" 75 "$ended"
has "it says why" "is older than this program's" "$work/log"
lacks "it does not go on" 'still waiting' "$work/log"

title "beside a smkid of its own"
# As smki run starts it: one end of a connection, of which the other stays open.
cat >"$work/beside.py" <<'EOF'
import os, socket, sys
ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
for end in ends:
    end.set_inheritable(True)
os.execv(sys.argv[1], sys.argv[1:] + ["--front-fd", str(ends[1].fileno())])
EOF
httpd beside "$python" "$work/beside.py"
for minutes in 1 2; do
	later $((minutes * 60))
	within 10 "it says so again" said_again "$minutes"
done
older 1
within 10 "it serves" grep -q 'listen http=' "$work/log"
kill -TERM "$beside"
ended "$beside"
same "it ends with 0 on SIGTERM" 0 "$ended"
same "once a time" 2 "$(grep -c 'still waiting' "$work/log")"
finish
