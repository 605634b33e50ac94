#!/bin/sh
# An older copy of the database is put back: it is noticed by the published lists that it does not
# know, nothing is signed, a revocation is recorded, and an administrator ends the doubt.
#
#   restored.sh BUILD_ROOT SOURCE_ROOT
set -u
. "$2/tests/system/lib.sh"
needs openssl curl jq

make_home
up
true_that "export of the CA certificates" demo_chain
for n in 1 2; do
	true_that "a meter" demo_meter "00db12345678000$n" digitalSignature "m$n"
	ends 0 "issue" $smki issue --out "$dir/m$n.pem" "$dir/m$n.csr"
done
down

title "a copy, and what comes after it"
true_that "a copy" cp -a "$home/db" "$work/older"
up
ends 0 "revoke" $smki revoke "$(demo_serial "$dir/m1.pem")"
ends 0 "crl" $smki crl
same "revoked" 'revoked' "$(demo_ask "$dir/m1.pem")"
down

title "the copy is put back"
rm -rf "$home/db"
true_that "the copy" cp -a "$work/older" "$home/db"
rm -f "$home/run/addresses"
# shellcheck disable=SC2086
spawn run $smki run
# Not up: the health is failing, which is the point.
serves() {
	[ -s "$home/run/addresses" ] && $smki status >/dev/null 2>&1
}
within 30 "the daemons serve" serves
http=$(awk '$1 == "http" { print $2 }' "$home/run/addresses")
same "health" 503 "$(curl -s -o "$work/health" -w '%{http_code}' "http://$http/health")"
# A responder in doubt answers tryLater, unsigned.
try_later() {
	openssl ocsp -issuer "$dir/issuing.pem" -cert "$1" -url "http://$http/ocsp" \
	    -CAfile "$dir/chain.pem" 2>&1 | grep -q 'Responder Error: trylater'
}
true_that "no good answer for what was revoked" try_later "$dir/m1.pem"
true_that "a new meter" demo_meter 00db123456780003 digitalSignature m3
refuses 75 "issue" "an older copy was put back" $smki issue "$dir/m3.csr"
refuses 75 "crl" 'an older copy was put back' $smki crl
ends 0 "revoke is recorded" $smki revoke "$(demo_serial "$dir/m2.pem")"
has "the alarm" 'an older copy was put back' "$work/log"

title "an administrator goes on with it"
ends 0 "clock accept" $smki clock accept
revoked() {
	[ "$(demo_ask "$dir/m2.pem" 2>/dev/null)" = revoked ]
}
within 10 "answers again" revoked
ends 0 "crl" $smki crl
has "the number is above all published" 'crl 3:' "$work/stdout"
true_that "the lists are served" demo_crls
finish
