#!/bin/sh
# The certificate of the TLS listener: renewed by smkid when a third of its life is left. The clock
# is set with libfaketime: the home is made long ago.
#
#   tls-renewal.sh BUILD_ROOT SOURCE_ROOT
set -u
. "$2/tests/system/lib.sh"
needs openssl curl jq faketime sqlite3 xxd

library=$(faketime -f +0 sh -c 'echo "$LD_PRELOAD"')
# A sanitizer's library wants to be the first one; it works as the second, too.
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0
export ASAN_OPTIONS
# servers: certificates for TLS servers, a line each: serial and days.
servers() {
	sqlite3 "$home/db/smki.db" "SELECT lower(hex(serial)), (not_after - not_before + 1) / 86400
	    FROM certificate WHERE use = 5 ORDER BY id"
}
# at_home OFFSET: made then.
at_home() {
	env LD_PRELOAD="$library" FAKETIME="$1" DONT_FAKE_MONOTONIC=1 \
	    FAKETIME_DONT_FAKE_MONOTONIC=1 "$build/smki" --home "$home" init \
	    --http 127.0.0.1:0 --https 127.0.0.1:0 --name ca.example --name 192.0.2.1 \
	    >"$work/init.out" 2>&1 || fail "smki init: $(cat "$work/init.out")"
	rm -f "$home/run/addresses"
	# shellcheck disable=SC2086
	spawn run $smki run
	demo_wait 30 started "$run" test -s "$home/run/addresses" || fail "no daemons"
	demo_wait 30 started "$run" asked || fail "no smkid"
	ends 0 "clock accept" $smki clock accept
}
asked() {
	$smki status >"$work/status" 2>&1
}
two() {
	[ "$(servers | wc -l)" -eq 2 ]
}

title "a third of its life is left"
at_home -300d
within 30 "another one" two
same "of full length" 397 "$(servers | tail -n 1 | cut -d '|' -f 2)"
sqlite3 "$home/db/smki.db" "SELECT hex(der) FROM certificate_der JOIN certificate c
    ON c.id = certificate WHERE c.use = 5 ORDER BY c.id DESC LIMIT 1" | xxd -r -p |
    openssl x509 -inform DER -out "$dir/new.pem"
true_that "export of the CA certificates" demo_chain
true_that "it verifies" demo_verify "$dir/new.pem" -purpose sslserver -verify_hostname ca.example
true_that "its address" demo_verify "$dir/new.pem" -purpose sslserver -verify_ip 192.0.2.1
same "its key is the old one" "$(openssl x509 -in "$home/tls/server.pem" -noout -pubkey)" \
    "$(openssl x509 -in "$dir/new.pem" -noout -pubkey)"
has "it is told" 'TLS server: ca=issuing renewed' "$work/log"
ends 0 "crl" $smki crl
same "one is enough" 2 "$(servers | wc -l)"
server=$(servers | tail -n 1 | cut -d '|' -f 1)
# Somebody else's, of the same name: what is judged is the certificate of the listener's key.
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$dir/other.key" \
    -subj '/CN=ca.example' -addext 'subjectAltName=DNS:ca.example' -out "$dir/other.csr" 2>/dev/null
ends 0 "a certificate of the same name" $smki issue --profile tls-server --out "$dir/other.pem" \
    "$dir/other.csr"
# alarms TEXT: this is the alarm.
alarms() {
	[ "$($smki status | sed -n 's/^alarm *//p')" = "$1" ]
}
ends 0 "it is held" $smki hold "$server"
within 30 "an alarm" alarms 'certificate of the TLS server is on hold'
ends 0 "it is taken out of service" $smki revoke "$server"
within 30 "an alarm, and no other for the same key" alarms 'certificate of the TLS server is revoked'
same "no other" 3 "$(servers | wc -l)"

title "the gravest alarm is told first"
responder=$(sqlite3 "$home/db/smki.db" "SELECT lower(hex(c.serial)) FROM responder r
    JOIN certificate c ON c.id = r.certificate")
ends 0 "the responder of relying parties is held" $smki hold "$responder"
within 30 "that comes first" \
    alarms "certificate of ca issuing's OCSP responder is on hold; certificate of the TLS server is revoked"
http=$(awk '$1 == "http" { print $2 }' "$home/run/addresses")
answer() {
	openssl ocsp -issuer "$dir/issuing.pem" -cert "$dir/new.pem" -url "http://$http/ocsp" \
	    -CAfile "$dir/chain.pem" 2>&1 | tr A-Z a-z
}
answers() {
	answer | grep -q "$1"
}
within 30 "OCSP signs nothing" answers 'responder error: internalerror (2)'
ends 0 "CRLs go on" $smki crl
ends 0 "it is released" $smki reactivate "$responder"
within 30 "OCSP signs again" answers 'new.pem: revoked'
within 30 "the other one stays" alarms 'certificate of the TLS server is revoked'
cp "$dir/other.key" "$work/other.key"
chmod 400 "$work/other.key"
cat "$dir/other.pem" "$dir/issuing.pem" >"$work/other.pem"
mv -f "$work/other.key" "$home/tls/server.key"
mv -f "$work/other.pem" "$home/tls/server.pem"
within 30 "another key, and no alarm" alarms none
down
finish
