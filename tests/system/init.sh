#!/bin/sh
# A new home and the daemons in it: names and modes, tokens apart, PINs nowhere to be seen.
#
#   init.sh BUILD_ROOT SOURCE_ROOT
set -u
. "$2/tests/system/lib.sh"
needs openssl curl jq pgrep softhsm2-util sqlite3

title "names and modes"
make_home --url http://ca.example/smki --name ca.example --name 192.0.2.1
# modes: the whole home but what SoftHSM keeps in its folders, sorted.
modes() {
	(cd "$home" && find . -mindepth 1 -path './tokens/*/objects/*' -prune -o -printf '%m %P\n' |
	    sed '/ $/d' | LC_ALL=C sort -k 2)
}
cat >"$work/want" <<'TABLE'
2750 crl
640 crl/root-1.crl
2750 db
640 db/smki.db
640 db/smki.db-shm
640 db/smki.db-wal
711 pin
400 pin/issuing
400 pin/issuing-so
400 pin/ocsp
400 pin/ocsp-so
400 pin/root
400 pin/root-so
755 policies
644 policies/device-agreement.cnf
644 policies/device-signature.cnf
644 policies/issuing-ca.cnf
644 policies/manufacturers.cnf
644 policies/ocsp.cnf
644 policies/organisation.cnf
644 policies/regions.cnf
644 policies/root-ca.cnf
644 policies/tls-server.cnf
3775 run
700 secret
400 secret/pepper
644 smki.conf
751 tls
400 tls/server.key
644 tls/server.pem
711 tokens
700 tokens/issuing
700 tokens/issuing/objects
400 tokens/issuing/softhsm2.conf
700 tokens/ocsp
700 tokens/ocsp/objects
400 tokens/ocsp/softhsm2.conf
700 tokens/root
700 tokens/root/objects
400 tokens/root/softhsm2.conf
TABLE
same "names and modes" "$(cat "$work/want")" "$(modes)"
same "all is ours" 0 "$(find "$home" ! -uid "$(id -u)" | wc -l)"
same "nothing of the tokens is open to others" 0 \
    "$(find "$home/tokens"/*/objects "$home/pin" -type f -perm /077 | wc -l)"
same "pepper" 32 "$(wc -c <"$home/secret/pepper")"
same "the home asked for" 'url = http://ca.example/smki' "$(grep '^url' "$home/smki.conf")"

title "tokens and PINs apart"
for role in root issuing ocsp; do
	SOFTHSM2_CONF=$home/tokens/$role/softhsm2.conf softhsm2-util --show-slots >"$work/slots"
	same "$role: its token alone" "Label:            smki-$role" \
	    "$(grep 'Label: *[a-z]' "$work/slots" | sed 's/^ *//; s/ *$//')"
	true_that "$role: a PIN" test "$(wc -c <"$home/pin/$role")" -ge 8
done
same "six different PINs" 6 "$(cd "$home/pin" && sha256sum ./* | cut -d ' ' -f 1 | sort -u |
    wc -l)"

title "what init made"
up
true_that "export of the CA certificates" demo_chain
true_that "the root" openssl verify -x509_strict -check_ss_sig -CAfile "$dir/root.pem" \
    "$dir/root.pem"
true_that "the issuing CA" openssl verify -x509_strict -CAfile "$dir/root.pem" "$dir/issuing.pem"
has "two CAs" 'CN=issuing, OU=07' "$work/init.out"
same "two CAs" "issuing root" "$($smki --json ca list | jq -r .ca | sort | paste -sd ' ' -)"
true_that "the TLS server's" demo_verify "$home/tls/server.pem" -purpose sslserver \
    -verify_hostname ca.example
true_that "its address" demo_verify "$home/tls/server.pem" -purpose sslserver -verify_ip 192.0.2.1
same "its key" "$(openssl x509 -in "$home/tls/server.pem" -noout -pubkey)" \
    "$(openssl ec -in "$home/tls/server.key" -pubout 2>/dev/null)"
same "the root's list is there" 200 "$(curl -s -o "$work/crl" -w '%{http_code}' \
    "http://$http/crl/root.crl")"
same "nothing wrong" none "$($smki status | sed -n 's/^alarm *//p')"
same "the first event" init "$(sqlite3 "$home/db/smki.db" 'SELECT action FROM event WHERE id = 1')"

title "keys stay on their tokens"
for role in root issuing ocsp; do
	grep -rlE 'BEGIN (EC )?PRIVATE KEY' "$home/tokens/$role" && fail "$role: a key in the open"
	pass
done
same "private keys in the open: the TLS server's alone" "$home/tls/server.key" \
    "$(grep -rlE 'BEGIN (EC )?PRIVATE KEY' "$home")"

title "PINs nowhere, no core dumps"
meter 00db123400000001 digitalSignature one
same "OCSP" good "$(demo_ask "$dir/one.pem")"
ends 0 "ceremony" $smki ca crl root
seen=0
for p in "$run" "$(child_of "$run" smkid)" "$(child_of "$run" smki-httpd)"; do
	for file in cmdline environ; do
		[ -r "/proc/$p/$file" ] || continue
		cp "/proc/$p/$file" "$work/$p.$file" 2>/dev/null || continue
		seen=$((seen + 1))
	done
	# smki itself holds no PIN while it waits for the daemons.
	same "core dumps of $(cat "/proc/$p/comm")" "0 0" "$(awk '/^Max core file size/ {
	    print $5, $6 }' "/proc/$p/limits")"
done
true_that "processes looked at" test "$seen" -ge 3
environ=$work/$(child_of "$run" smkid).environ
[ ! -f "$environ" ] ||
    true_that "smkid's threads keep more free memory" \
        grep -q 'GLIBC_TUNABLES=glibc\.malloc\.tcache_count=' "$environ"
down
for role in root issuing ocsp root-so issuing-so ocsp-so; do
	pin=$(cat "$home/pin/$role")
	for file in "$work"/*.cmdline "$work"/*.environ "$work/log" "$work/init.out" \
	    "$work/stdout" "$work/stderr" "$home/smki.conf" "$home/db/smki.db" \
	    "$home/db/smki.db-wal"; do
		[ -f "$file" ] || continue
		if grep -qF -- "$pin" "$file"; then
			fail "PIN of $role in $file"
		fi
		pass
	done
	same "PIN of $role on disk" "$home/pin/$role" "$(grep -rlF -- "$pin" "$home")"
done

title "the policies of a folder"
cp -R "$source/policies" "$work/policies"
mkdir -p "$work/policies/anchors/pem"
cp "$dir/root.pem" "$work/policies/anchors/pem/acme.pem"
cat >"$work/policies/manufacturers.cnf" <<'CONF'
[manufacturer acme]
anchors = anchors/pem/acme.pem
eui64 = san
CONF
rm "$work/policies/README.md"
other=$work/other
ends 0 "init" "$build/smki" --home "$other" init --name ca.example --policies "$work/policies"
same "all of it is in the home" "" "$(diff -r "$work/policies" "$other/policies")"
same "the modes" "755 anchors 755 anchors/pem 644 anchors/pem/acme.pem" \
    "$(cd "$other/policies" && find anchors -printf '%m %p\n' | LC_ALL=C sort -k 2 |
	paste -sd ' ' -)"
rm -r "$other" "$work/policies/anchors/pem/acme.pem"
ends 66 "an anchor that is not there" "$build/smki" --home "$other" init --name ca.example \
    --policies "$work/policies"
true_that "nothing is left" test ! -e "$other"

title "signals on the way"
# begun: the tokens are being made.
begun() {
	test -d "$other/tokens"
}
# Looked for without a pause: init takes a tenth of a second.
soon() {
	until begun || gone "$init"; do
		:
	done
	true_that "it is begun" begun
}
# A shell's background processes have INT and QUIT switched off.
for signal in HUP INT QUIT TERM ALRM VTALRM PROF USR1 USR2 IO PWR XCPU; do
	spawn init env --default-signal="$signal" "$build/smki" --home "$other" init
	soon
	kill -s "$signal" "$init"
	ended "$init"
	same "ended by SIG$signal" "$signal" "$(kill -l "$ended")"
	false_that "nothing is left of it" test -e "$other"
done
spawn init env --ignore-signal=HUP "$build/smki" --home "$other" init
soon
kill -s HUP "$init"
ended "$init"
same "one that is switched off" 0 "$ended"
finish
