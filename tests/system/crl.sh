#!/bin/sh
# The lists: made by themselves, on request and in the root's ceremony, served over HTTP, judged
# by openssl; what still works without smkid; and the end of a CA.
#
#   crl.sh BUILD_ROOT SOURCE_ROOT
set -u
. "$2/tests/system/lib.sh"
needs openssl curl jq pgrep

make_home
sed -i 's/^delay = 10s/delay = 1s/' "$home/smki.conf"
up
url=http://$http
true_that "export of the CA certificates" demo_chain

# fetch CURL_OPTION...: body in $work/body, headers in $work/head; prints the status.
fetch() {
	: >"$work/body"
	curl -sS --path-as-is -D "$work/head" -o "$work/body" -w '%{http_code}' "$@"
}
header() {
	sed -n "s/^$1: *//Ip" "$work/head" | tr -d '\r'
}
# list FILE OPTION...: what openssl reads in a list.
list() {
	file=$1
	shift
	openssl crl -inform DER -in "$file" -noout "$@"
}
# number CA: of the list served now.
number() {
	curl -fsS -o "$work/now" "$url/crl/$1.crl" && list "$work/now" -crlnumber |
	    sed 's/^crlNumber=0x//' | tr A-F a-f
}
# listed SERIAL: it stands on the issuing CA's list now.
listed() {
	curl -fsS -o "$work/now" "$url/crl/issuing.crl" && list "$work/now" -text |
	    grep -qi "Serial Number: $1\$"
}
unlisted() {
	curl -fsS -o "$work/now" "$url/crl/issuing.crl" && ! list "$work/now" -text |
	    grep -qi "Serial Number: $1\$"
}
# entry SERIAL: reason and invalidity date on the list last looked at.
entry() {
	list "$work/now" -text | sed -n "/Serial Number: $(echo "$1" | tr a-f A-F)/,/Serial Number\|Signature/p" |
	    sed -n '/Reason Code/{n;s/^ *//p}; /Invalidity Date/{n;s/^ *//p}' | paste -sd, -
}
# seconds TEXT: a date as a number.
seconds() {
	date -u -d "$1" +%s
}

title "as served"
for ca in root issuing; do
	same "GET" 200 "$(fetch "$url/crl/$ca.crl")"
	cp "$work/body" "$work/$ca.crl"
	same "Content-Type" application/pkix-crl "$(header Content-Type)"
	same "Content-Length" "$(wc -c <"$work/body")" "$(header Content-Length)"
	same "ETag is the SHA-256" "\"$(sha256sum <"$work/body" | cut -c 1-64)\"" "$(header ETag)"
	etag=$(header ETag) modified=$(header Last-Modified) expires=$(header Expires)
	from=$(list "$work/$ca.crl" -lastupdate | cut -d= -f2)
	until=$(list "$work/$ca.crl" -nextupdate | cut -d= -f2)
	same "Last-Modified is thisUpdate" "$(seconds "$from")" "$(seconds "$modified")"
	same "Expires is nextUpdate" "$(seconds "$until")" "$(seconds "$expires")"
	has "Cache-Control" 'public, no-transform, must-revalidate' "$work/head"
	same "by its tag" 304 "$(fetch -H "If-None-Match: $etag" "$url/crl/$ca.crl")"
	same "no body" 0 "$(wc -c <"$work/body")"
	same "tag of a 304" "$etag" "$(header ETag)"
	# Two lists of a ceremony may be of one second.
	[ "$ca" = root ] && by_date=200 || by_date=304
	same "by its date" "$by_date" "$(fetch -H "If-Modified-Since: $modified" "$url/crl/$ca.crl")"
	same "another tag" 200 "$(fetch -H 'If-None-Match: "00"' "$url/crl/$ca.crl")"
	same "a date before" 200 "$(fetch -H 'If-Modified-Since: Thu, 01 Jan 1970 00:00:01 GMT' \
	    "$url/crl/$ca.crl")"
	same "HEAD" 200 "$(fetch --head "$url/crl/$ca.crl")"
	same "its length" "$(wc -c <"$work/$ca.crl")" "$(header Content-Length)"
	same "its tag" "$etag" "$(header ETag)"
	ends 0 "openssl crl" openssl crl -inform DER -in "$work/$ca.crl" -noout \
	    -CAfile "$dir/chain.pem"
	has "signature" 'verify OK' "$work/stderr"
	list "$work/$ca.crl" -text >"$work/text"
	has "version" 'Version 2 (0x1)' "$work/text"
	has "empty" 'No Revoked Certificates' "$work/text"
	same "extensions" 2 "$(grep -c 'X509v3' "$work/text")"
	same "certificate" 200 "$(fetch "$url/ca/$ca.cer")"
	same "its type" application/pkix-cert "$(header Content-Type)"
	openssl x509 -in "$dir/$ca.pem" -outform DER -out "$dir/$ca.der"
	true_that "its bytes" cmp "$work/body" "$dir/$ca.der"
done
same "a day of validity" 86400 "$(($(seconds "$until") - $(seconds "$from")))"
for path in /crl/none.crl /crl/issuing /crl/ /crl /crl/issuing.crl/ /crl/../smki.conf /crl/.crl \
    /crl/%2e%2e/smki.conf /crl/issuing-1.crl /ca/none.cer /ca/issuing.crl; do
	same "$path" 404 "$(fetch "$url$path")"
done
same "POST" 405 "$(fetch -d x "$url/crl/issuing.crl")"
same "Allow" "GET, HEAD, OPTIONS" "$(header Allow)"

title "by itself, after each change"
meter 00db123400000001 digitalSignature one
one=$serial
meter 00db123400000002 digitalSignature two
two=$serial
before=$(number issuing)
ends 0 "revoke" $smki revoke "$one" --reason keyCompromise --invalid-since 2024-05-06T07:08:09Z
within 30 "listed" listed "$one"
same "what it says" "Key Compromise,May  6 07:08:09 2024 GMT" "$(entry "$one")"
after=$(number issuing)
true_that "numbers grow: $before $after" test "$((0x$after))" -gt "$((0x$before))"
ends 0 "hold" $smki hold "$two"
within 30 "listed" listed "$two"
same "on hold" "Certificate Hold" "$(entry "$two")"
ends 0 "reactivate" $smki reactivate "$two"
within 30 "no longer listed" unlisted "$two"
true_that "the other one still" listed "$one"
meter 00db123400000003 digitalSignature three --on-hold
within 30 "issued on hold" listed "$serial"
ends 0 "revoke" $smki revoke "$two"
within 30 "listed" listed "$two"
same "unspecified is left out" '' "$(entry "$two")"
true_that "numbers grow" test "$((0x$(number issuing)))" -gt "$((0x$after))"
true_that "lists" demo_crls
false_that "revoked" demo_verify "$dir/one.pem" -crl_check_all -CRLfile "$dir/crls.pem"
has "revoked" 'certificate revoked' "$work/stdout"

title "on request"
before=$(number issuing)
ends 0 "smki crl" $smki crl --out "$work/out.crl"
same "one line" 1 "$(wc -l <"$work/stdout")"
after=$(number issuing)
same "the next number" "$((0x$before + 1))" "$((0x$after))"
true_that "the one served" cmp "$work/now" "$work/out.crl"
ends 0 "JSON" $smki --json crl --ca issuing
same "number, entries" "$((0x$after + 1)) 3" \
    "$(jq -r '"\(.crlNumber) \(.entries)"' "$work/stdout")"
true_that "few files are kept" test "$(ls "$home/crl" | grep -c '^issuing')" -le 4
refuses 77 "the root's" 'smki ca crl root' $smki crl --ca root
refuses 66 "into no folder" "$work/no/x" $smki crl --out "$work/no/x"

title "the root's ceremony"
before=$(number root)
ends 0 "ca crl" $smki ca crl root
same "the next number" "$((0x$before + 1))" "$((0x$(number root)))"
ends 0 "openssl crl" openssl crl -inform DER -in "$work/now" -noout -CAfile "$dir/root.pem"
has "signature" 'verify OK' "$work/stderr"
issuing_serial=$(demo_serial "$dir/issuing.pem" | tr A-F a-f)
root_serial=$(demo_serial "$dir/root.pem" | tr A-F a-f)
refuses 77 "not by the plain verb" 'smki ca revoke' $smki revoke "$issuing_serial"
refuses 77 "the root itself" 'cannot revoke itself' $smki ca revoke "$root_serial"
refuses 77 "a meter in the ceremony" 'no root issued it' $smki ca revoke "$two"

title "without smkid"
down
spawn smkid "$build/smkid" --home "$home"
rm -f "$home/run/addresses"
spawn httpd "$build/smki-httpd" --home "$home"
within 30 "both answer" started "$httpd" demo_answers "$home"
url=http://$http
# health: what smki-httpd thinks.
health() {
	[ "$(curl -sS "$url/health" | jq -r .status)" = "$1" ]
}
within 30 "all is well" health ok
meter 00db123400000004 digitalSignature four
kill -KILL "$smkid"
ended "$smkid"
same "OCSP answers" good "$(demo_ask "$dir/four.pem")"
same "OCSP answers" 'revoked(keyCompromise)' "$(demo_ask "$dir/one.pem")"
same "the list is served" 200 "$(fetch "$url/crl/issuing.crl")"
within 30 "health says so" health degraded
same "but answers" 200 "$(fetch "$url/health")"
refuses 75 "status" 'start it with: smki run' $smki status
refuses 75 "hold" 'start it with: smki run' $smki hold "$two"
spawn smkid "$build/smkid" --home "$home"
within 30 "back again" started "$smkid" demo_answers "$home"
within 30 "all is well" health ok
same "still valid" valid "$(state_of "$serial")"
for p in "$httpd" "$smkid"; do
	kill -TERM "$p"
	ended "$p"
	same "ends with 0 on SIGTERM" 0 "$ended"
done

title "one of two under smki run"
for program in smkid smki-httpd; do
	up
	kill -KILL "$(child_of "$run" "$program")"
	ended "$run"
	same "smki run, when $program is killed" 70 "$ended"
	has "said" "$program ended by signal 9" "$work/log"
done

title "the end of a CA"
up
url=http://$http
ends 0 "ca revoke" $smki ca revoke "$issuing_serial" --reason cACompromise
same "on the root's list" 200 "$(fetch "$url/crl/root.crl")"
cp "$work/body" "$work/now"
same "what it says" "CA Compromise" "$(entry "$issuing_serial")"
true_that "lists" demo_crls
false_that "nothing verifies" demo_verify "$dir/four.pem" -crl_check_all -CRLfile "$dir/crls.pem"
has "because of the CA" 'at 1 depth lookup: certificate revoked' "$work/stdout"
demo_meter 00db123400000005 digitalSignature five
refuses 77 "issuing" 'its own certificate is revoked' $smki issue "$dir/five.csr"
refuses 66 "nothing was issued" 00db123400000005 $smki show 00db123400000005
ends 0 "what it issued can still be revoked" $smki revoke "$serial"
same "OCSP, unspecified left out" revoked "$(demo_ask "$dir/four.pem")"
ends 0 "again" $smki ca revoke "$issuing_serial"
has "already" "$issuing_serial already revoked cACompromise" "$work/stdout"
down
finish
