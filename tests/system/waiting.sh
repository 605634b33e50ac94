#!/bin/sh
# An older database: smki-httpd waits for smkid to bring it up to date; by itself for half a minute,
# beside a smkid of its own until that serves. And smkid says what it does before it does it.
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

title "beside a smkid of its own that does not serve yet"
# As smki run starts it: one end of a connection; nobody answers at the other.
cat >"$work/beside.py" <<'EOF'
import os, socket, sys
ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
if sys.argv[1]:
    ends = ends[0], socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ends[1].connect(sys.argv[1])
for end in ends:
    end.set_inheritable(True)
os.execv(sys.argv[2], sys.argv[2:] + ["--front-fd", str(ends[1].fileno())])
EOF
httpd beside "$python" "$work/beside.py" ''
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

title "beside one that serves, of an earlier version"
# The connection leads to smkid this time.
spawn smkid "$build/smkid" --home "$home"
demo_wait 30 $smki status >"$work/stdout" 2>&1 || fail "smkid does not answer"
older -1
httpd served "$python" "$work/beside.py" "$home/run/front.sock"
later 60
ended "$served"
same "its status" 75 "$ended"
lacks "it does not go on" 'still waiting' "$work/log"
kill -TERM "$smkid"
ended "$smkid"
same "smkid's status" 0 "$ended"

title "smkid tells its supervisor"
# What arrives there, a line each.
cat >"$work/supervisor.py" <<'EOF'
import os, socket, sys
at = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
at.bind(sys.argv[1])
while True:
    for line in at.recv(4096).decode().split("\n"):
        print(line, flush=True)
EOF
"$python" "$work/supervisor.py" "$work/notify" >>"$work/told" 2>&1 &
pids="$pids $!"
within 10 "the supervisor is there" test -S "$work/notify"
# It has today's tables already, so the last schema file cannot be applied: no database of another
# version is needed to see what is said, and what is left of a change that failed.
"$python" -c 'import sqlite3, sys
print("\n".join(sqlite3.connect(sys.argv[1]).iterdump()))' "$home/db/smki.db" >"$work/before"
: >"$work/log"
spawn smkid env NOTIFY_SOCKET="$work/notify" "$build/smkid" --home "$home"
ended "$smkid"
differ "it does not start" 0 "$ended"
has "it says which versions" 'database: from schema ' "$work/log"
has "and why it ends" "$home/db/smki.db: schema " "$work/log"
within 10 "patience was asked for" grep -q '^EXTEND_TIMEOUT_USEC=21600000000$' "$work/told"
lacks "and it was not ready" 'READY=1' "$work/told"
"$python" -c 'import sqlite3, sys
print("\n".join(sqlite3.connect(sys.argv[1]).iterdump()))' "$home/db/smki.db" >"$work/after"
true_that "the database is as it was" cmp "$work/before" "$work/after"
older 1
: >"$work/told"
: >"$work/log"
spawn smkid env NOTIFY_SOCKET="$work/notify" "$build/smkid" --home "$home"
within 30 "ready" grep -q '^READY=1$' "$work/told"
lacks "nothing was changed" 'from schema' "$work/log"
lacks "no patience was asked for" 'EXTEND_TIMEOUT' "$work/told"
kill -TERM "$smkid"
ended "$smkid"
same "its status" 0 "$ended"
finish
