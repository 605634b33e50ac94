#!/bin/sh
# EST with foreign clients, over TLS 1.3: strongSwan's pki enrols, waits for an approval, enrols anew
# by its certificate; curl does what pki cannot. openssl judges what they got.
#
#   est.sh BUILD_ROOT SOURCE_ROOT STRONGSWAN_NAMES
set -u
. "$2/tests/system/lib.sh"
names=$3
needs openssl curl jq pki
pki --help 2>&1 | grep -q -- --estca || skip "no strongSwan pki with EST here"

STRONGSWAN_CONF=$work/strongswan.conf
export STRONGSWAN_CONF
cat >"$STRONGSWAN_CONF" <<'CONF'
pki {
	load = random nonce openssl x509 revocation pubkey pkcs1 pkcs7 pkcs8 pkcs12 pem curl
	tls {
		version_max = 1.3
	}
}
CONF

# strongswan ARGUMENT...: its pki; what it says into $work/pki.
strongswan() {
	ASAN_OPTIONS= LD_PRELOAD=$names pki "$@" 2>"$work/pki"
}

# strongswan_est NAME [OPTION...]: send $dir/NAME.csr, the certificate into $dir/NAME.pem.
strongswan_est() {
	strongswan_name=$1
	shift
	strongswan --est --url "https://127.0.0.1:$https" --in "$dir/$strongswan_name.csr" \
	    --cacert "$dir/root.pem" --cacert "$dir/issuing.pem" --interval 1 --outform pem "$@" \
	    >"$dir/$strongswan_name.pem"
}

# issued NAME KEY: $dir/NAME.pem is good for a relying party, and for $dir/KEY.key.
issued() {
	true_that "openssl verifies $1" demo_verify "$dir/$1.pem"
	of_key "$1" "$2"
	same "one certificate in $1" 1 "$(grep -c BEGIN "$dir/$1.pem")"
}

# alt_name NAME: octets of subjectAltName.
alt_name() {
	openssl x509 -in "$dir/$1.pem" -outform DER | openssl asn1parse -inform DER |
	    sed -n '/X509v3 Subject Alternative Name/,/OCTET STRING/s/.*HEX DUMP\]://p'
}

# est [LABEL/]OPERATION NAME [CURL OPTION...]: send $dir/NAME.csr; the answer stays as it is.
est() {
	est_op=$1 est_name=$2
	shift 2
	openssl req -in "$dir/$est_name.csr" -outform DER | openssl base64 -A >"$dir/request.b64"
	sends "$est_op" -H 'Content-Type: application/pkcs10' --data-binary "@$dir/request.b64" "$@"
}

# sends OPERATION CURL OPTION...
sends() {
	sends_op=$1
	shift
	demo_curl "/.well-known/est/$sends_op" "$@"
}

# a_line WHAT: the answer is one line of text.
a_line() {
	has "$1" 'Content-Type: text/plain' "$dir/headers"
	same "$1: one line" 1 "$(wc -l <"$dir/answer")"
}

# By address: not every machine can look up localhost.
make_home --name localhost --name 127.0.0.1
demo_manufacturer acme || fail "no manufacturer"
sed 's/^description = .*/description = Device whose key is made for it/
/^scopes/d' "$home/policies/device-signature.cnf" >"$home/policies/made.cnf"
echo 'server_keygen = yes' >>"$home/policies/made.cnf"
sed -i '/^\[enrol\]/,/^$/d' "$home/smki.conf"
printf '\n[enrol]\nretry_after = 1\ndevice_per_day = 20\n' >>"$home/smki.conf"
up
demo_https "$home" || fail "run/addresses names no TLS listener"
true_that "export of the CA certificates" demo_chain

title "strongSwan: CA certificates"
ends 0 "pki --estca" strongswan --estca --url "https://127.0.0.1:$https" \
    --cacert "$dir/root.pem" --caout "$dir/got.pem" --outform pem
has "over TLS 1.3" 'negotiated TLS 1.3' "$work/pki"
for pair in got/root got-1/issuing; do
	same "${pair#*/}" "$(openssl x509 -in "$dir/${pair#*/}.pem" -noout -fingerprint -sha256)" \
	    "$(openssl x509 -in "$dir/${pair%/*}.pem" -noout -fingerprint -sha256)"
done

title "strongSwan: a secret"
eui=00db123400000001
enrolling $eui --secret
demo_meter $eui digitalSignature first
false_that "a wrong secret" strongswan_est first --userpass "$eui:AEBAGBAFAYDQQCIKBMGA2DQPCA"
has "told so" 'HTTP 401' "$work/pki"
true_that "pki --est" strongswan_est first --userpass "$eui:$secret"
has "over TLS 1.3" 'negotiated TLS 1.3' "$work/pki"
issued first first
first=$(demo_serial "$dir/first.pem")
same "in force" valid "$(state_of "$first")"

title "strongSwan: by its certificate"
demo_meter $eui digitalSignature second
false_that "another key with the secret" strongswan_est second --userpass "$eui:$secret"
has "a conflict" 'HTTP 409' "$work/pki"
true_that "pki --est --cert" strongswan_est second --cert "$dir/first.pem" --key "$dir/first.key"
has "over TLS 1.3" 'negotiated TLS 1.3' "$work/pki"
issued second second
differ "another certificate" "$first" "$(demo_serial "$dir/second.pem")"
differ "a name" '' "$(alt_name second)"
same "the same name" "$(alt_name first)" "$(alt_name second)"
same "the earlier one stays" valid "$(state_of "$first")"
same "in history" 1 "$($smki --json device show $eui | jq '[.events[] | select(.action == "rekey")] | length')"

title "strongSwan: an approval"
eui=00db123400000002
enrolling $eui --secret --approval
demo_meter $eui digitalSignature waiting
spawn waiting strongswan_est waiting --userpass "$eui:$secret"
asked_twice() {
	[ "$(grep -c 'EST request pending\|going to sleep' "$work/pki")" -ge 3 ]
}
within 60 "it asks again and again" asked_twice
same "nothing issued" '' "$($smki list --device $eui)"
ends 0 "approve" $smki device approve $eui
ended "$waiting"
same "pki ends with 0" 0 "$ended"
issued waiting waiting

title "curl: CA certificates"
gets 200 "cacerts" demo_curl /.well-known/est/cacerts
has "type" 'Content-Type: application/pkcs7-mime' "$dir/headers"
same "one line" 1 "$(wc -l <"$dir/answer")"
openssl base64 -d -A -in "$dir/answer" -out "$work/cms"
true_that "CMS" openssl cms -inform DER -in "$work/cms" -cmsout -print -out "$work/cms.text"
same "certificates alone (RFC 5652 5.1, RFC 7030 4.1.3)" 'version: 1
eContent: <ABSENT>
digestAlgorithms: <EMPTY>
crls: <ABSENT>
signerInfos: <EMPTY>' "$(sed -n 's/^    \(version: .*\)/\1/p; s/^      \(eContent: .*\)/\1/p' "$work/cms.text"
for set in digestAlgorithms crls signerInfos; do
	grep -A 1 "^    $set:" "$work/cms.text" | xargs
done)"
demo_certs <"$dir/answer" >"$dir/cas.pem"
cat "$dir/issuing.pem" "$dir/root.pem" >"$dir/want.pem"
true_that "issuing CA and root" cmp "$dir/cas.pem" "$dir/want.pem"

title "curl: what a request must hold"
# attributes LABEL: the object identifiers and strings, in their order.
attributes() {
	same "csrattrs of $1" 200 "$(demo_curl "/.well-known/est/${1:+$1/}csrattrs")"
	has "type" 'Content-Type: application/csrattrs' "$dir/headers"
	attributes=$(openssl base64 -d -A -in "$dir/answer" | openssl asn1parse -inform DER |
	    sed -n 's/.*prim: OBJECT *://p; s/.*HEX DUMP\]://p' | paste -sd '|' -)
}
attributes ''
same "without a label" \
    'id-ecPublicKey|prime256v1|Extension Request|X509v3 Key Usage|03020780|ecdsa-with-SHA256' \
    "$attributes"
attributes device-agreement
same "for key agreement" \
    'id-ecPublicKey|prime256v1|Extension Request|X509v3 Key Usage|03020308|ecdsa-with-SHA256' \
    "$attributes"
gets 404 "not for meters" demo_curl /.well-known/est/organisation/csrattrs
a_line "not for meters"

title "curl: forms of a request"
eui=00db123400000003
enrolling $eui --secret
demo_meter $eui digitalSignature forms
openssl req -in "$dir/forms.csr" -outform DER -out "$dir/forms.der"
openssl base64 -A -in "$dir/forms.der" >"$dir/forms.one"
openssl base64 -in "$dir/forms.der" >"$dir/forms.lines"
sed 's/$/\r/' "$dir/forms.lines" >"$dir/forms.crlf"
sed 's/^/ \t/; s/$/\n/' "$dir/forms.lines" >"$dir/forms.blanks"
n=0
while read -r file type encoding; do
	gets 200 "$file, $type, $encoding" sends simpleenroll -K "$dir/$eui.curl" \
	    -H "Content-Type: $(echo "$type" | tr _ ' ')" \
	    ${encoding:+-H "Content-Transfer-Encoding: $encoding"} --data-binary "@$dir/$file"
	has "type" 'Content-Type: application/pkcs7-mime; smime-type=certs-only' "$dir/headers"
	lacks "RFC 8951 3.1" 'Content-Transfer-Encoding' "$dir/headers"
	if [ "$n" -eq 0 ]; then
		cp "$dir/answer" "$dir/forms.answer"
		demo_certs <"$dir/answer" >"$dir/forms.pem"
		issued forms forms
	fi
	true_that "the same answer, octet for octet" cmp "$dir/answer" "$dir/forms.answer"
	n=$((n + 1))
done <<'TABLE'
forms.one application/pkcs10
forms.one application/pkcs10 base64
forms.one application/pkcs10 binary
forms.one Application/PKCS10;_charset=us-ascii
forms.lines application/pkcs10
forms.crlf application/pkcs10 base64
forms.blanks application/pkcs10
forms.csr application/pkcs10
forms.csr application/pkcs10 8bit
TABLE
same "forms tried" 9 "$n"
same "one certificate" 1 "$($smki --json list --device $eui | wc -l)"
# A lost answer: another request of the same key, too, is answered with the same certificate.
demo_request $eui digitalSignature forms again
gets 200 "another request of the key" est simpleenroll again -K "$dir/$eui.curl"
true_that "the same certificate" cmp "$dir/answer" "$dir/forms.answer"
head -c 100 "$dir/forms.one" >"$dir/forms.half"
tr 'A-Z' '!' <"$dir/forms.one" >"$dir/forms.bad"
for file in forms.half forms.bad issuing.pem; do
	gets 400 "$file" sends simpleenroll -K "$dir/$eui.curl" \
	    -H 'Content-Type: application/pkcs10' --data-binary "@$dir/$file"
	a_line "$file"
done

title "curl: labels"
gets 200 "with its label" demo_est device-signature simpleenroll forms -K "$dir/$eui.curl"
for operation in simpleenroll simplereenroll serverkeygen; do
	gets 404 "$operation of an unknown label" demo_est nothing $operation forms \
	    -K "$dir/$eui.curl"
	a_line "unknown label"
done
for path in nothing/cacerts nothing/csrattrs frobnicate device-signature/frobnicate \
    device-signature/x/cacerts /cacerts; do
	gets 404 "$path" demo_curl "/.well-known/est/$path"
done
gets 200 "cacerts with a label" demo_curl /.well-known/est/device-agreement/cacerts
gets 403 "a label that is not for meters" demo_est organisation simpleenroll forms \
    -K "$dir/$eui.curl"
gets 400 "a label for another key usage" demo_est device-agreement simpleenroll forms \
    -K "$dir/$eui.curl"

title "curl: the key-agreement key"
demo_meter $eui keyAgreement agreement
gets 409 "the secret is another key's" demo_est device-agreement simpleenroll agreement \
    -K "$dir/$eui.curl"
gets 200 "by the signature certificate" demo_est device-agreement simpleenroll agreement \
    --cert "$dir/forms.pem" --key "$dir/forms.key"
issued agreement agreement
demo_meter $eui keyAgreement agreement2
gets 409 "another one is no first enrolment" demo_est device-agreement simpleenroll agreement2 \
    --cert "$dir/forms.pem" --key "$dir/forms.key"
# RFC 8446 4.4.2.2: a client's certificate is for signatures, else there is no session.
false_that "by itself" demo_est device-agreement simplereenroll agreement2 \
    --cert "$dir/agreement.pem" --key "$dir/agreement.key"
same "one, still" "$(demo_serial "$dir/agreement.pem")" "$($smki --json list --device $eui |
    jq -r 'select(.profile == "device-agreement") | .serial')"
gets 200 "again by the signature certificate" demo_est device-agreement simplereenroll agreement2 \
    --cert "$dir/forms.pem" --key "$dir/forms.key"
issued agreement2 agreement2

title "curl: enrol anew"
demo_meter $eui digitalSignature forms2
gets 401 "without a certificate" est simplereenroll forms2 -K "$dir/$eui.curl"
gets 200 "with it" est simplereenroll forms2 --cert "$dir/forms.pem" --key "$dir/forms.key"
demo_certs <"$dir/answer" >"$dir/forms2.pem"
issued forms2 forms2
cp "$dir/answer" "$dir/forms2.answer"
gets 200 "the same again" est simplereenroll forms2 --cert "$dir/forms.pem" --key "$dir/forms.key"
true_that "the same certificate" cmp "$dir/answer" "$dir/forms2.answer"
ends 0 "hold" $smki hold "$(demo_serial "$dir/forms2.pem")"
gets 403 "by one on hold" est simplereenroll forms2 --cert "$dir/forms2.pem" \
    --key "$dir/forms2.key"
a_line "on hold"

title "curl: a key made by the service"
eui=00db123400000004
enrolling $eui --manufacturer acme --idevid --secret
demo_meter $eui digitalSignature made
demo_idevid $eui acme factory
# made N: take apart the answer of serverkeygen: $dir/made-N.key, $dir/made-N.pem.
made() {
	has "type" 'Content-Type: multipart/mixed; boundary=' "$dir/headers"
	has "not to be kept" 'Cache-Control: no-store' "$dir/headers"
	{
		grep -i '^Content-Type' "$dir/headers" | tr -d '\r'
		echo
		cat "$dir/answer"
	} >"$work/mail"
	"$python" -c '
import email, sys
mail = email.message_from_binary_file(open(sys.argv[1], "rb"))
key, certs = mail.get_payload()
assert key.get_content_type() == "application/pkcs8", key.get_content_type()
assert certs.get_content_type() == "application/pkcs7-mime", certs.get_content_type()
assert certs.get_param("smime-type") == "certs-only"
open(sys.argv[2] + ".p8", "wb").write(key.get_payload(decode=True))
open(sys.argv[2] + ".p7", "wb").write(certs.get_payload(decode=True))' "$work/mail" "$dir/made-$1" ||
	    fail "the parts of the answer"
	true_that "PKCS#8" openssl pkcs8 -inform DER -nocrypt -in "$dir/made-$1.p8" \
	    -out "$dir/made-$1.key"
	openssl pkcs7 -inform DER -in "$dir/made-$1.p7" -print_certs |
	    sed -n '/-----BEGIN/,/-----END/p' >"$dir/made-$1.pem"
	issued "made-$1" "made-$1"
	differ "not the key of the request" "$(openssl pkey -in "$dir/made.key" -pubout)" \
	    "$(openssl pkey -in "$dir/made-$1.key" -pubout)"
}
gets 200 "serverkeygen" est made/serverkeygen made --cert "$dir/factory.pem" \
    --key "$dir/factory.key"
made 1
gets 200 "again" est made/serverkeygen made --cert "$dir/factory.pem" \
    --key "$dir/factory.key"
made 2
differ "another key" "$(cat "$dir/made-1.key")" "$(cat "$dir/made-2.key")"
differ "another certificate" "$(demo_serial "$dir/made-1.pem")" "$(demo_serial "$dir/made-2.pem")"
same "both count" 2 "$($smki --json list --device $eui | wc -l)"
"$python" -c '
import os, subprocess, sys
text = subprocess.run(["openssl", "pkey", "-in", sys.argv[2], "-noout", "-text"],
    capture_output=True, text=True, check=True).stdout
scalar = bytes.fromhex("".join(text.split("priv:")[1].split("pub:")[0].split()).replace(":", ""))[-32:]
for folder, _, files in os.walk(sys.argv[1]):
    for name in files:
        path = os.path.join(folder, name)
        if not os.path.isfile(path):
            continue
        data = open(path, "rb").read()
        if scalar in data or scalar.hex().encode() in data.lower():
            sys.exit("found in " + path)' "$home" "$dir/made-2.key" >"$work/kept" 2>&1 ||
    fail "the key is kept: $(cat "$work/kept")"
pass
gets 403 "with a secret" est made/serverkeygen made -K "$dir/$eui.curl"
gets 401 "with nothing" est made/serverkeygen made
gets 403 "with a certificate of ours" est made/serverkeygen made --cert "$dir/made-2.pem" \
    --key "$dir/made-2.key"
gets 403 "for a profile without" est device-signature/serverkeygen made \
    --cert "$dir/factory.pem" --key "$dir/factory.key"
same "still two" 2 "$($smki --json list --device $eui | wc -l)"

title "base64 in lines"
down
echo 'est_base64 = wrapped' >>"$home/smki.conf"
up
demo_https "$home" || fail "run/addresses names no TLS listener"
gets 200 "cacerts" demo_curl /.well-known/est/cacerts
same "lines of 64" 64 "$(awk '{ if (length($0) > n) n = length($0) } END { print n }' "$dir/answer")"
true_that "openssl reads it without -A" openssl base64 -d -in "$dir/answer" -out "$work/cms2"
true_that "the same" cmp "$work/cms" "$work/cms2"
cp "$dir/forms.answer" "$work/earlier"
gets 200 "a certificate" est simpleenroll forms -K "$dir/00db123400000003.curl"
same "the same, but for the lines" "$(tr -d '\n' <"$work/earlier")" "$(tr -d '\r\n' <"$dir/answer")"
down
finish
