#!/bin/sh
# POST /bootstrap with curl and openssl: which key's signature counts, what it covers, which region is
# told, what is no request at all.
#
#   bootstrap.sh BUILD_ROOT SOURCE_ROOT
set -u
. "$2/tests/system/lib.sh"
needs openssl curl jq
"$python" -c 'import yaml' 2>/dev/null || skip "no python3-yaml here"

# answer JQ: of the body.
answer() {
	jq -r "$1" "$dir/answer"
}

# told NAME: the answer's certificate into $dir/NAME.pem; it is good by the answer's own chain.
told() {
	answer .certificate | openssl base64 -d -A | openssl x509 -inform DER -out "$dir/$1.pem"
	answer '.chain[0]' | openssl base64 -d -A | openssl x509 -inform DER -out "$work/issuing.pem"
	answer '.chain[1]' | openssl base64 -d -A | openssl x509 -inform DER -out "$work/root.pem"
	same "two above it" 2 "$(answer '.chain | length')"
	true_that "the root" cmp "$work/root.pem" "$dir/root.pem"
	true_that "openssl verifies $1" openssl verify -x509_strict -CAfile "$work/root.pem" \
	    -untrusted "$work/issuing.pem" "$dir/$1.pem"
	same "serial" "$(demo_serial "$dir/$1.pem" | tr A-F a-f)" "$(answer .serial)"
}

# problem WHAT TEXT: the answer is one object of application/problem+json with TEXT in its detail.
problem() {
	has "$1" 'Content-Type: application/problem+json' "$dir/headers"
	answer .detail >"$work/detail" || fail "$1: no JSON: $(cat "$dir/answer")"
	has "$1" "$2" "$work/detail"
	same "$1: one line" 1 "$(wc -l <"$work/detail")"
}

# change JQ: of the request that was made last.
change() {
	jq -c "$1" "$dir/bootstrap.json" >"$dir/bootstrap.new" &&
	    mv "$dir/bootstrap.new" "$dir/bootstrap.json"
}

# certified NAME: the certificate NAME into the request.
certified() {
	change ".certificates = [\"$(openssl x509 -in "$dir/$1.pem" -outform DER | openssl base64 -A)\"]"
}

# certificates EUI64: how many it has.
certificates() {
	$smki --json list --device "$1" | wc -l
}

# tls NAME: curl's options for a client certificate are in $tls.
tls() {
	tls="--cert $dir/$1.pem --key $dir/$1.key"
}

make_home --url http://pki.example
demo_manufacturer acme || fail "no manufacturer"
demo_manufacturer other || fail "no manufacturer"
sed 's/^description = .*/description = Device whose key is made for it/
/^scopes/d' "$home/policies/device-signature.cnf" >"$home/policies/made.cnf"
echo 'server_keygen = yes' >>"$home/policies/made.cnf"
cat >"$home/policies/regions.cnf" <<'CNF'
[region rest]
endpoint_est = https://est.rest.example
default = yes
[region benelux]
endpoint_est = https://est.benelux.example:8443
endpoint_mqtt = mqtts://broker.benelux.example:8883
countries = BE, LU, NL
position = 52.37, 4.90
[region cape]
endpoint_est = https://est.cape.example
position = -33.92, 18.42
CNF
up
demo_https "$home" || fail "run/addresses names no TLS listener"
true_that "export of the CA certificates" demo_chain

title "a secret, and the request's key"
eui=00db123400000001
enrolling $eui --secret
demo_meter $eui digitalSignature m1
demo_statement $eui m1 m1
before=$(date +%s)
gets 200 "bootstrap" demo_bootstrap -K "$dir/$eui.curl"
after=$(date +%s)
has "JSON" 'Content-Type: application/json' "$dir/headers"
has "not to be kept" 'Cache-Control: no-store' "$dir/headers"
told m1
of_key m1 m1
same "what it says" 'smki-bootstrap-v1 issued valid device-signature issuing 9999-12-31T23:59:59Z null' \
    "$(answer '"\(.version) \(.status) \(.state) \(.profile) \(.ca) \(.not_after) \(.renew_after)"')"
same "status" 'http://pki.example/ocsp http://pki.example/crl/issuing.crl' \
    "$(answer '"\(.ocsp) \(.crl)"')"
same "region" 'rest default {"est":"https://est.rest.example"}' \
    "$(answer '"\(.region) \(.region_by) \(.endpoints)"')"
now=$(date -d "$(answer .server_time)" +%s)
true_that "server time" test "$now" -ge "$((before - 1))" -a "$now" -le "$after"
"$python" - "$source/docs/openapi.yaml" "$dir/answer" <<'PY' || fail "the answer is not as openapi.yaml says"
import json, sys, yaml
schema = yaml.safe_load(open(sys.argv[1]))["components"]["schemas"]["BootstrapAnswer"]
answer = json.load(open(sys.argv[2]))
kinds = {"string": str, "array": list, "object": dict}
assert set(schema["required"]) == set(answer), set(schema["required"]) ^ set(answer)
for name, value in answer.items():
    rule = schema["properties"][name]
    if value is None:
        assert rule.get("nullable"), name
    else:
        assert isinstance(value, kinds[rule["type"]]), name
        assert value in rule.get("enum", [value]), name
PY
pass
cp "$dir/answer" "$work/first"
gets 200 "again" demo_bootstrap -K "$dir/$eui.curl"
same "the same certificate" "$(jq -r .certificate "$work/first")" "$(answer .certificate)"
demo_meter $eui digitalSignature m1b
demo_statement $eui m1b m1b
gets 409 "the secret for another key" demo_bootstrap -K "$dir/$eui.curl"
problem "used" 'enrolment secret'
demo_statement $eui m1 m1b
gets 403 "signed by another key" demo_bootstrap -K "$dir/$eui.curl"
problem "signature" 'signature'
printf 'user = "%s:AEBAGBAFAYDQQCIKBMGA2DQPCA"\n' $eui >"$dir/wrong.curl"
demo_statement $eui m1 m1
gets 401 "a wrong secret" demo_bootstrap -K "$dir/wrong.curl"
has "how to prove it" 'WWW-Authenticate: Basic realm="smki"' "$dir/headers"
same "one certificate" 1 "$(certificates $eui)"

title "a registered key"
eui=00db123400000002
demo_meter $eui digitalSignature m2
enrolling $eui --key "$dir/m2.csr"
demo_meter $eui digitalSignature m2b
demo_statement $eui m2b m2b
gets 401 "another key" demo_bootstrap
demo_statement $eui m2 m2
gets 200 "it" demo_bootstrap
told m2
of_key m2 m2

title "a manufacturer's certificate"
eui=00db123400000003
enrolling $eui --manufacturer acme --idevid
demo_idevid $eui acme i3
demo_idevid $eui other o3
demo_meter $eui digitalSignature m3
tls i3
demo_statement $eui m3 m3
# shellcheck disable=SC2086
gets 403 "signed by the request's key" demo_bootstrap $tls
problem "signature" 'signature'
demo_statement $eui m3 i3
gets 403 "signed by the manufacturer's, without its certificate" demo_bootstrap
certified o3
gets 403 "of another manufacturer" demo_bootstrap
demo_statement $eui m3 o3
certified o3
gets 403 "all of it of another manufacturer" demo_bootstrap
demo_statement $eui m3 i3
same "nothing yet" 0 "$(certificates $eui)"
# shellcheck disable=SC2086
gets 200 "in TLS" demo_bootstrap $tls
told m3
of_key m3 m3
eui=00db123400000004
enrolling $eui --manufacturer acme --idevid
demo_idevid $eui acme i4
demo_meter $eui digitalSignature m4
demo_statement $eui m4 i4
certified i4
gets 200 "in the request" demo_bootstrap
told m4

title "our certificate"
demo_meter $eui digitalSignature m4b
tls m4
demo_statement $eui m4b m4
# shellcheck disable=SC2086
gets 409 "not asked to renew" demo_bootstrap $tls
change '.renew = true'
# shellcheck disable=SC2086
gets 200 "asked to" demo_bootstrap $tls
told m4b
of_key m4b m4b
differ "another certificate" "$(demo_serial "$dir/m4.pem")" "$(demo_serial "$dir/m4b.pem")"
demo_meter $eui digitalSignature m4c
demo_statement $eui m4c m4c
change '.renew = true'
# shellcheck disable=SC2086
gets 403 "signed by the new key" demo_bootstrap $tls
demo_statement $eui m4c i4
certified i4
change '.renew = true'
gets 403 "renewed by the manufacturer's" demo_bootstrap
demo_statement $eui m4c m4b
certified m4b
change '.renew = true'
ends 0 "hold" $smki hold "$(demo_serial "$dir/m4b.pem")"
gets 403 "on hold, in the request" demo_bootstrap
ends 0 "reactivate" $smki reactivate "$(demo_serial "$dir/m4b.pem")"
gets 200 "in the request" demo_bootstrap
told m4c
demo_meter $eui keyAgreement m4k
demo_statement $eui m4k m4c
certified m4c
gets 200 "the key-agreement key" demo_bootstrap
same "its profile" device-agreement "$(answer .profile)"
told m4k

title "end to end"
eui=00db123400000005
enrolling $eui --manufacturer acme --idevid --end-to-end
demo_idevid $eui acme i5
demo_meter $eui digitalSignature m5
tls i5
# shellcheck disable=SC2086
gets 403 "by EST" demo_est device-signature simpleenroll m5 $tls
same "nothing" 0 "$(certificates $eui)"
demo_statement $eui m5 i5
# shellcheck disable=SC2086
gets 200 "stated" demo_bootstrap $tls
told m5
demo_meter $eui digitalSignature m5b
tls m5
# shellcheck disable=SC2086
gets 403 "renewed by EST" demo_est device-signature simplereenroll m5b $tls
demo_statement $eui m5b m5
change '.renew = true'
# shellcheck disable=SC2086
gets 200 "renewed, stated" demo_bootstrap $tls
told m5b
demo_statement $eui - i5
change '.profile = "made"'
tls i5
# shellcheck disable=SC2086
gets 403 "a key made for it" demo_bootstrap $tls
eui=00db123400000006
demo_meter $eui digitalSignature m6
enrolling $eui --key "$dir/m6.csr" --end-to-end
gets 200 "a registered key by EST" demo_est device-signature simpleenroll m6
eui=00db123400000007
demo_meter $eui digitalSignature m7
enrolling $eui --secret --end-to-end
gets 200 "a secret by EST" demo_est device-signature simpleenroll m7 -K "$dir/$eui.curl"

title "what the signature covers"
eui=00db123400000008
enrolling $eui --manufacturer acme --idevid
enrolling 00db123400000009 --manufacturer acme --idevid
demo_idevid $eui acme i8
demo_meter $eui digitalSignature m8
demo_meter 00db123400000009 digitalSignature m9
demo_meter $eui digitalSignature m8b
csr8b=$(openssl req -in "$dir/m8b.csr" -outform DER | openssl base64 -A)
csr9=$(openssl req -in "$dir/m9.csr" -outform DER | openssl base64 -A)
later=$(date -u -d '1 minute' +%Y-%m-%dT%H:%M:%SZ)
tls i8
n=0
while read -r what filter; do
	demo_statement $eui m8 i8 NL 52.370000,4.900000
	change "$filter" || fail "$filter"
	# shellcheck disable=SC2086
	gets 403 "$what" demo_bootstrap $tls
	problem "$what" ': '
	n=$((n + 1))
done <<TABLE
model .model="other"
no-model del(.model)
firmware .firmware="1.0.1"
time .time="$later"
country .country="BE"
no-country del(.country)
latitude .position.latitude=52.370001
longitude .position.longitude=-4.9
no-position del(.position)
hwType .hw_type="1.3.6.1.4.1.32473.1.2"
device .eui64="00db123400000009"
unregistered .eui64="00db1234000000ff"
key .csr="$csr8b"
both .eui64="00db123400000009"|.csr="$csr9"
TABLE
same "changes tried" 14 "$n"
demo_statement $eui m8 i8 NL 52.370000,4.900000
cp "$dir/statement.sig" "$work/whole.sig"
for at in 4 20 60; do
	"$python" -c 'import sys
data = bytearray(open(sys.argv[1], "rb").read())
data[int(sys.argv[2])] ^= 1
open(sys.argv[3], "wb").write(data)' "$work/whole.sig" $at "$work/bad.sig"
	demo_statement $eui m8 i8
	change ".signature = \"$(openssl base64 -A -in "$work/bad.sig")\""
	# shellcheck disable=SC2086
	gets 403 "a bit of the signature" demo_bootstrap $tls
	problem "a bit of the signature" signature
done
for time in 2020-01-01T00:00:00Z "$(date -u -d '-25 hours' +%Y-%m-%dT%H:%M:%SZ)" \
    "$(date -u -d '25 hours' +%Y-%m-%dT%H:%M:%SZ)"; do
	demo_time=$time
	demo_statement $eui m8 i8
	demo_time=
	# shellcheck disable=SC2086
	gets 403 "at $time" demo_bootstrap $tls
	problem "at $time" 'bootstrap: time: '
done
same "nothing was issued" '0 0' "$(certificates $eui) $(certificates 00db123400000009)"
demo_time=$(date -u -d '-23 hours' +%Y-%m-%dT%H:%M:%SZ)
demo_statement $eui m8 i8 NL 52.370000,4.900000
demo_time=
# shellcheck disable=SC2086
gets 200 "within a day" demo_bootstrap $tls
told m8

title "regions"
# The order: register, country, position, default; the command says the same.
while read -r n registered country position wants; do
	eui=00db1234000001$n
	[ "$registered" = - ] && registered=
	[ "$country" = - ] && country=
	[ "$position" = - ] && position=
	# shellcheck disable=SC2086
	enrolling $eui --secret ${registered:+--region $registered}
	demo_meter $eui digitalSignature r
	demo_statement $eui r r "$country" "$position"
	gets 200 "region of $eui" demo_bootstrap -K "$dir/$eui.curl"
	same "region of $eui" "$(echo "$wants" | tr _ ' ')" "$(answer '"\(.region) \(.region_by)"')"
	# shellcheck disable=SC2086
	ends 0 "region check" $smki --json region check ${registered:+--region $registered} \
	    ${country:+--country $country} ${position:+--position $position}
	same "as the command says" "$(answer '[.region, .region_by, .endpoints]')" \
	    "$(jq -r '[.region, .why, .endpoints]' "$work/stdout")"
done <<'TABLE'
01 - - - rest_default
02 - NL - benelux_country
03 - LU -33.920000,18.420000 benelux_country
04 - FR -33.920000,18.420000 cape_position
05 - - 52.000000,5.000000 benelux_position
06 - FR - rest_default
07 cape NL 52.370000,4.900000 cape_register
08 rest BE - rest_register
09 - - -90.000000,180.000000 cape_position
TABLE

title "a key made by the service"
eui=00db123400000010
enrolling $eui --manufacturer acme --idevid --secret
demo_idevid $eui acme i10
tls i10
demo_statement $eui - i10 NL
change '.profile = "made"'
# made N: the answer's key fits its certificate.
made() {
	answer .private_key | openssl base64 -d -A >"$work/made.p8"
	true_that "PKCS#8" openssl pkcs8 -inform DER -nocrypt -in "$work/made.p8" -out "$dir/made$1.key"
	told "made$1"
	of_key "made$1" "made$1"
}
# shellcheck disable=SC2086
gets 200 "made" demo_bootstrap $tls
made 1
same "region, too" benelux "$(answer .region)"
# shellcheck disable=SC2086
gets 200 "again" demo_bootstrap $tls
made 2
differ "another key" "$(cat "$dir/made1.key")" "$(cat "$dir/made2.key")"
certified i10
# shellcheck disable=SC2086
gets 200 "its certificate twice" demo_bootstrap $tls
gets 403 "not in TLS" demo_bootstrap
problem "not in TLS" 'csr: missing'
gets 403 "a secret" demo_bootstrap -K "$dir/$eui.curl"
change 'del(.certificates)'
gets 401 "nothing" demo_bootstrap
demo_statement $eui - i10
change '.profile = "device-signature"'
# shellcheck disable=SC2086
gets 403 "a profile without" demo_bootstrap $tls
change 'del(.profile)'
# shellcheck disable=SC2086
gets 400 "no profile" demo_bootstrap $tls
change '.profile = "nothing"'
# shellcheck disable=SC2086
gets 404 "no such profile" demo_bootstrap $tls
change '.profile = "made" | .renew = true'
# shellcheck disable=SC2086
gets 400 "to renew" demo_bootstrap $tls
same "three were made" 3 "$(certificates $eui)"

title "approval"
eui=00db123400000011
enrolling $eui --secret --approval
demo_meter $eui digitalSignature m11
demo_statement $eui m11 m11
gets 202 "waits" demo_bootstrap -K "$dir/$eui.curl"
has "how long" 'Retry-After: 60' "$dir/headers"
same "as JSON" 'smki-bootstrap-v1 pending 60' "$(answer '"\(.version) \(.status) \(.retry_after)"')"
ends 0 "approve" $smki device approve $eui
gets 200 "approved" demo_bootstrap -K "$dir/$eui.curl"
told m11

title "bad input"
eui=00db123400000012
enrolling $eui --secret
demo_meter $eui digitalSignature m12
n=0
while read -r what filter; do
	demo_statement $eui m12 m12
	change "$filter" || fail "$filter"
	gets 400 "$what" demo_bootstrap -K "$dir/$eui.curl"
	problem "$what" 'bootstrap: '
	n=$((n + 1))
done <<'TABLE'
unknown-member .colour="red"
no-version del(.version)
another-version .version="smki-bootstrap-v2"
no-device del(.eui64)
short-device .eui64="00db1234"
number .eui64=1
no-hwType del(.hw_type)
bad-hwType .hw_type="1.2.x"
null .model=null
long-model .model=("x"*65)
line-in-model .model="a\ncountry=NL"
no-time del(.time)
local-time .time="2026-11-22T01:00:00"
no-such-time .time="2026-02-30T01:00:00Z"
small-country .country="nl"
long-country .country="NLD"
no-longitude .position={"latitude":1}
more-in-position .position={"latitude":1,"longitude":1,"height":1}
beyond .position={"latitude":90.000001,"longitude":1}
seven-decimals .position={"latitude":1.0000001,"longitude":1}
text-position .position="1,1"
number-csr .csr=1
empty-csr .csr=""
no-signature del(.signature)
empty-signature .signature=""
bad-signature .signature="!!!!"
long-signature .signature=("AAAA"*100)
no-certificate .certificates=[]
seven .certificates=[range(7)|"AAAA"]
no-list .certificates="AAAA"
renew .renew="yes"
profile .profile="../x"
array [.]
text "text"
TABLE
same "cases tried" 34 "$n"
demo_statement $eui m12 m12
cp "$dir/bootstrap.json" "$work/good.json"
# raw WHAT: $dir/bootstrap.json is no JSON.
raw() {
	gets 400 "$1" demo_bootstrap -K "$dir/$eui.curl"
	problem "$1" 'bootstrap: body: '
}
sed 's/^{/{"country":"NL","country":"BE",/' "$work/good.json" >"$dir/bootstrap.json"
raw "a member twice"
sed 's/^{/{"eui64":"00db123400000013",/' "$work/good.json" >"$dir/bootstrap.json"
raw "the device twice"
sed 's/}$//' "$work/good.json" >"$dir/bootstrap.json"
raw "cut off"
sed 's/}$/}{}/' "$work/good.json" >"$dir/bootstrap.json"
raw "one more"
sed 's/"model":"/&\\u0000/' "$work/good.json" >"$dir/bootstrap.json"
raw "a NUL in text"
sed 's/"model":"/&\xff/' "$work/good.json" >"$dir/bootstrap.json"
raw "no UTF-8"
awk 'BEGIN { for (i = 0; i < 5000; i++) printf "["; }' >"$dir/bootstrap.json"
raw "deep"
: >"$dir/bootstrap.json"
raw "nothing"
{
	echo '{"model":"'
	head -c 40000 /dev/zero | tr '\0' x
	echo '"}'
} >"$dir/bootstrap.json"
gets 413 "too large" demo_bootstrap -K "$dir/$eui.curl"
problem "too large" 'http: '
# Whoever is still sending has to see the answer, too: it must not come before the body's end.
"$python" - "$https" "$dir/root.pem" <<'PY' || fail "too large, and slowly sent"
import select, socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[2])
plain = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 30)
peer = context.wrap_socket(plain, server_hostname="localhost")
peer.sendall(b"POST /bootstrap HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
             b"Content-Length: 40000\r\n\r\n")
for part in range(4):
    peer.sendall(b"x" * 10000)
    if part < 3:
        assert not select.select([peer], [], [], 0.1)[0], "an answer before the body's end"
answer = peer.recv(65536)
assert answer.startswith(b"HTTP/1.1 413 "), answer
PY
pass
cp "$work/good.json" "$dir/bootstrap.json"
for type in text/json application/x-www-form-urlencoded application/jsonx; do
	gets 415 "$type" demo_curl /bootstrap -H "Content-Type: $type" -K "$dir/$eui.curl" \
	    --data-binary "@$dir/bootstrap.json"
done
gets 405 "GET" demo_curl /bootstrap
has "what is allowed" 'Allow: POST' "$dir/headers"
same "nothing was issued" 0 "$(certificates $eui)"
gets 200 "the good one" demo_curl /bootstrap -K "$dir/$eui.curl" \
    -H 'Content-Type: Application/JSON; charset=utf-8' --data-binary "@$dir/bootstrap.json"
told m12

title "the guide's example, as it stands"
awk '/^```sh$/ { on = 1; next } /^```$/ { on = 0 } on' "$source/docs/enrolment.md" |
    sed "s/localhost:8443/localhost:$https/" >"$work/guide.sh"
guide_eui=$(sed -n 's/^eui=\([0-9a-f]*\) .*/\1/p' "$work/guide.sh")
enrolling "$guide_eui" --secret
mkdir "$work/guide"
ln -s "$source/docs" "$work/guide/docs"
cp "$dir/root.pem" "$work/guide"
true_that "it runs" env -C "$work/guide" "SECRET=$secret" sh -eu "$work/guide.sh"
demo_verify "$work/guide/meter.pem" >/dev/null || fail "openssl does not accept it"
same "its certificate" "$guide_eui" "$($smki --json show "$work/guide/meter.pem" | jq -r .holder)"
sed -n '/^## EST/,/^## Boot/s/^    //p' "$source/docs/enrolment.md" |
    sed "s/localhost:8443/localhost:$https/" >"$work/est.sh"
printf 'user = "%s:%s"\n' "$guide_eui" "$secret" >"$work/guide/meter.curl"
mv "$work/guide/meter.pem" "$work/guide/before.pem"
true_that "EST's examples run" env -C "$work/guide" sh -eu "$work/est.sh"
has "the CA certificates" 'subject=' "$work/stdout"
same "the same certificate" "$(openssl x509 -in "$work/guide/before.pem" -outform DER | sha256sum)" \
    "$(openssl x509 -in "$work/guide/meter.pem" -outform DER | sha256sum)"
down
finish
