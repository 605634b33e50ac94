#!/bin/sh
# Deltas and shards: what openssl says of meters by them, what is served, and whose numbers grow
# whatever happens to the daemon.
#
#   crl-delta.sh BUILD_ROOT SOURCE_ROOT
set -u
. "$2/tests/system/lib.sh"
needs openssl curl jq pgrep xxd

make_home --url http://pki.example
sed -i 's/^delay = 10s/delay = 1s\ndeltas = yes/' "$home/smki.conf"
sed -i 's/^\[profile\]/&\ncrl_distribution_point = shard/' "$home/policies/device-signature.cnf"
up
url=http://$http
true_that "export of the CA certificates" demo_chain

# get NAME: $work/NAME.crl as served now.
get() {
	curl -fsS -o "$work/$1.crl" "$url/crl/$1.crl" &&
	    openssl crl -inform DER -in "$work/$1.crl" -out "$work/$1.pem" 2>/dev/null
}
text() {
	openssl crl -inform DER -in "$work/$1.crl" -noout -text
}
# number NAME: of the list served now.
number() {
	get "$1" && echo "$((0x$(openssl crl -inform DER -in "$work/$1.crl" -noout -crlnumber |
	    sed 's/^crlNumber=0x//')))"
}
# base: of the delta last fetched.
base() {
	text issuing-delta | sed -n '/Delta CRL Indicator: critical/{n;s/^ *//p}'
}
# entry NAME SERIAL: the reason there, "-" = it is not listed.
entry() {
	get "$1" || return 1
	text "$1" >"$work/text"
	grep -qi "Serial Number: $2\$" "$work/text" || {
		echo -
		return
	}
	sed -n "/Serial Number: $(echo "$2" | tr a-f A-F)\$/,/Serial Number\|Signature/p" \
	    "$work/text" | sed -n '/Reason Code/{n;s/^ *//p}'
}
# shows NAME SERIAL REASON
shows() {
	[ "$(entry "$1" "$2")" = "$3" ]
}
# judge CERT FILE...: by these lists.
judge() {
	cert=$1
	shift
	cat "$@" >"$work/lists.pem"
	openssl verify -CAfile "$dir/root.pem" -untrusted "$dir/issuing.pem" -crl_check \
	    -extended_crl -use_deltas -CRLfile "$work/lists.pem" "$dir/$cert.pem"
}
by_delta() {
	get issuing && get issuing-delta && judge "$1" "$work/issuing.pem" "$work/issuing-delta.pem"
}
by_complete() {
	get issuing && judge "$1" "$work/issuing.pem"
}
by_shard() {
	get issuing-0 && judge "$1" "$work/issuing-0.pem"
}

title "deltas"
within 30 "a delta for the first complete list" get issuing-delta
true_that "the complete list" get issuing
same "freshestCRL" 'URI:http://pki.example/crl/issuing-delta.crl' "$(text issuing |
    sed -n '/Freshest CRL/,$p' | sed -n 's/^ *\(URI:.*\)/\1/p')"
text issuing-delta >"$work/text"
lacks "none in the delta" 'Freshest' "$work/text"
same "continues the complete list" "$(number issuing)" "$(base)"
n=0
for name in valid revoked held base; do
	n=$((n + 1))
	meter "00db12340000000$n" digitalSignature $name
	eval "$name=$serial"
done
ends 0 "hold before the base" $smki hold "$base"
before=$(number issuing)
ends 0 "the base" $smki crl
true_that "a new number" test "$(number issuing)" -gt "$before"
complete=$(number issuing)
same "on the base" "Certificate Hold" "$(entry issuing "$base")"
ends 0 "revoke" $smki revoke "$revoked" --reason superseded
ends 0 "hold" $smki hold "$held"
within 30 "revoked" shows issuing-delta "$revoked" Superseded
within 30 "on hold" shows issuing-delta "$held" "Certificate Hold"
same "not on it" - "$(entry issuing-delta "$valid")"
same "nor what did not change" - "$(entry issuing-delta "$base")"
same "its base" "$complete" "$(base)"
same "no complete list for it" "$complete" "$(number issuing)"
true_that "valid" by_delta valid
false_that "revoked" by_delta revoked
has "revoked" 'certificate revoked' "$work/stdout"
false_that "held" by_delta held
false_that "held on the base" by_delta base
true_that "without the delta it was not known" by_complete revoked
first=$(number issuing-delta)
ends 0 "reactivate" $smki reactivate "$held" "$base"
within 30 "removed, once on a delta" shows issuing-delta "$held" "Remove From CRL"
within 30 "removed from the base" shows issuing-delta "$base" "Remove From CRL"
true_that "numbers grow" test "$(number issuing-delta)" -gt "$first"
true_that "released" by_delta held
true_that "released from the base" by_delta base
false_that "still on the base" by_complete base
ends 0 "hold again" $smki hold "$held"
within 30 "on hold again" shows issuing-delta "$held" "Certificate Hold"
false_that "held again" by_delta held
ends 0 "on request" $smki --json crl --delta --out "$work/asked.crl"
same "number and base" "$(number issuing-delta) $complete" \
    "$(jq -r '"\(.crlNumber) \(.baseCrlNumber)"' "$work/stdout")"
true_that "the one served" cmp "$work/asked.crl" "$work/issuing-delta.crl"
ends 0 "all of it on the next complete list" $smki crl
same "revoked" Superseded "$(entry issuing "$revoked")"
same "held" "Certificate Hold" "$(entry issuing "$held")"
same "released" - "$(entry issuing "$base")"
within 30 "and a delta that continues it" sh -c "
    $smki status >/dev/null && curl -fsS '$url/crl/issuing-delta.crl' |
    openssl crl -inform DER -noout -text | grep -q 'No Revoked'"
refuses 77 "the root's" 'smki ca crl root' $smki crl --ca root --delta

title "shards"
uri=http://pki.example/crl/issuing-0.crl
within 30 "its list" get issuing-0
# point FILE: DistributionPointName of the URI as it stands in the DER file.
len=$(printf %s "$uri" | wc -c)
point=$(printf 'a0%02xa0%02x86%02x' $((len + 4)) $((len + 2)) "$len")$(printf %s "$uri" | xxd -p -c 200)
openssl x509 -in "$dir/valid.pem" -outform DER -out "$work/valid.der"
xxd -p -c 100000 "$work/valid.der" >"$work/valid.hex"
xxd -p -c 100000 "$work/issuing-0.crl" >"$work/shard.hex"
has "in the certificate" "551d1f04$(printf %02x $((len + 10)))30$(printf %02x $((len + 8)))30$(printf \
    %02x $((len + 6)))$point" "$work/valid.hex"
has "byte for byte in the list, critical" "551d1c0101ff04$(printf %02x $((len + 8)))30$(printf \
    %02x $((len + 6)))$point" "$work/shard.hex"
within 30 "revoked" shows issuing-0 "$revoked" Superseded
within 30 "on hold" shows issuing-0 "$held" "Certificate Hold"
true_that "valid" by_shard valid
true_that "released" by_shard base
false_that "revoked" by_shard revoked
has "revoked" 'certificate revoked' "$work/stdout"
ends 0 "openssl crl" openssl crl -inform DER -in "$work/issuing-0.crl" -noout -CAfile "$dir/chain.pem"
has "signature" 'verify OK' "$work/stderr"
before=$(number issuing-0)
ends 0 "on request" $smki --json crl --shard 0
same "a sequence of its own" "$((before + 1))" "$(jq .crlNumber "$work/stdout")"
refuses 66 "one nothing was issued for" 'shard 4711' $smki crl --shard 4711
refuses 65 "no number" 'shard x' $smki crl --shard x
before=$(number issuing-0)
ends 0 "a change elsewhere" $smki crl
same "no new list" "$before" "$(number issuing-0)"
# The delta for the complete list just made: after it nothing is due.
complete=$(number issuing)
continued() {
	get issuing-delta && [ "$(base)" = "$complete" ]
}
within 30 "the delta that continues it" continued
for name in issuing-delta issuing-0; do
	same "GET" "200 application/pkix-crl" "$(curl -sS -o "$work/body" -D "$work/head" \
	    -w '%{http_code} %{content_type}' "$url/crl/$name.crl")"
	etag=$(sed -n 's/^ETag: *//Ip' "$work/head" | tr -d '\r')
	same "ETag" "\"$(sha256sum <"$work/body" | cut -c 1-64)\"" "$etag"
	same "by its tag" 304 "$(curl -sS -o "$work/none" -w '%{http_code}' \
	    -H "If-None-Match: $etag" "$url/crl/$name.crl")"
done
for name in issuing-1 issuing-00 issuing-+0 issuing-0x issuing- issuing-delta-0 root-delta issuing.0 \
    issuing.delta; do
	same "$name" 404 "$(curl -sS -o "$work/none" -w '%{http_code}' "$url/crl/$name.crl")"
done

title "another URL"
down
sed -i 's#^url = .*#url = http://other.example#' "$home/smki.conf"
up
url=http://$http
meter 00db123400000021 digitalSignature other
openssl x509 -in "$dir/other.pem" -noout -text >"$work/text"
has "the shard stays where it was" "URI:$uri" "$work/text"
ends 0 "its list" $smki crl --shard 0
true_that "judged" by_shard other

title "numbers under concurrency and SIGKILL"
# Each asks again and again until it is refused; what it got is in $work/numbers.NAME.
ask() {
	name=$1
	shift
	while said=$($smki --json crl "$@" 2>/dev/null); do
		echo "$said" | jq .crlNumber >>"$work/numbers.$name"
	done
}
some() {
	for of in complete delta shard; do
		[ "$(wc -l <"$work/numbers.$of")" -ge "$1" ] || return 1
	done
}
# No list is half made; one that is being made now is finished soon.
whole() {
	! ls "$home/crl" | grep -q new
}
seen=0 seen_shard=0
for round in 1 2 3; do
	: >"$work/numbers.complete" >"$work/numbers.delta" >"$work/numbers.shard"
	ask complete & asking=$!
	ask delta --delta & asking="$asking $!"
	ask shard --shard 0 & asking="$asking $!"
	within 60 "some lists" some 2
	kill -KILL "$(child_of "$run" smkid)"
	wait $asking
	kill -TERM "$run" 2>/dev/null
	ended "$run"
	sort -n "$work/numbers.complete" "$work/numbers.delta" >"$work/sorted"
	same "no number twice" '' "$(uniq -d "$work/sorted")"
	true_that "above those before" test "$(head -n 1 "$work/sorted")" -gt "$seen"
	true_that "in order" sort -nc "$work/numbers.complete"
	true_that "in order" sort -nc "$work/numbers.delta"
	true_that "in order" sort -ncu "$work/numbers.shard"
	true_that "above those before" test "$(head -n 1 "$work/numbers.shard")" -gt "$seen_shard"
	seen=$(tail -n 1 "$work/sorted")
	seen_shard=$(tail -n 1 "$work/numbers.shard")
	up
	url=http://$http
	within 30 "nothing half made" whole
	for name in issuing issuing-delta issuing-0; do
		true_that "whole" get "$name"
	done
	true_that "valid" by_delta valid
	false_that "revoked" by_delta revoked
	false_that "revoked" by_shard revoked
done
# RFC 5280 5.2.3: a complete list and a delta of one time would have to have one number.
"$python" -c 'import sqlite3, sys
for row in sqlite3.connect("file:%s?mode=ro" % sys.argv[1], uri=True).execute(
        "SELECT ca, this_update FROM crl WHERE event IS NOT NULL GROUP BY 1, 2 HAVING count(*) > 1"):
    print(*row)' "$home/db/smki.db" >"$work/stdout" || fail "the lists are not read"
same "no two of one time" '' "$(cat "$work/stdout")"
down
finish
