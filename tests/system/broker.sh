#!/bin/sh
# The fleet's broker: mosquitto with our CA certificates and CRLs. Meters connect with the certificates
# that they enrolled for; one on hold cannot connect again once the broker has read the next CRL, its
# open session goes on until the broker is started anew.
#
#   broker.sh BUILD_ROOT SOURCE_ROOT
set -u
. "$2/tests/system/lib.sh"
needs openssl curl mosquitto mosquitto_pub mosquitto_sub

# free_port: one that nobody listens on now, and that no outgoing connection is given.
free_port() {
	"$python" -c 'import random, socket
while True:
    port = random.randrange(10240, 32768)
    try:
        socket.socket().bind(("127.0.0.1", port))
    except OSError:
        continue
    print(port)
    break'
}

# client PROGRAM NAME OPTION...: over TLS 1.3, with $dir/NAME.{pem,key} ("-": without). In place of
# the shell that calls it.
client() {
	client_program=$1
	if [ "$2" = - ]; then
		client_tls=
	else
		client_tls="--cert $dir/$2.pem --key $dir/$2.key"
	fi
	shift 2
	# shellcheck disable=SC2086
	exec timeout 120 $client_program -h 127.0.0.1 -p "$mqtt" -V mqttv5 --tls-version tlsv1.3 \
	    --cafile "$dir/root.pem" $client_tls -t readings -q 1 "$@"
}

# publishes NAME TEXT: a new connection, and a message that the broker acknowledges.
publishes() {
	(client mosquitto_pub "$1" -m "$2") >"$work/pub" 2>&1
}

# heard TEXT: by who listens.
heard() {
	grep -qxF -- "$1" "$work/heard"
}

# broker_up: the broker, its process in broker.
broker_up() {
	spawn broker mosquitto -c "$work/mosquitto.conf"
	within 30 "the broker serves" serving
}
serving() {
	gone "$broker" && fail "mosquitto ended: $(cat "$work/mosquitto.log")"
	publishes other hello
}

# lists: the CRLs as they are published now into the broker's file.
lists() {
	ends 0 "crl" $smki crl
	true_that "the lists" demo_crls
	cp "$dir/crls.pem" "$work/crls.new"
	mv "$work/crls.new" "$work/crls.pem"
}

# refused WHAT NAME: not connected, and the broker says why.
refused() {
	long=$(wc -l <"$work/mosquitto.log")
	false_that "$1" publishes "$2" never
	within 10 "$1: the broker says" said_since "$long" "$3"
}
said_since() {
	tail -n "+$(($1 + 1))" "$work/mosquitto.log" | grep -qi -- "$2"
}

make_home
up
demo_https "$home" || fail "run/addresses names no TLS listener"
true_that "export of the CA certificates" demo_chain

title "two meters, and strangers"
for pair in 1/held 2/other; do
	eui=00db12340000000${pair%/*}
	name=${pair#*/}
	enrolling "$eui" --secret
	demo_meter "$eui" digitalSignature "$name"
	gets 200 "$name enrols" demo_est device-signature simpleenroll "$name" -K "$dir/$eui.curl"
done
serial=$(demo_serial "$dir/held.pem")
# A CA of the same name as ours, and another.
for pair in twin/OU=07/CN=issuing stranger/CN=stranger; do
	name=${pair%%/*}
	demo_key "$name-ca"
	openssl req -x509 -new -key "$dir/$name-ca.key" -subj "/${pair#*/}" -days 2 \
	    -addext keyUsage=critical,keyCertSign,cRLSign -out "$dir/$name-ca.pem"
	demo_idevid 00db123400000002 "$name" "$name" || fail "no certificate of $name"
	pass
done

title "the broker"
demo_key broker
openssl req -new -key "$dir/broker.key" -subj / -addext subjectAltName=IP:127.0.0.1 \
    -out "$dir/broker.csr"
ends 0 "its certificate" $smki issue --profile tls-server --out "$dir/broker.pem" "$dir/broker.csr"
cat "$dir/issuing.pem" >>"$dir/broker.pem"
lists
mqtt=$(free_port)
cat >"$work/mosquitto.conf" <<CONF
user $(id -un)
log_dest file $work/mosquitto.log
log_type all
persistence false
listener $mqtt 127.0.0.1
cafile $dir/chain.pem
crlfile $work/crls.pem
certfile $dir/broker.pem
keyfile $dir/broker.key
require_certificate true
tls_version tlsv1.3
allow_anonymous true
CONF
: >"$work/mosquitto.log"
broker_up
: >"$work/heard"
listen() {
	client mosquitto_sub held -i held >"$work/heard"
}
arrives() {
	publishes other "$1" && heard "$1"
}
spawn listener listen
within 30 "a message from one meter to the other" arrives one
true_that "a second session of it" publishes held two
within 10 "it is heard" heard two
refused "without a certificate" - 'peer did not return a certificate'
refused "of another CA" stranger 'unknown ca\|certificate verify failed'
refused "of a CA with the same name" twin 'verify failed'

title "hold"
ends 0 "hold" $smki hold "$serial"
true_that "the broker does not know yet" publishes held three
within 10 "it is heard" heard three
lists
kill -HUP "$broker"
cannot() {
	! publishes held never
}
within 30 "it cannot connect again" cannot
refused "nor later" held 'certificate revoked\|verify failed'
within 30 "the other one can, and the open session goes on" arrives four
false_that "it has not ended" gone "$listener"

title "the broker anew"
kill -TERM "$broker"
ended "$broker"
broker_up
refused "it cannot connect" held 'verify failed'
true_that "the other one speaks" publishes other five
false_that "it hears nothing more" heard five
# Some versions of the client try for ever.
kill -TERM "$listener" 2>/dev/null
ended "$listener"

title "reactivate"
ends 0 "reactivate" $smki reactivate "$serial"
lists
kill -HUP "$broker"
within 30 "it connects" publishes held six
spawn listener listen
within 30 "it hears again" arrives seven
down
finish
