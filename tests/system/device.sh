#!/bin/sh
# The register: every verb both ways, files that are imported whole or not at all - also when the
# command or smkid is killed on the way -, and who may do what.
#
#   device.sh BUILD_ROOT SOURCE_ROOT
set -u
. "$2/tests/system/lib.sh"
needs openssl curl jq sqlite3 faketime

hw=1.3.6.1.4.1.32473.1.1
eui=00db123400000001

make_home
sed -i 's/^administrators = .*/&\nauditors = 65533/' "$home/smki.conf"
demo_manufacturer acme
cat >"$home/policies/regions.cnf" <<'CNF'
[region north]
endpoint_est = https://est.north.example/
default = yes
CNF
up

# field EUI64 JQ: of what is registered.
field() {
	$smki --json device show "$1" | jq -r "$2"
}

# listed: how many devices are registered.
listed() {
	$smki device list | wc -l
}

# by UID COMMAND...
by() {
	by_uid=$1
	shift
	setpriv --reuid="$by_uid" --regid="$by_uid" --clear-groups "$@"
}

# events EUI64: the actions of its history, in order.
events() {
	field "$1" '[.events[].action] | join(" ")'
}

# devices N FIRST: so many rows of a CSV file with secrets.
devices() {
	awk -v n="$1" -v first="$2" -v hw="$hw" 'BEGIN {
		srand(first); a = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
		print "eui64,hw_type,model,secret"
		for (i = first; i < first + n; i++) {
			s = ""
			for (k = 0; k < 26; k++)
				s = s substr(a, 1 + int(rand() * 32), 1)
			printf "00db%04x%08x,%s,\"model, %d\",%s\n", i * 40503 % 65536, i, hw, i % 7, s
		}
	}'
}

title "add"
says "$eui added" $smki device add "$eui" --hw-type "$hw"
refuses 73 "twice" "device $eui: is registered already" $smki device add "$eui" --hw-type "$hw"
same "nothing proves it" '[ , active, true ]' "$(field $eui '"[ \(.proof), \(.state), \(.approved) ]"')"
ends 0 "with everything" $smki device add 00:DB:12:34-00-00-00-02 --hw-type "$hw" \
    --manufacturer acme --model 'Model é' --region north --idevid --secret --end-to-end --approval
same "a line each" "00db123400000002 added
00db123400000002 secret" "$(sed 's/ [A-Z2-7]\{26\}$//' "$work/stdout")"
secret=$(awk '$2 == "secret" { print $3 }' "$work/stdout")
same "its row" "acme|Model é|north|idevid+secret+end-to-end|active|false|false" \
    "$(field 00db123400000002 \
        '[.manufacturer, .model, .region, .proof, .state, .approved, .secretUsed] | map(tostring) | join("|")')"
lacks "the secret is in no log" "$secret" "$work/log"
false_that "nor in the database" grep -q "$secret" "$home/db/smki.db" "$home/db/smki.db-wal"
ends 0 "a new secret" $smki --json device secret 00db123400000002
differ "it is another one" "$secret" "$(jq -r .secret "$work/stdout")"
same "history" 'device device-secret' "$(events 00db123400000002)"
while read -r status text arguments; do
	# shellcheck disable=SC2086
	refuses "$status" "add $arguments" "$(echo "$text" | tr '~' ' ')" \
	    $smki device add 00db1234000000ff $arguments
done <<TABLE
65 hw_type: --hw-type 1.2.x
65 manufacturer:~"other" --hw-type $hw --manufacturer other
65 region:~"south" --hw-type $hw --region south
65 proof:~idevid~needs~a~manufacturer --hw-type $hw --idevid
65 proof:~end-to-end~needs --hw-type $hw --end-to-end
66 $work/none --hw-type $hw --key $work/none
65 no~public~key --hw-type $hw --key $home/smki.conf
TABLE
ends 64 "no hwType" $smki device add 00db1234000000ff
refuses 65 "no EUI-64" 'is not 8 octets' $smki device add 00db --hw-type "$hw"
refuses 66 "secret of nobody" 'is not registered' $smki device secret 00db1234000000ff
refuses 66 "show nobody" 'is not registered' $smki device show 00db1234000000ff

title "help"
for asked in device 'device add' 'device import' 'device show' "device approve $eui"; do
	# shellcheck disable=SC2086
	ends 0 "$asked --help" $smki $asked --help
	has "$asked --help" 'usage: smki device add EUI64' "$work/stdout"
	same "nothing on standard error" '' "$(cat "$work/stderr")"
done
refuses 65 "behind -- it is a name" 'is not 8 octets' $smki device approve -- --help

title "keys"
demo_meter 00db123400000010 digitalSignature m
openssl pkey -in "$dir/m.key" -pubout -out "$dir/m.pub" 2>/dev/null
openssl pkey -in "$dir/m.key" -pubout -outform DER -out "$dir/m.der" 2>/dev/null
openssl req -x509 -new -key "$dir/m.key" -subj /CN=m -out "$dir/m.cert" 2>/dev/null
openssl req -in "$dir/m.csr" -outform DER -out "$dir/m.csr.der"
openssl x509 -in "$dir/m.cert" -outform DER -out "$dir/m.cert.der"
hash=$(openssl dgst -sha256 -r "$dir/m.der" | cut -c 1-64)
n=10
for key in "$hash" "$dir/m.pub" "$dir/m.der" "$dir/m.cert" "$dir/m.cert.der" "$dir/m.csr" \
    "$dir/m.csr.der"; do
	n=$((n + 1))
	says "00db1234000000$n added" $smki device add 00db1234000000$n --hw-type "$hw" --key "$key"
	same "$key" "key $hash" "$(field 00db1234000000$n '"\(.proof) \(.keySha256)"')"
done
refuses 65 "a private key" 'holds a private key' \
    $smki device add 00db1234000000ff --hw-type "$hw" --key "$dir/m.key"
openssl genrsa 2048 2>/dev/null | openssl rsa -pubout -out "$dir/rsa.pub" 2>/dev/null
refuses 65 "no key that could enrol" 'RFC 5480' \
    $smki device add 00db1234000000ff --hw-type "$hw" --key "$dir/rsa.pub"

title "every state, every action"
n=20
while read -r from action status wants; do
	n=$((n + 1))
	device=00db1234000000$n
	ends 0 "add" $smki device add "$device" --hw-type "$hw" --approval
	case $from in
	active) ;;
	hold) ends 0 "hold" $smki device hold "$device" ;;
	retired) ends 0 "retire" $smki device retire "$device" ;;
	esac
	before=$(events "$device")
	if [ "$status" -eq 0 ]; then
		says "$device $(echo "$wants" | tr _ ' ')" $smki device "$action" "$device"
	else
		refuses "$status" "$action of one $from" "device $device: is retired" \
		    $smki device "$action" "$device"
	fi
	case $wants in
	already* | -) same "$action of one $from writes no event" "$before" "$(events "$device")" ;;
	*) same "$action of one $from writes one" "$before device-$action" "$(events "$device")" ;;
	esac
done <<'TABLE'
active hold 0 hold
active release 0 already_active
active retire 0 retired
active approve 0 approved
hold hold 0 already_hold
hold release 0 active
hold retire 0 retired
hold approve 0 approved
retired hold 73 -
retired release 73 -
retired retire 0 already_retired
retired approve 73 -
retired secret 73 -
TABLE
same "pairs tried" 13 "$((n - 20))"
ends 73 "release of a retired one" $smki device release "$device"
has "by the verb's name" "is retired, release is not possible" "$work/stderr"
says "$eui already approved" $smki device approve "$eui"

title "several at once, lists"
printf '# two\n%s\n\n00DB:1234:0000:0002\n' "$eui" >"$work/devices"
says "$eui hold
00db123400000002 hold" $smki device hold --from "$work/devices"
ends 66 "an unknown one among good ones" $smki device release "$eui" 00db1234000000ff \
    00db123400000002 zz
same "the others were done" "$eui active
00db123400000002 active" "$(cat "$work/stdout")"
same "a line each for the two" 2 "$(wc -l <"$work/stderr")"
printf '\357\273\277%s\r\n%0300d\n 00db123400000002\n' "$eui" 0 >"$work/devices"
ends 65 "a line that is none" $smki device release --from "$work/devices"
same "it is named" "smki: $work/devices:2: line is over 255 octets" "$(cat "$work/stderr")"
same "all others are done" "$eui already active
00db123400000002 already active" "$(cat "$work/stdout")"
ends 64 "nothing named" $smki device hold
ends 64 "no such verb" $smki device forget "$eui"
same "by manufacturer" 00db123400000002 \
    "$($smki device list --manufacturer acme | cut -d ' ' -f 1)"
same "by region" 00db123400000002 "$($smki device list --region north | cut -d ' ' -f 1)"
same "by state" 7 "$($smki device list --state retired | wc -l)"
same "not approved" 12 "$($smki --json device list --unapproved | jq -r .approved | grep -c false)"
same "at most" 3 "$($smki device list --limit 3 | wc -l)"
refuses 65 "no such state" '"lost" is none of' $smki device list --state lost

title "its certificates"
demo_request 00db123400000011 digitalSignature m m2
ends 0 "issue" $smki issue --out "$dir/m2.pem" "$dir/m2.csr"
same "show tells them" "$(demo_serial "$dir/m2.pem" | tr A-F a-f) valid" \
    "$(field 00db123400000011 '.certificates[] | "\(.serial) \(.state)"')"
ends 0 "hold in the register" $smki device hold 00db123400000012
demo_meter 00db123400000012 digitalSignature m3
refuses 73 "nothing is issued" 'device 00db123400000012: is on hold in the register' \
    $smki issue "$dir/m3.csr"

title "bad files"
before=$(listed)
{
	devices 5 100
	echo "00db1234,$hw,m,"
	echo "00db0000000aaaaa,$hw,m,AAAAAAAAAAAAAAAAAAAAAAAAAA"
	devices 2 102 | tail -n 1
	devices 5 200 | tail -n 5
} >"$work/bad.csv"
ends 65 "three bad lines" $smki device import "$work/bad.csv"
same "three lines" 3 "$(wc -l <"$work/stderr")"
for line in ':7: eui64: ' ':8: secret: ' ':9: eui64: 00db'; do
	has "named" "$work/bad.csv$line" "$work/stderr"
done
has "the line it doubles" 'stands on line 5 already' "$work/stderr"
same "nothing on standard output" '' "$(cat "$work/stdout")"
same "nothing imported" "$before" "$(listed)"
echo "{\"eui64\":\"00db0000000bbbbb\",\"hw_type\":\"$hw\",\"manufacturer\":\"other\"}
{\"eui64\":\"00db0000000bbbbc\",\"hw_type\":\"$hw\",\"region\":\"south\"}
{\"eui64\":\"00db0000000bbbbd\",\"hw_type\":\"$hw\",\"proof\":[\"idevid\"]}
{\"eui64\":\"00db0000000bbbbe\",\"hw_type\":\"$hw\"}" >"$work/bad.json"
ends 65 "unknown names" $smki device import "$work/bad.json"
same "their lines" "$work/bad.json:1: manufacturer:
$work/bad.json:2: region:
$work/bad.json:3: manufacturer:" "$(cut -d ' ' -f 1-2 "$work/stderr")"
refuses 66 "no such file" "$work/none: cannot be opened" $smki device import "$work/none"
: >"$work/empty"
refuses 65 "a folder" "$work: cannot be read: Is a directory" $smki device import "$work"
refuses 65 "a folder of names" "$work: cannot be read: Is a directory" \
    $smki device approve --from "$work"
refuses 65 "an empty file" 'holds no device' $smki device import "$work/empty"
first=$(grep -n . "$home/smki.conf" | head -n 1 | cut -d : -f 1)
refuses 65 "no list of devices" "$home/smki.conf:$first: header: " \
    $smki device import "$home/smki.conf"
printf '\n\r\neui64,colour\n' >"$work/blank.csv"
refuses 65 "a header behind blank lines" "$work/blank.csv:3: header: \"colour\" is no known column" \
    $smki device import "$work/blank.csv"
printf '\n%05000d\neui64,hw_type\n' 0 >"$work/long.csv"
refuses 65 "a header that is too long" "$work/long.csv:2: line: is over 4096 octets" \
    $smki device import "$work/long.csv"
lacks "the form of the others" 'smki: ' "$work/stderr"
awk 'BEGIN { print "eui64,hw_type"; for (i = 0; i < 1500; i++) print "bad,1.2.3" }' >"$work/many.csv"
ends 65 "many bad lines" $smki device import "$work/many.csv"
same "a thousand and one" 1001 "$(wc -l <"$work/stderr")"
has "how many more" 'many.csv: 500 more bad lines' "$work/stderr"
same "nothing imported" "$before" "$(listed)"

title "import"
devices 1000 1000 >"$work/good.csv"
says "1000 devices imported" $smki device import "$work/good.csv"
same "all of them" "$((before + 1000))" "$(listed)"
first=$(sed -n 2p "$work/good.csv" | cut -d , -f 1)
same "one of them" 'secret model, 6 true' "$(field "$first" '"\(.proof) \(.model) \(.approved)"')"
{
	devices 3 5000
	sed -n '2p;1001p' "$work/good.csv"
	devices 600 6000 | tail -n 600
} >"$work/known.csv"
ends 73 "two are known" $smki device import "$work/known.csv"
same "both named" "$work/known.csv:5: eui64: $first is registered already
$work/known.csv:6: eui64: $(tail -n 1 "$work/good.csv" | cut -d , -f 1) is registered already" \
    "$(cat "$work/stderr")"
same "nothing of it imported" "$((before + 1000))" "$(listed)"
sed '5,6d' "$work/known.csv" >"$work/new.csv"
says "603 devices imported" sh -c "cat $work/new.csv | $smki device import -"
same "with them" "$((before + 1603))" "$(listed)"
same "one event for all" '603 devices: -' "$(sqlite3 "$home/db/smki.db" \
    "SELECT detail FROM event WHERE action = 'import' ORDER BY id DESC LIMIT 1")"

title "killed on the way"
devices 100000 100000 >"$work/large.csv"
before=$(listed)
# pieces N: since the log was so long, so many pieces of an import have come.
pieces() {
	[ "$(tail -n "+$((long + 1))" "$work/log" | grep -c 'op=import-add .*out=ok')" -ge "$1" ]
}
# on_the_way: an import of the large file is begun, its process in import; some of it is there.
on_the_way() {
	long=$(wc -l <"$work/log")
	# shellcheck disable=SC2086
	spawn import $smki device import "$work/large.csv"
	within 60 "some of it is there" pieces 10
}
on_the_way
kill -KILL "$import"
ended "$import"
same "it was killed" 137 "$ended"
same "nothing of it is seen" "$before" "$(listed)"
first=$(sed -n 2p "$work/large.csv" | cut -d , -f 1)
refuses 66 "nor one of them" 'is not registered' $smki device show "$first"
on_the_way
smkid=$(child_of "$run" smkid)
kill -KILL "$smkid"
ended "$import"
same "smkid does not answer" 75 "$ended"
ended "$run"
up
same "nothing of it is seen" "$before" "$(listed)"
says "100000 devices imported" $smki device import "$work/large.csv"
same "all of it" "$((before + 100000))" "$(listed)"
same "nothing unfinished is left" 0 "$(sqlite3 "$home/db/smki.db" \
    'SELECT count(*) FROM device_import WHERE finished IS NULL AND (dropped = 0 OR devices > 0)')"

title "status"
# unfinished: what status says of imports that go on or were broken off
unfinished() {
	$smki --json status | jq -n 'input.importsUnfinished'
}
# alarm: what status says is wrong
alarm() {
	$smki --json status 2>/dev/null | jq -r 'select(.alarm != null).alarm'
}
# alarms TEXT: it is about this
alarms() {
	case $(alarm) in
	"$1"*) return 0 ;;
	esac
	return 1
}
same "no import is left" 0 "$(unfinished)"
same "the TLS listener" true "$($smki --json status | jq -n 'input.httpsAnswers')"
same "the end of its certificate" \
    "$(TZ=UTC date -d "$(openssl x509 -in "$home/tls/server.pem" -noout -enddate | cut -d = -f 2)" \
        +%Y-%m-%dT%H:%M:%SZ)" "$($smki --json status | jq -rn 'input.tlsUntil')"
ends 0 "status" $smki status
has "for people" 'answers, its certificate until' "$work/stdout"
has "nobody was refused" 'refused      0 in the last hour' "$work/stdout"
same "nothing is wrong" '' "$(alarm)"
demo_chain
demo_https "$home"
demo_meter 00db1234ffffffff digitalSignature stranger
demo_secret 00db1234ffffffff AAAAAAAAAAAAAAAAAAAAAAAAAA
gets 403 "a stranger" demo_est device-signature simpleenroll stranger -K "$dir/00db1234ffffffff.curl"
# refused: it is counted
refused() {
	$smki status | grep -q '^refused      1 in the last hour'
}
within 30 "one was refused" refused
down
cp "$home/policies/regions.cnf" "$home/policies/manufacturers.cnf" "$work"
echo 'endpiont_mqtt = mqtts://broker.north.example' >>"$home/policies/regions.cnf"
spawn smkid "$build/smkid" --home "$home"
within 30 "a region that is wrong" alarms 'regions.cnf:4: [region north] endpiont_mqtt'
kill -TERM "$smkid"
ended "$smkid"
cp "$work/regions.cnf" "$home/policies"
faketime -f -400d openssl req -x509 -new -key "$dir/acme-ca.key" -subj /CN=old -days 10 \
    -addext keyUsage=critical,keyCertSign -out "$home/policies/anchors/old.pem" ||
    fail "openssl makes no certificate"
printf '[manufacturer old]\nanchors = anchors/old.pem\neui64 = san\n' \
    >>"$home/policies/manufacturers.cnf"
spawn smkid "$build/smkid" --home "$home"
within 30 "an anchor that has ended" alarms 'manufacturer old: anchors: a certificate has ended at 20'
kill -TERM "$smkid"
ended "$smkid"
cp "$work/manufacturers.cnf" "$home/policies"
up

title "roles"
if [ "$(id -u)" -eq 0 ] && by 65533 "$build/smki" --version >/dev/null 2>&1; then
	while read -r auditor stranger verb; do
		for pair in 65533/$auditor 65534/$stranger; do
			# shellcheck disable=SC2086
			ends "${pair#*/}" "$verb by ${pair%/*}" by "${pair%/*}" $smki device $verb
		done
	done <<TABLE
0 77 list --limit 1
0 77 show $eui
77 77 add 00db1234000000ff --hw-type $hw
77 77 hold $eui
77 77 secret $eui
77 77 import $work/new.csv
TABLE
	same "nothing was done" active "$(field "$eui" .state)"
else
	echo "roles: not root, or the build is out of reach of others"
fi

down
finish
