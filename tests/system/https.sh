#!/bin/sh
# The TLS listener of smki-httpd, judged by curl and openssl: what is found there, which versions and
# suites, whose certificate, and what slow and many peers come to.
#
#   https.sh BUILD_ROOT SOURCE_ROOT
set -u
. "$2/tests/system/lib.sh"
needs openssl curl awk

# answers STATUS WHAT PATH [CURL OPTION...]
answers() {
	answers_want=$1 answers_what=$2
	shift 2
	same "$answers_what" "$answers_want" "$(demo_curl "$@")"
}

# tls WHAT [S_CLIENT OPTION...]: handshake and one request; the session told into $work/tls.
tls() {
	printf 'GET /.well-known/est/cacerts HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' |
	    timeout 30 openssl s_client -connect "127.0.0.1:$https" -CAfile "$dir/root.pem" -ign_eof \
	        "$@" >"$work/tls" 2>&1
}

# ours WORD SECONDS: checks over sockets of our own.
ours() {
	said=$("$python" "$source/tests/system/https_raw.py" "$1" "$https" "$2" "$dir") ||
	    fail "$1: $said"
	checks=$((checks + said))
}

# conf LINE...: the TLS listener's section.
conf() {
	sed -i '/^\[https\]/,/^$/d' "$home/smki.conf"
	printf '\n[https]\nlisten = 127.0.0.1:0\n' >>"$home/smki.conf"
	for line in "$@"; do
		echo "$line" >>"$home/smki.conf"
	done
}

# metric NAME: its value.
metric() {
	curl -fsS "http://$http/metrics" | awk -v name="$1" '$1 == name { print $2 }'
}

rise() {
	up
	demo_https "$home" || fail "run/addresses names no TLS listener"
}

make_home
rise
true_that "export of the CA certificates" demo_chain
demo_key rogue
openssl req -x509 -new -key "$dir/rogue.key" -subj /CN=rogue -days 2 -out "$dir/rogue.pem"

title "what is found there"
answers 200 "EST" /.well-known/est/cacerts
answers 200 "keys of tokens" /.well-known/jwks.json
for path in /health /metrics /ocsp/MEow /crl/issuing.crl /ca/issuing.cer /; do
	answers 404 "$path is the plain listener's" "$path"
	has "problem" 'application/problem+json' "$dir/headers"
done
for path in /.well-known/est/cacerts /bootstrap /token; do
	same "$path is the TLS listener's" 404 \
	    "$(curl -sS -o "$work/plain" -w '%{http_code}' "http://$http$path")"
done
answers 405 "DELETE" /.well-known/est/cacerts -X DELETE
has "EST speaks text" 'Content-Type: text/plain' "$dir/headers"
has "what is allowed" 'Allow: ' "$dir/headers"
same "one line" 1 "$(wc -l <"$dir/answer")"
answers 405 "GET /bootstrap" /bootstrap
has "our own routes speak problem+json" 'Content-Type: application/problem+json' "$dir/headers"
answers 415 "POST /bootstrap of text" /bootstrap -H 'Content-Type: text/plain' -d x
head -c 70000 /dev/zero >"$work/big"
answers 413 "a long body" /bootstrap -H 'Content-Type: application/json' \
    --data-binary "@$work/big"
answers 413 "in chunks" /bootstrap -H 'Content-Type: application/json' \
    -H 'Transfer-Encoding: chunked' --data-binary "@$work/big"
answers 413 "of EST" /.well-known/est/simpleenroll -H 'Content-Type: application/pkcs10' \
    --data-binary "@$work/big"
has "as text" 'Content-Type: text/plain' "$dir/headers"
answers 413 "of a GET" /.well-known/est/cacerts -X GET -d x

title "versions"
tls
has "TLS 1.3" 'New, TLSv1.3, Cipher is TLS_' "$work/tls"
has "it verifies" 'Verify return code: 0 (ok)' "$work/tls"
has "a certificate is asked for" 'Requested Signature Algorithms' "$work/tls"
has "of anybody" 'No client certificate CA names sent' "$work/tls"
has "early data" 'Early data was not sent' "$work/tls"
has "an answer" 'HTTP/1.1 200' "$work/tls"
lacks "no ticket" 'New Session Ticket' "$work/tls"
tls -sess_out "$work/session"
false_that "nothing to come back with" test -e "$work/session"
for version in -tls1 -tls1_1 -tls1_2; do
	tls "$version" -cipher 'ALL:@SECLEVEL=0'
	lacks "$version is refused" 'HTTP/1.1' "$work/tls"
	has "$version has no suite" 'Cipher is (NONE)' "$work/tls"
done

title "peers"
ours peers 30
answers 403 "a stranger's certificate is seen" /token --cert "$dir/rogue.pem" \
    --key "$dir/rogue.key" -d grant_type=client_credentials
differ "and none, too" 403 "$(demo_curl /token -d grant_type=client_credentials)"

title "answers held back"
eui=00db1234000000b1
ends 0 "a device with a secret" $smki device add $eui --hw-type 1.3.6.1.4.1.32473.1.1 --secret
demo_key held
demo_request $eui digitalSignature held held
openssl req -in "$dir/held.csr" -outform DER | openssl base64 -A >"$work/request"
# guess: a wrong secret; prints the status and the milliseconds it took.
guess() {
	curl -sS --max-time 30 --cacert "$dir/root.pem" -u "$eui:AAAAAAAAAAAAAAAAAAAAAAAAAA" \
	    -H 'Content-Type: application/pkcs10' --data-binary "@$work/request" -o "$work/guess" \
	    -w '%{http_code} %{time_total}' "https://localhost:$https/.well-known/est/simpleenroll" |
	    awk '{ print $1, int($2 * 1000) }'
}
for least in 250 500 1000; do
	guessed=$(guess)
	same "a wrong secret ($guessed)" 401 "${guessed% *}"
	true_that "is held back ($guessed)" test "${guessed#* }" -ge $least
done

title "many"
ours flood 30
true_that "refused by the limit" test "$(metric 'smki_http_over_limit_total{listener="https"}')" -gt 500
true_that "handshakes" test "$(metric 'smki_tls_handshakes_total{result="done"}')" -gt 20
true_that "none of them" test "$(metric 'smki_tls_handshakes_total{result="failed"}')" -gt 3
no_connection() {
	[ "$(metric 'smki_http_connections{listener="https"}')" = 0 ]
}
within 20 "all are gone" no_connection
refusals() {
	curl -fsS "http://$http/metrics" | awk '/^smki_refusals_total/ { n += $2 } END { print n + 0 }'
}
before=$(refusals)
for i in 1 2 3 4; do
	guess >"$work/guess.$i" &
done
true_that "others are served meanwhile" test "$(demo_curl /.well-known/est/cacerts)" = 200
all_refused() {
	[ "$(refusals)" -ge $((before + 4)) ]
}
within 20 "all are refused, and held back" all_refused
down
wait
same "at the end all are answered" 4 "$(cat "$work"/guess.? | grep -c '^401 ')"

title "TLS 1.2 when it is wanted"
conf 'min_version = 1.2' 'timeout = 3s'
rise
tls -tls1_2
has "it is spoken" 'New, TLSv1.2, Cipher is ECDHE-ECDSA-' "$work/tls"
tls -tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256
has "with AES-128-GCM" 'HTTP/1.1 200' "$work/tls"
lacks "without a ticket" 'TLS session ticket:' "$work/tls"
for suite in ECDHE-ECDSA-AES128-SHA ECDHE-ECDSA-AES256-SHA384 AES128-GCM-SHA256 AES128-SHA \
    DHE-RSA-AES128-GCM-SHA256; do
	tls -tls1_2 -cipher "$suite:@SECLEVEL=0"
	lacks "$suite is refused" 'HTTP/1.1' "$work/tls"
done
tls -tls1_1 -cipher 'ALL:@SECLEVEL=0'
lacks "TLS 1.1 is refused" 'HTTP/1.1' "$work/tls"
timeout 30 openssl s_client -connect "127.0.0.1:$https" -tls1_2 -reconnect </dev/null \
    >"$work/tls" 2>&1
has "each session is" 'New, TLSv1.2' "$work/tls"
lacks "a new one" 'Reused, TLSv1.2' "$work/tls"
tls
has "TLS 1.3, still" 'New, TLSv1.3' "$work/tls"

title "halves"
ours halves 3
down
conf 'timeout = 60s' 'workers = 1' 'connections = 8' 'connections_per_address = 4'
rise
HTTPD_PID=$(child_of "$run" smki-httpd)
export HTTPD_PID
ours shake 60
ours crowd 60

title "whose certificate"
down
# An own certificate of an operator gives way to the one that smkid keeps for the same key.
cp "$home/tls/server.pem" "$work/server.pem"
openssl req -x509 -new -key "$home/tls/server.key" -subj /CN=own -days 2 \
    -out "$home/tls/server.pem"
rise
ours_is_shown() {
	tls
	grep -q 'Verify return code: 0 (ok)' "$work/tls"
}
within 30 "the database's is in use" ours_is_shown
has "it is told" 'tls: another certificate is in use' "$work/log"
down
cp "$work/server.pem" "$home/tls/server.pem"
chmod 0640 "$home/tls/server.key"
ends 77 "a key for others" "$build/smki-httpd" --home "$home"
has "which" 'tls/server.key' "$work/stderr"
chmod 0400 "$home/tls/server.key"
mv "$home/tls/server.pem" "$work"
cp "$dir/rogue.pem" "$home/tls/server.pem"
ends 65 "a certificate of another key" "$build/smki-httpd" --home "$home"
mv "$work/server.pem" "$home/tls/server.pem"

title "none"
sed -i '/^\[https\]/,$d' "$home/smki.conf"
up
lacks "no TLS listener" https "$home/run/addresses"
down
finish
