#!/bin/sh
# Issued certificates, judged by OpenSSL, GnuTLS and asn1crypto; and the rules of issuing that an
# operator meets: on hold, device, replacement, retry, a new profile.
#
#   certificate.sh BUILD_ROOT SOURCE_ROOT
set -u
. "$2/tests/system/lib.sh"
needs openssl certtool curl jq
"$python" -c 'import asn1crypto' 2>/dev/null || skip "no asn1crypto for $python"

hw_type=1.3.6.1.4.1.32473.1.1
policy=1.2.826.0.1.8641679.1.2.1.4
make_home
up
true_that "export of the CA certificates" demo_chain
openssl x509 -in "$dir/issuing.pem" -outform DER -out "$dir/issuing.der"

# decodes KIND NAME ARGUMENT...
decodes() {
	decode_kind=$1 decode_name=$2
	shift 2
	openssl x509 -in "$dir/$decode_name.pem" -outform DER -out "$dir/$decode_name.der"
	decoded=$("$python" "$source/tests/system/certificate.py" "$decode_kind" \
	    "$dir/$decode_name.der" "$dir/issuing.der" "$@") || fail "asn1crypto: $decode_name"
	checks=$((checks + decoded))
}

# verifies NAME: by two libraries, strictly.
verifies() {
	true_that "openssl verify" demo_verify "$dir/$1.pem"
	cat "$dir/$1.pem" "$dir/issuing.pem" >"$dir/$1.chain.pem"
	ends 0 "certtool --verify" certtool --verify --load-ca-certificate "$dir/root.pem" \
	    --infile "$dir/$1.chain.pem"
	has "certtool's verdict" 'Chain verification output: Verified' "$work/stdout"
}

title "device certificates"
i=0
for pair in digitalSignature/digital_signature keyAgreement/key_agreement; do
	for eui in 00db1234560a0001 ffffffffffffffff 0000000000000000; do
		i=$((i + 1))
		meter "$eui" "${pair%/*}" "d$i"
		verifies "d$i"
		decodes device "d$i" "$eui" "${pair#*/}" "$hw_type"
		true_that "valid under its policy" demo_verify "$dir/d$i.pem" -explicit_policy \
		    -policy "$policy"
		false_that "valid under another policy" demo_verify "$dir/d$i.pem" \
		    -explicit_policy -policy 1.2.3
	done
done
same "all serials differ" 6 "$(for i in 1 2 3 4 5 6; do
	demo_serial "$dir/d$i.pem"
done | sort -u | wc -l)"
same "what show says" "00db1234560a0001 device-signature valid" "$($smki --json show \
    "$dir/d1.pem" | jq -r '"\(.holder) \(.profile) \(.state)"')"
same "show --pem prints the certificate" "$(cat "$dir/d1.pem")" "$($smki show --pem "$(demo_serial \
    "$dir/d1.pem")")"
same "so does --json" "$(cat "$dir/d1.pem")" "$($smki --json show --pem "$dir/d1.pem" |
    jq -r .certificate)"
same "only when asked" null "$($smki --json show "$dir/d1.pem" | jq .certificate)"

title "every shape of a request gives a certificate"
number=0
for file in "$source"/tests/corpus/csr/good/*; do
	name=$(basename "$file")
	profile=
	case $name in
	organisation-one-rdn.der | no-attributes.der) continue ;; # well formed; no profile takes them
	*-gb.der) continue ;;                                     # the same device, another hwType
	organisation*) profile='--profile organisation' ;;
	*server*) profile='--profile tls-server' ;;
	esac
	# Most are one request in many shapes: the same certificate is the right answer.
	# shellcheck disable=SC2086
	ends 0 "issue $name" $smki issue --replace $profile --out "$dir/good.pem" "$file"
	number=$((number + 1))
	true_that "openssl verify: $name" demo_verify "$dir/good.pem"
done
differ "files tried" 0 "$number"
refuses 65 "no usage asked for" 'RFC 5280 4.2.1.3' \
    $smki issue "$source/tests/corpus/csr/good/no-attributes.der"

title "organisation"
organisation org 90b3d51f30000001 4
ends 0 "openssl reads the request" openssl req -inform DER -in "$dir/org.csr" -noout -verify
ends 0 "issue" $smki issue --profile organisation --out "$dir/org.pem" "$dir/org.csr"
verifies org
decodes organisation org 90b3d51f30000001 key_agreement 02

title "TLS server"
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$dir/tls.key" \
    -subj / -addext 'subjectAltName = DNS:ca.example,DNS:localhost,IP:127.0.0.1' \
    -out "$dir/tls.csr" 2>/dev/null
ends 0 "issue" $smki issue --profile tls-server --out "$dir/tls.pem" "$dir/tls.csr"
verifies tls
decodes server tls ca.example localhost 127.0.0.1
true_that "good for a TLS server" demo_verify "$dir/tls.pem" -purpose sslserver \
    -verify_hostname ca.example
ends 0 "certtool agrees" certtool --verify --load-ca-certificate "$dir/root.pem" \
    --verify-hostname localhost --verify-purpose 1.3.6.1.5.5.7.3.1 --infile "$dir/tls.chain.pem"
false_that "a meter is a TLS server" demo_verify "$dir/d1.pem" -purpose sslserver \
    -verify_hostname ca.example

title "on hold from the beginning"
meter 00db123456780010 digitalSignature held --on-hold
same "state" hold "$(state_of "$serial")"
same "history" "issue" "$($smki --json show "$serial" | jq -r '[.events[].action] | join(" ")')"
same "OCSP" 'revoked(certificateHold)' "$(demo_ask "$dir/held.pem")"
says "$serial valid" $smki reactivate "$serial"
same "OCSP" good "$(demo_ask "$dir/held.pem")"

title "--device"
demo_meter 00db123456780011 digitalSignature dev
refuses 65 "the request is another's" 00db123456780012 \
    $smki issue --device 00db123456780012 "$dir/dev.csr"
refuses 66 "nothing was issued" 00db123456780011 $smki show 00db123456780011
ends 0 "the request is its own" $smki issue --device 00-DB-12-34-56-78-00-11 \
    --out "$dir/dev.pem" "$dir/dev.csr"
verifies dev

title "retry: the same certificate again"
ends 0 "again" $smki issue "$dir/dev.csr"
same "on standard output" "$(cat "$dir/dev.pem")" "$(cat "$work/stdout")"
has "said" "already issued" "$work/stderr"
openssl req -in "$dir/dev.csr" -outform DER -out "$dir/dev.csr.der"
ends 0 "as DER by standard input" sh -c "$smki issue - <$dir/dev.csr.der"
same "the same" "$(cat "$dir/dev.pem")" "$(cat "$work/stdout")"
ends 0 "JSON" $smki --json issue "$dir/dev.csr"
same "JSON says so" true "$(jq -r .existing "$work/stdout")"
same "with the bytes" "$(cat "$dir/dev.pem")" "$(jq -j .certificate "$work/stdout")"
same "one certificate" 1 "$($smki list --device 00db123456780011 | wc -l)"

title "--replace"
demo_meter 00db123456780011 digitalSignature dev2
refuses 73 "a new key for the device" '--replace' $smki issue "$dir/dev2.csr"
serial=$(demo_serial "$dir/dev.pem")
ends 0 "hold" $smki hold "$serial"
refuses 73 "a new key past a hold" 'is on hold' $smki issue --replace "$dir/dev2.csr"
ends 0 "reactivate" $smki reactivate "$serial"
ends 0 "wanted" $smki issue --replace --out "$dir/dev2.pem" "$dir/dev2.csr"
verifies dev2
same "two certificates" 2 "$($smki list --device 00db123456780011 --state valid | wc -l)"
demo_request 00db123456780012 digitalSignature dev dev3
refuses 73 "the key of another device" 'another holder already, by certificate ' \
    $smki issue "$dir/dev3.csr"
demo_request 00db123456780011 keyAgreement dev dev4
refuses 73 "one key for two usages" 'another usage already, by certificate ' \
    $smki issue "$dir/dev4.csr"
serial=$(demo_serial "$dir/dev.pem")
ends 0 "revoke" $smki revoke "$serial"
refuses 73 "a revoked key again" 'make a new key' $smki issue "$dir/dev.csr"

title "a device with many"
sed -i 's/^certificates_per_device = .*/certificates_per_device = 200/' "$home/smki.conf"
down
up
eui=00db123456780015
i=0
while [ "$i" -lt 130 ]; do
	i=$((i + 1))
	demo_meter $eui digitalSignature many && $smki issue --replace --out "$dir/many.pem" \
	    "$dir/many.csr" 2>"$work/stderr" || fail "certificate $i: $(cat "$work/stderr")"
done
$smki --json show $eui | jq -r .serial | sort >"$work/shown"
same "show" 130 "$(wc -l <"$work/shown")"
same "each once" '' "$(uniq -d "$work/shown")"
same "show --pem" 130 "$($smki show --pem $eui | grep -c '^-----BEGIN CERTIFICATE-----$')"
ends 0 "revoke all of them" $smki revoke --device $eui
same "as told" 130 "$(grep -c ' revoked ' "$work/stdout")"
same "none is left" '' "$($smki list --device $eui --state valid)"

title "a file that claims a serial"
serial=$(openssl x509 -in "$dir/many.pem" -noout -serial | cut -d= -f2 | tr 'A-F' 'a-f')
ends 0 "show of the file" $smki show "$dir/many.pem"
has "the one that was issued" "serial    $serial" "$work/stdout"
(echo "# before it" && cat "$dir/many.pem" && echo "behind it") >"$work/text.pem"
ends 0 "with text around it" $smki show "$work/text.pem"
cat "$dir/many.pem" "$dir/d1.pem" >"$work/two.pem"
refuses 65 "two of them" "more than one certificate" $smki show "$work/two.pem"
true_that "forge" openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x \
    -set_serial "0x$serial" -addext basicConstraints=critical,CA:false \
    -addext keyUsage=critical,digitalSignature -keyout "$work/forged.key" \
    -out "$work/forged.pem"
for option in '' --pem; do
	# shellcheck disable=SC2086
	refuses 73 "not vouched for" "is not the certificate with the serial $serial" \
	    $smki show $option "$work/forged.pem"
done

title "a list of more than one piece"
# The last revoked goes out of the order of issue.
"$python" -c 'import sqlite3, sys
for row in sqlite3.connect("file:%s?mode=ro" % sys.argv[1], uri=True).execute(
        "SELECT lower(hex(serial)) FROM certificate_now WHERE state = 2 ORDER BY event"):
    print(row[0])' "$home/db/smki.db" >"$work/revoked"
for filter in '--state revoked' '--state revoked --ca issuing' '--state revoked --since 1970-01-01T00:00:01Z' \
    '--state revoked --limit 500'; do
	# shellcheck disable=SC2086
	$smki --json list $filter | jq -r .serial >"$work/listed"
	true_that "list $filter" cmp "$work/revoked" "$work/listed"
done
$smki --json list --state revoked --limit 120 | jq -r .serial >"$work/listed"
same "a limit" "$(head -n 120 "$work/revoked")" "$(cat "$work/listed")"
true_that "more than a piece" test "$(wc -l <"$work/revoked")" -gt 130
same "revoked at the root" '' "$($smki list --state revoked --ca root)"

title "a profile is a file"
sed -e 's/^description = .*/description = Both usages/' -e 's/method-2/method-1/' \
    -e 's/^key_usage = .*/key_usage = digitalSignature, keyAgreement/' \
    "$source/policies/device-signature.cnf" >"$dir/fan-device.cnf"
ends 0 "profile check" $smki profile check "$dir/fan-device.cnf"
demo_meter 00db123456780013 'digitalSignature,keyAgreement' both
refuses 66 "not yet there" fan-device $smki issue --profile fan-device "$dir/both.csr"
cp "$dir/fan-device.cnf" "$home/policies/"
down
up
ends 0 "issue" $smki issue --profile fan-device --out "$dir/both.pem" "$dir/both.csr"
verifies both
same "both usages" "Digital Signature, Key Agreement" "$(openssl x509 -in "$dir/both.pem" -noout \
    -ext keyUsage | sed -n '2s/^ *//p')"
same "in the list" 1 "$($smki profile list | grep -c '^fan-device .*Both usages')"
down
finish
