#!/bin/sh
# Every route of the TLS listener with every credential, good and bad, and every bad input with the
# best one: the tables with what is to come of it stand in matrix.py. Here the credentials are made.
#
#   matrix.sh BUILD_ROOT SOURCE_ROOT
set -u
. "$2/tests/system/lib.sh"
needs openssl curl jq

hw=1.3.6.1.4.1.32473.1.1
oui=00db12346d0000

# registered NN OPTION...: the device with this number; its secret, if it has one, into secrets.
registered() {
	registered_nn=$1
	shift
	ends 0 "device $registered_nn" $smki device add "$oui$registered_nn" --hw-type "$hw" "$@"
	awk '$2 == "secret" { print substr($1, 15), $3 }' "$work/stdout" >>"$dir/secrets"
}

# request NN: key and request of that device.
request() {
	demo_meter "$oui$1" digitalSignature "$1" || fail "request of $1"
}

# of_factory NN MANUFACTURER: IDevID of that device, NN-id.
of_factory() {
	demo_idevid "$oui$1" "$2" "$1-id" 2>/dev/null || fail "IDevID of $1"
}

# ours NN [USAGE]: our certificate of that device, NN-ours.
ours() {
	meter "$oui$1" "${2:-digitalSignature}" "$1-ours"
}

title "home"
make_home
sed 's/^description = .*/description = Device, key made by the service/
s/^enrol = yes/&\nserver_keygen = yes/' "$home/policies/device-signature.cnf" \
    >"$home/policies/device-server.cnf"
demo_manufacturer acme 2>/dev/null && echo 'crl = anchors/acme.crl.pem' \
    >>"$home/policies/manufacturers.cnf"
demo_manufacturer zen 2>/dev/null
# A CA of the same name as a real one.
demo_key lookalike-ca
openssl req -x509 -new -key "$dir/lookalike-ca.key" -subj '/O=acme/CN=acme enrolment CA' -days 3650 \
    -addext keyUsage=critical,keyCertSign,cRLSign -out "$dir/lookalike-ca.pem"
# What the manufacturer takes back stands in its CRL before the services read it.
of_factory 06 acme
serial=$(openssl x509 -in "$dir/06-id.pem" -noout -serial | sed 's/^serial=//')
printf 'R\t360101000000Z\t260101000000Z\t%s\tunknown\t/CN=Meter\n' "$serial" >"$dir/index"
cat >"$dir/ca.cnf" <<CNF
[ca]
default_ca = acme
[acme]
database = $dir/index
default_md = sha256
default_crl_days = 30
CNF
true_that "the manufacturer's CRL" openssl ca -gencrl -config "$dir/ca.cnf" \
    -keyfile "$dir/acme-ca.key" -cert "$dir/acme-ca.pem" -out "$home/policies/anchors/acme.crl.pem"
up
demo_https "$home" || fail "run/addresses names no TLS listener"
true_that "export of the CA certificates" demo_chain
ends 0 "key of the tokens" $smki token-key new

title "devices"
: >"$dir/secrets"
for nn in 02 03 04 05 06 07 08 09 0a 0c 0d 0e 15 17 19 1a 21 23 30 31 32; do
	registered "$nn" --manufacturer acme --idevid
done
for nn in 0f 10 11 12 13 14 1b 22 33; do
	registered "$nn" --manufacturer acme --secret
done
registered 01 --manufacturer acme --idevid --secret
registered 18 --manufacturer acme --idevid --end-to-end
registered 1c --manufacturer acme --idevid
registered 1d --manufacturer acme --idevid
registered 1f --manufacturer acme --idevid --approval
registered 20 --secret
for nn in 01 02 03 04 05 06 07 08 09 0a 0c 0d 0e 0f 10 11 12 13 14 15 16 17 18 19 1c 1d 1e 1f \
    20 21 22 23 30 31 32 33; do
	request "$nn"
done
registered 16 --key "$dir/16.csr"
ends 0 "hold" $smki device hold "${oui}1c"
ends 0 "retire" $smki device retire "${oui}1d"
ends 0 "hold" $smki device hold "${oui}20"

title "credentials"
demo_key rogue
EUI64=${oui}02 openssl req -x509 -new -config "$source/docs/idevid.cnf" -subj /O=acme/CN=Meter \
    -key "$dir/rogue.key" -days 30 -out "$dir/rogue.pem"
of_factory 03 lookalike
of_factory 04 zen
for nn in 15 18 19 1c 1d 1e 1f 21 22 23 30 31 32; do
	of_factory "$nn" acme
done
demo_key 05-id
openssl req -new -key "$dir/05-id.key" -subj /O=acme/CN=Meter -out "$dir/05-id.csr"
EUI64=${oui}05 openssl x509 -req -in "$dir/05-id.csr" -extfile "$source/docs/idevid.cnf" \
    -extensions extensions -CA "$dir/acme-ca.pem" -CAkey "$dir/acme-ca.key" -CAcreateserial -days 0 \
    -out "$dir/05-id.pem" 2>"$work/stderr" || fail "$(cat "$work/stderr")"
for nn in 07 08 09 17 1a; do
	ours "$nn"
	eval "serial_$nn=$serial"
done
ends 0 "hold" $smki hold "$serial_08"
ends 0 "revoke" $smki revoke "$serial_09"
ours 0c keyAgreement
demo_meter "${oui}12" digitalSignature 12-old
# Ours to the last octet but for the key and who signed.
demo_key forged-ca
openssl req -x509 -new -key "$dir/forged-ca.key" -days 30 -out "$dir/forged-ca.pem" \
    -subj "$(openssl x509 -in "$dir/issuing.pem" -noout -subject -nameopt compat | sed 's/^subject=//')"
demo_key forged
EUI64=${oui}17 USAGE=digitalSignature openssl req -new -x509 -config "$source/docs/meter.cnf" \
    -extensions extensions -subj / -key "$dir/forged.key" -CA "$dir/forged-ca.pem" \
    -CAkey "$dir/forged-ca.key" -set_serial "0x$serial_17" -out "$dir/forged.pem"
cp "$home/tls/server.pem" "$dir/server.pem"
cp "$home/tls/server.key" "$dir/server.key"
organisation org 90b3d51f30000002 0
ends 0 "organisation" $smki issue --profile organisation --out "$dir/org.pem" "$dir/org.csr"
ended_now() {
	! openssl x509 -in "$dir/05-id.pem" -noout -checkend 0 >/dev/null
}
within 10 "an IDevID ends" ended_now

title "tables"
"$python" -B "$source/tests/system/matrix.py" "$https" "$http" "$dir" "$source" \
    "$build/smki" "$home" >"$work/matrix" 2>&1 || {
	tail -n 40 "$work/matrix"
	fail "matrix.py"
}
checks=$((checks + $(tail -n 1 "$work/matrix")))
for nn in 10 11 12 33; do
	secret=$(awk -v nn="$nn" '$1 == nn { print $2 }' "$dir/secrets")
	lacks "no secret in the log" "$secret" "$work/log"
done
lacks "nothing broke" 'failed inside' "$work/log"
lacks "for no sanitizer" 'runtime error' "$work/log"
down
finish
