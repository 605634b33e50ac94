#!/bin/sh
# Signed answers that are kept: sent again as they are, never once a committed change made them
# untrue, whatever became of smkid in between.
. "$2/tests/system/lib.sh"

make_home
up
demo_chain || fail "no CA certificates"
meter 00db1234000000c1 digitalSignature one
one=$serial
meter 00db1234000000c2 digitalSignature two
two=$serial

for name in one two; do
	openssl ocsp -issuer "$dir/issuing.pem" -cert "$dir/$name.pem" -no_nonce \
	    -reqout "$work/$name.req" >/dev/null 2>&1 || fail "openssl makes no request"
done
raw() {
	curl -sS -H 'Content-Type: application/ocsp-request' --data-binary "@$work/$1.req" \
	    "http://$http/ocsp" | openssl dgst -sha256 -r | cut -c 1-64
}
counted() {
	curl -sS "http://$http/metrics" | sed -n "s/^smki_ocsp_cache_total{what=\"$1\"} //p"
}

answers_status() {
	$smki status >/dev/null 2>&1
}

# The front finds the page of smkid within a second or two.
in_use() {
	in_use_hits=$(counted hit)
	raw one >/dev/null
	raw one >/dev/null
	[ "$(counted hit)" -gt "$in_use_hits" ]
}

title "the same answer again, octet for octet"
within 10 "the cache is in use" in_use
first=$(raw one)
hits=$(counted hit)
for i in 1 2 3 4 5; do
	same "answer $i" "$first" "$(raw one)"
done
same "hits" $((hits + 5)) "$(counted hit)"
differ "another certificate" "$first" "$(raw two)"
get=$(openssl base64 -A -in "$work/one.req" | sed 's/+/%2B/g; s|/|%2F|g; s/=/%3D/g')
same "the same by GET" "$first" \
    "$(curl -sS "http://$http/ocsp/$get" | openssl dgst -sha256 -r | cut -c 1-64)"
etag=$(curl -sS -o "$work/stdout" -D - "http://$http/ocsp/$get" | tr -d '\r' | sed -n 's/^[Ee][Tt]ag: //p')
same "its ETag is its hash" "\"$first\"" "$etag"
same "not modified" 304 \
    "$(curl -sS -o "$work/stdout" -w '%{http_code}' -H "If-None-Match: $etag" "http://$http/ocsp/$get")"

title "a change shows at the next question"
same "good" good "$(demo_ask "$dir/one.pem")"
for i in 1 2 3; do
	ends 0 hold $smki hold "$one"
	same "held, $i" 'revoked(certificateHold)' "$(demo_ask "$dir/one.pem")"
	differ "its octets" "$first" "$(raw one)"
	ends 0 reactivate $smki reactivate "$one"
	same "reactivated, $i" good "$(demo_ask "$dir/one.pem")"
done
same "the other one was not touched" good "$(demo_ask "$dir/two.pem")"

title "smkid killed, and started again; changes go on"
raw one >/dev/null
down
rm -f "$home/run/addresses"
spawn daemon "$build/smkid" --home "$home"
spawn front "$build/smki-httpd" --home "$home"
demo_wait 30 started "$front" demo_answers "$home" || fail "the daemons do not answer"
within 10 "the cache is in use" in_use
raw two >/dev/null
kill -KILL "$daemon"
ended "$daemon"
same "answered without smkid" good "$(demo_ask "$dir/one.pem")"
spawn daemon "$build/smkid" --home "$home"
within 30 "smkid is back" answers_status
ends 0 hold $smki hold "$one"
same "held" 'revoked(certificateHold)' "$(demo_ask "$dir/one.pem")"
ends 0 revoke $smki revoke "$two"
same "revoked" revoked "$(demo_ask "$dir/two.pem")"
within 30 "smkid is back" answers_status

title "without a cache"
kill -TERM "$front" "$daemon"
ended "$front"
ended "$daemon"
sed 's/^never_issued = .*/&\ncache = 0/' "$home/smki.conf" >"$work/conf" && cat "$work/conf" >"$home/smki.conf"
up
same "held still" 'revoked(certificateHold)' "$(demo_ask "$dir/one.pem")"
same "nothing is kept" 0 "$(counted hit)"
down
finish
