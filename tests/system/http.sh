#!/bin/sh
# smki-httpd against peers that send too slowly, too much, too often or two things at once; and
# over a database that is not the one it opened.
#
#   http.sh BUILD_ROOT SOURCE_ROOT
set -u
. "$2/tests/system/lib.sh"
needs openssl curl

raw=$source/tests/system/http_raw.py

# ours WORD TIMEOUT [PID]: checks over plain sockets.
ours() {
	said=$("$python" "$raw" "$1" "$http" "$2" ${3+"$3"}) || fail "$1: $said"
	checks=$((checks + said))
}

# conf TIMEOUT: few connections.
conf() {
	sed -i -e '/^\(timeout\|workers\|connections\|connections_per_address\) = /d' \
	    -e "/^\[http\]/a timeout = $1\nworkers = 1\nconnections = 8\nconnections_per_address = 4" \
	    "$home/smki.conf"
}

make_home
conf 2s
up
true_that "export of the CA certificates" demo_chain
meter 00db1234000000a1 digitalSignature meter
httpd_pid=$(child_of "$run" smki-httpd)

title "framing"
ours framing 2

title "halves"
ours halves 2

title "too many"
ours address 2
down
conf 60s
up
ours crowd 60

title "a database in the place of the open one"
# says_of WORD: what OCSP says of the meter's certificate.
says_of() {
	[ "$(demo_ask "$dir/meter.pem" 2>/dev/null)" = "$1" ]
}
true_that "good at first" says_of good
cp "$home"/db/smki.db* "$work"
ends 0 "revoke" $smki revoke "$serial"
true_that "revoked" says_of revoked
down
# Alone: smkid ends when its database is put elsewhere.
rm -f "$home/run/addresses"
spawn httpd "$build/smki-httpd" --home "$home"
within 30 "it listens" test -s "$home/run/addresses"
http=$(awk '$1 == "http" { print $2 }' "$home/run/addresses")
within 10 "revoked, without smkid" says_of revoked
mkdir "$work/aside"
mv "$home"/db/smki.db* "$work/aside"
within 10 "its absence is seen" sh -c "curl -s 'http://$http/health' | grep -q '\"database\":\"failing\"'"
false_that "no status without it" says_of revoked
cp "$work"/smki.db* "$home/db"
within 10 "the other one is read" says_of good
rm "$home"/db/smki.db*
mv "$work/aside"/smki.db* "$home/db"
within 10 "and the first one again, by the same process" says_of revoked

title "stop"
ours stop 60 "$httpd"
ended "$httpd"
same "smki-httpd ends with 0 on SIGTERM" 0 "$ended"
finish
