#!/bin/sh
# A clock in doubt: nothing is signed, a revocation is recorded all the same, and an administrator
# ends it. The clocks are set with libfaketime.
#
#   clock.sh BUILD_ROOT SOURCE_ROOT
set -u
. "$2/tests/system/lib.sh"
needs openssl curl jq faketime sqlite3

# The program faketime waits for its child and passes no signal on: its library is enough.
library=$(faketime -f +0 sh -c 'echo "$LD_PRELOAD"')
# A sanitizer's library wants to be the first one; it works as the second, too.
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0
export ASAN_OPTIONS
# at OFFSET COMMAND...: with a clock that is off by so much; intervals stay true.
at() {
	at_offset=$1
	shift
	env LD_PRELOAD="$library" FAKETIME="$at_offset" DONT_FAKE_MONOTONIC=1 \
	    FAKETIME_DONT_FAKE_MONOTONIC=1 "$@"
}
# both OFFSET: the two daemons, apart, with such a clock.
both() {
	rm -f "$home/run/addresses"
	offset=$1
	set -- env LD_PRELOAD="$library" FAKETIME="$offset" DONT_FAKE_MONOTONIC=1 \
	    FAKETIME_DONT_FAKE_MONOTONIC=1
	spawn smkid "$@" "$build/smkid" --home "$home"
	spawn httpd "$@" "$build/smki-httpd" --home "$home"
	demo_wait 30 started "$httpd" there || fail "the daemons do not answer"
}
there() {
	[ -s "$home/run/addresses" ] && $smki status >"$work/status" 2>&1 || return 1
	http=$(awk '$1 == "http" { print $2 }' "$home/run/addresses")
	curl -sS -o "$work/health" "http://$http/health" 2>/dev/null
}
stopped() {
	for p in "$httpd" "$smkid"; do
		kill -TERM "$p"
		ended "$p"
		same "ends with 0 on SIGTERM" 0 "$ended"
	done
}
alarm() {
	$smki status | sed -n 's/^alarm *//p' >"$work/alarm"
}
# What housekeeping could not do while in doubt stands until its next look.
quiet() {
	alarm
	! grep -q clock "$work/alarm"
}
# event_times: of all events from the first, as numbers.
event_times() {
	sqlite3 "$home/db/smki.db" 'SELECT time FROM event ORDER BY id'
}
# asked NAME: what OCSP says to a client with the daemons' clock.
asked() {
	at "$offset" openssl ocsp -issuer "$dir/issuing.pem" -cert "$dir/$1.pem" \
	    -url "http://$http/ocsp" -CAfile "$dir/chain.pem" >"$work/ocsp" 2>&1
	sed -n "s/^Responder Error: //p; s|^$dir/$1.pem: ||p" "$work/ocsp"
}
answered() {
	[ "$(asked "$1")" = "$2" ]
}
# in_doubt WHY: nothing is signed.
in_doubt() {
	alarm
	has "alarm" "$1" "$work/alarm"
	before=$($smki list)
	refuses 75 "issue" "$1" $smki issue "$dir/next.csr"
	refuses 75 "crl" "$1" $smki crl
	refuses 75 "the root's" clock $smki ca crl root
	same "nothing was issued" "$before" "$($smki list)"
	same "OCSP" 'trylater (3)' "$(asked kept)"
	same "health" 503 "$(curl -s -o "$work/health" -w '%{http_code}' "http://$http/health")"
}
# accepted: the doubt ends, for both daemons.
accepted() {
	ends 0 "clock accept" $smki clock accept
	within 10 "no alarm" quiet
	ends 0 "issue" $smki issue --out "$dir/next.pem" "$dir/next.csr"
	within 60 "OCSP" answered next good
	same "an event of it" clock-accept "$(sqlite3 "$home/db/smki.db" "SELECT action FROM event
	    WHERE action = 'clock-accept' ORDER BY id DESC LIMIT 1")"
}

# Old enough that its certificates have begun where the clock will stand.
at -3h "$build/smki" --home "$home" init --http 127.0.0.1:0 --https 127.0.0.1:0 \
    >"$work/init.out" 2>&1 ||
    fail "smki init: $(cat "$work/init.out")"
sed -i 's/^delay = 10s/delay = 1s/' "$home/smki.conf"
up
true_that "export of the CA certificates" demo_chain
meter 00db123400000001 digitalSignature kept
meter 00db123400000002 digitalSignature lost
lost=$serial
meter 00db123400000003 digitalSignature later
later=$serial
down
demo_meter 00db123400000011 digitalSignature next

title "an hour behind the newest event"
newest=$(event_times | tail -n 1)
both -1h
in_doubt 'clock: behind the newest record'
says "$lost revoked superseded" $smki revoke "$lost" --reason superseded
true_that "its time is not before the newest" test "$(event_times | tail -n 1)" -ge "$newest"
same "times never step back" "$(event_times)" "$(event_times | sort -n)"
accepted
answered lost revoked || fail "OCSP of the revoked one: $(cat "$work/ocsp")"
# listed SERIAL: on the list that is served now.
listed() {
	curl -fsS -o "$work/now" "http://$http/crl/issuing.crl" &&
	    openssl crl -inform DER -in "$work/now" -noout -text |
	    grep -qi "Serial Number: $1\$"
}
within 30 "a list by itself, dated before the one before" listed "$lost"
ends 0 "crl" $smki crl
true_that "numbers grow" test "$(sqlite3 "$home/db/smki.db" 'SELECT max(number) FROM crl
    WHERE ca = 2')" -ge 2
stopped

title "back in the present, within a week"
both +0
alarm
same "no alarm" none "$(cat "$work/alarm")"
demo_meter 00db123400000012 digitalSignature next
ends 0 "issue" $smki issue --out "$dir/next.pem" "$dir/next.csr"
within 60 "OCSP" answered next good
stopped

title "eight days ahead of the newest event"
old=$(sqlite3 "$home/db/smki.db" 'SELECT certificate FROM responder')
both +8d
demo_meter 00db123400000013 digitalSignature next
in_doubt 'clock: ahead of the newest record'
says "$later hold" $smki hold "$later"
accepted
within 60 "OCSP" answered later revoked
title "where the responder certificate is past its half"
renewed() {
	[ "$(sqlite3 "$home/db/smki.db" 'SELECT certificate FROM responder')" != "$old" ]
}
within 60 "renewed" renewed
# taken_up: the front shows the new one.
taken_up() {
	answered next good && at "$offset" openssl ocsp -issuer "$dir/issuing.pem" \
	    -cert "$dir/next.pem" -url "http://$http/ocsp" -CAfile "$dir/chain.pem" -resp_text \
	    2>/dev/null | sed -n 's/^ *Not Before: //p' >"$work/begins" &&
	    [ "$(date -d "$(head -n 1 "$work/begins")" +%s)" -gt "$(($(date +%s) + 600000))" ]
}
within 60 "taken up without a restart" taken_up
title "what was signed with another responder certificate is not sent again"
# signer NONCE: serial of the certificate that the answer was signed with.
signer() {
	at "$offset" openssl ocsp "$1" -issuer "$dir/issuing.pem" -cert "$dir/next.pem" \
	    -url "http://$http/ocsp" -CAfile "$dir/chain.pem" -respout "$work/resp" \
	    >"$work/ocsp" 2>&1 || return 1
	openssl ocsp -respin "$work/resp" -noverify -resp_text 2>/dev/null |
	    openssl x509 -noout -serial
}
# kept: the answer without a nonce is sent twice.
kept() {
	signer -no_nonce >"$work/first" && cp "$work/resp" "$work/resp.first" &&
	    signer -no_nonce >"$work/first" && cmp -s "$work/resp" "$work/resp.first"
}
kill -TERM "$smkid"
ended "$smkid"
same "smkid ends with 0" 0 "$ended"
within 10 "kept" kept
sqlite3 "$home/db/smki.db" "UPDATE responder SET certificate = $old"
other() {
	[ "$(signer -nonce)" != "$(cat "$work/first")" ]
}
within 20 "another is taken up" other
differ "nor is it sent from the cache" "$(cat "$work/first")" "$(signer -no_nonce)"
kill -TERM "$httpd"
ended "$httpd"
same "smki-httpd ends with 0" 0 "$ended"
finish
