#!/bin/sh
# OCSP as clients see it: openssl, ocsptool, curl with every oddity of GET, and a client of our own
# for what proper clients do not say.
#
#   ocsp.sh BUILD_ROOT SOURCE_ROOT
set -u
. "$2/tests/system/lib.sh"
needs openssl ocsptool curl jq
"$python" -c 'import asn1crypto' 2>/dev/null || skip "no asn1crypto for $python"

make_home
up
url=http://$http
true_that "export of the CA certificates" demo_chain
for ca in root issuing; do
	openssl x509 -in "$dir/$ca.pem" -outform DER -out "$dir/$ca.der"
done
meter 00db123400000003 digitalSignature revoked
ends 0 "revoke" $smki revoke "$serial" --reason superseded
meter 00db123400000002 digitalSignature held
ends 0 "hold" $smki hold "$serial"
meter 00db123400000001 digitalSignature good
client=$source/tests/system/ocsp_client.py

# ours WORD: checks of our own client.
ours() {
	asked=$("$python" "$client" "$1" "$http" "$dir/issuing.der" "$serial") || fail "client: $1"
	checks=$((checks + asked))
}

# answer FILE: what a response says.
answer() {
	"$python" "$client" read "$1"
}

title "openssl ocsp"
# asks OPTION...: its verdict on each certificate.
asks() {
	openssl ocsp -issuer "$dir/issuing.pem" "$@" -url "$url/ocsp" -CAfile "$dir/chain.pem" \
	    >"$work/ocsp" 2>&1 || fail "openssl ocsp $*: $(cat "$work/ocsp")"
	has "verified" 'Response verify OK' "$work/ocsp"
	lacks "nonce" 'no nonce' "$work/ocsp"
	awk -v dir="$dir/" 'index($0, dir) == 1 { printf "%s%s", sep, substr($0, length(dir) + 1)
	    sep = ", " } $1 == "Reason:" { printf " %s", $2 }' "$work/ocsp"
}
all='good.pem: good, held.pem: revoked certificateHold, revoked.pem: revoked superseded'
three="-cert $dir/good.pem -cert $dir/held.pem -cert $dir/revoked.pem"
same "SHA-1, with nonce" "$all" "$(asks $three)"
same "SHA-256" "$all" "$(asks -sha256 $three)"
same "both" "$all" "$(asks -cert "$dir/good.pem" -sha256 -cert "$dir/held.pem" -sha1 \
    -cert "$dir/revoked.pem")"
same "by serial number" "0x$serial: good" \
    "$(asks -sha256 -serial "0x$serial" >/dev/null; grep '^0x' "$work/ocsp")"
same "nextUpdate" 1 "$(grep -c 'Next Update:' "$work/ocsp")"
same "without nonce" "good.pem: good" "$(openssl ocsp -no_nonce -issuer "$dir/issuing.pem" -cert \
    "$dir/good.pem" -url "$url/ocsp" -CAfile "$dir/chain.pem" 2>/dev/null |
    sed -n "s|^$dir/||p")"
ends 1 "the issuing CA's own" openssl ocsp -issuer "$dir/root.pem" -cert "$dir/issuing.pem" \
    -url "$url/ocsp" -CAfile "$dir/chain.pem"
has "the root has no responder" 'unauthorized (6)' "$work/stdout"

title "ocsptool"
# tool NAME: status as ocsptool reads it, verified.
tool() {
	ocsptool --ask="$url/ocsp" --load-issuer "$dir/issuing.pem" --load-cert "$dir/$1.pem" \
	    --load-trust "$dir/chain.pem" >"$work/tool" 2>&1
	grep -q 'Success.$' "$work/tool" || cat "$work/tool" >&2
	sed -n 's/^.*Certificate Status: //p' "$work/tool"
}
same "good" good "$(tool good)"
has "verified" 'Verifying OCSP Response: Success.' "$work/tool"
same "held" revoked "$(tool held)"
has "verified" 'Verifying OCSP Response: Success.' "$work/tool"
same "revoked" revoked "$(tool revoked)"

title "GET in every writing"
"$python" "$client" request "$dir/issuing.der" "$serial" odd >"$work/odd.req"
plain=$(openssl base64 -A -in "$work/odd.req")
# gets WHAT PATH [STATUS...]: HTTP 200 and this answer.
gets() {
	same "$1" 200 "$(curl -sS --path-as-is -o "$work/get" -w '%{http_code}' "$url$2")"
	what=$1
	shift 2
	same "$what" "${*:-successful good unknown}" "$(answer "$work/get")"
}
gets "as it is" "/ocsp/$plain"
gets "%2B %2F %3D" "/ocsp/$(echo "$plain" | sed 's/+/%2B/g; s,/,%2F,g; s/=/%3D/g')"
gets "%2b %2f %3d" "/ocsp/$(echo "$plain" | sed 's/+/%2b/g; s,/,%2f,g; s/=/%3d/g')"
gets "/ escaped, + not" "/ocsp/$(echo "$plain" | sed 's,/,%2F,g')"
gets "+ escaped, / not" "/ocsp/$(echo "$plain" | sed 's/+/%2B/g')"
gets "+ as a space" "/ocsp/$(echo "$plain" | sed 's/+/%20/g')"
gets "without padding" "/ocsp/$(echo "$plain" | sed 's/=*$//')"
gets "two slashes in front" "/ocsp//$plain"
gets "three slashes in front" "/ocsp///$plain"
gets "%2F in front" "/ocsp/%2F$plain"
gets "slashes before the path" "//ocsp/$plain"
gets "line end behind" "/ocsp/$plain%0A"
gets "CR LF behind" "/ocsp/$plain%0D%0A"
gets "every character escaped" "/ocsp/$(printf %s "$plain" | od -An -v -tx1 | tr -d '\n' |
    tr ' ' %)"
gets "with a query" "/ocsp/$plain?from=here"
gets "no request" /ocsp malformed_request
gets "an empty one" /ocsp/ malformed_request
gets "not base64" '/ocsp/%21%21%21%21' malformed_request
gets "a bad escape" "/ocsp/%zz$plain" malformed_request
gets "cut" "/ocsp/$(echo "$plain" | cut -c 1-20)" malformed_request
gets "slashes lost" "/ocsp/$(echo "$plain" | tr -d /)" malformed_request
gets "the other alphabet" "/ocsp/$(echo "$plain" | tr '+/' '-_')" malformed_request
gets "a character behind the padding" "/ocsp/$plain%41" malformed_request

title "headers"
"$python" "$client" request "$dir/issuing.der" "$serial" >"$work/req"
path=/ocsp/$(openssl base64 -A -in "$work/req" | sed 's/+/%2B/g; s,/,%2F,g; s/=/%3D/g')
# header NAME: of the last answer.
header() {
	sed -n "s/^$1: *//Ip" "$work/head" | tr -d '\r'
}
# fetch CURL_OPTION...: body in $work/body, headers in $work/head; prints the status.
fetch() {
	: >"$work/body"
	curl -sS -D "$work/head" -o "$work/body" -w '%{http_code}' "$@"
}
same "GET" 200 "$(fetch "$url$path")"
same "answer" "successful good" "$(answer "$work/body")"
same "Content-Type" application/ocsp-response "$(header Content-Type)"
same "Content-Length" "$(wc -c <"$work/body")" "$(header Content-Length)"
same "ETag is the SHA-256" "\"$(sha256sum <"$work/body" | cut -c 1-64)\"" "$(header ETag)"
etag=$(header ETag) modified=$(header Last-Modified)
next=$(openssl ocsp -respin "$work/body" -noverify -resp_text | sed -n 's/ *Next Update: //p')
same "Expires is nextUpdate" "$(date -u -d "$next" +%s)" "$(date -u -d "$(header Expires)" +%s)"
produced=$(openssl ocsp -respin "$work/body" -noverify -resp_text | sed -n 's/ *Produced At: //p')
same "Last-Modified is producedAt" "$(date -u -d "$produced" +%s)" \
    "$(date -u -d "$modified" +%s)"
cache=$(header Cache-Control)
age=$(echo "$cache" | sed -n 's/^max-age=\([0-9]*\), public, no-transform, must-revalidate$/\1/p')
true_that "max-age of: $cache" test "${age:-0}" -gt 0
true_that "max-age within nextUpdate" test "${age:-0}" -le 3600
same "Pragma" '' "$(header Pragma)"
# Two answers of one second have one date, before a change and after it.
same "If-Modified-Since" 200 "$(fetch -H "If-Modified-Since: $modified" "$url$path")"
same "If-None-Match of another" 200 "$(fetch -H 'If-None-Match: "0123"' "$url$path")"
same "If-None-Match: *" 304 "$(fetch -H 'If-None-Match: *' "$url$path")"
differ "ETag of a 304" '' "$(header ETag)"
same "HEAD" 200 "$(fetch --head "$url$path")"
same "type of a HEAD" application/ocsp-response "$(header Content-Type)"
same "POST" 200 "$(fetch -H 'Content-Type: application/ocsp-request' --data-binary "@$work/req" \
    "$url/ocsp")"
same "POST chunked" 200 "$(fetch -H 'Content-Type: application/ocsp-request' \
    -H 'Transfer-Encoding: chunked' --data-binary "@$work/req" "$url/ocsp")"
same "its answer" "successful good" "$(answer "$work/body")"
same "error answers" 200 "$(fetch "$url/ocsp/")"
has "are not kept" 'no-store' "$work/head"
same "ETag of an error" '' "$(header ETag)"
same "OPTIONS" 204 "$(fetch -X OPTIONS "$url/ocsp")"
same "Allow" "GET, HEAD, POST, OPTIONS" "$(header Allow)"
for method in PUT DELETE PATCH TRACE; do
	same "$method" 405 "$(fetch -X "$method" "$url/ocsp")"
	same "Allow" "GET, HEAD, POST, OPTIONS" "$(header Allow)"
done
same "no such path" 404 "$(fetch "$url/ocps")"
same "problem" application/problem+json "$(header Content-Type)"
same "in JSON" 404 "$(jq .status "$work/body")"
head -c 20000 /dev/zero >"$work/zeros"
same "a long body" 413 "$(fetch -H 'Content-Type: application/ocsp-request' -H 'Expect:' \
    --data-binary "@$work/zeros" "$url/ocsp")"
same "a long chunked body" 413 "$(fetch -H 'Content-Type: application/ocsp-request' -H 'Expect:' \
    -H 'Transfer-Encoding: chunked' --data-binary "@$work/zeros" "$url/ocsp")"
same "another type" 415 "$(fetch -H 'Content-Type: text/plain' --data-binary "@$work/req" \
    "$url/ocsp")"
same "a type with a parameter" 200 "$(fetch -H 'Content-Type: Application/OCSP-Request; v=1' \
    --data-binary "@$work/req" "$url/ocsp")"
same "a very long path" 414 "$(fetch "$url/ocsp/$(head -c 40000 /dev/zero | tr '\0' A)")"

title "what proper clients do not say"
ours shape
ours nonces
ours wrong

title "10,000 serials nobody issued"
ours random

title "never_issued = revoked"
down
sed -i 's/^never_issued = unknown/never_issued = revoked/' "$home/smki.conf"
up
ours revoked
same "openssl agrees" 'revoked(certificateHold)' "$(demo_ask "$dir/held.pem")"
down
finish
