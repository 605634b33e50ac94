#!/bin/sh
# What is wrong is refused with the exit code of its kind and one line that names object, clause
# and finding; nothing is written.
#
#   bad-input.sh BUILD_ROOT SOURCE_ROOT
set -u
. "$2/tests/system/lib.sh"
needs openssl curl jq

# tree DIR: what it holds, to the last octet and mode.
tree() {
	(cd "$1" && find . -printf '%p %m %u %g %s %l\n' | sort && find . -type f -print0 | sort -z |
	    xargs -0 sha256sum) | sha256sum
}

title "no home"
refuses 66 "no home to list" "$home" $smki list
refuses 66 "no home to run" "$home" $smki run
refuses 66 "SMKI_HOME" "$work/nowhere" env SMKI_HOME="$work/nowhere" "$build/smki" status
refuses 65 "a home without a name" 'path is empty' "$build/smki" --home '' status

title "usage"
make_home
for line in enrole '--frobnicate status' 'issue --frobnicate x' 'issue --profile' issue hold show \
    'crl x' ca 'ca frobnicate' profile 'profile show' clock 'clock deny' 'list x' 'run x' 'init x' \
    'status x' 'show --ca' 'revoke --reason' 'list --limit' 'init --http' 'init --https'; do
	# shellcheck disable=SC2086
	ends 64 "usage: $line" $smki $line
	same "nothing on standard output" '' "$(cat "$work/stdout")"
	differ "something on standard error" '' "$(cat "$work/stderr")"
done
refuses 64 "no such verb" '"enrole"' $smki enrole
ends 64 "nothing at all" $smki
has "is told all verbs" reactivate "$work/stderr"
for line in --pem '--home' 'hold -5'; do
	# shellcheck disable=SC2086
	ends 64 "an option that is none: $line" $smki $line
	same "a line on it and the usage" 2 "$(wc -l <"$work/stderr")"
	has "which" 'option' "$work/stderr"
	has "and the usage" 'usage: smki ' "$work/stderr"
done
ends 0 "help" $smki --help
has "all verbs" reactivate "$work/stdout"
for to in '>/dev/full' '>&-'; do
	for line in --help --version 'issue --help' 'profile list'; do
		refuses 75 "$line $to" 'standard output' sh -c "exec $smki $line $to"
	done
done

title "init"
before=$(tree "$home")
refuses 73 "an existing home" 'left untouched' $smki init --http 127.0.0.1:0
same "it is as it was" "$before" "$(tree "$home")"
echo text >"$work/file"
refuses 73 "a file for a home" 'no folder' "$build/smki" --home "$work/file" init
same "it is as it was" text "$(cat "$work/file")"
refuses 66 "a home in no folder" "$work/no/home" "$build/smki" --home "$work/no/home" init
while read -r text option value; do
	ends 65 "init $option $value" "$build/smki" --home "$work/other" init "$option" "$value"
	same "one line" 1 "$(wc -l <"$work/stderr")"
	has "init $option $value" "$(echo "$text" | tr _ ' ')" "$work/stderr"
	same "before anything is made on a token" '' "$(cat "$work/stdout")"
	false_that "a home is there" test -e "$work/other"
done <<'TABLE'
url_https://ca.example:_RFC_5280_8 --url https://ca.example
octet_3f --url http://ca.example/a?b
url_http:///x:_RFC_5280_8 --url http:///x
listen --http 127.0.0.1
listen --http 127.0.0.1:65536
listen --http localhost:80
https: --https localhost:443
https: --https 127.0.0.1
RFC_7512 --token nitrokey
RFC_7512 --token pkcs11:token=x
RFC_5280_4.2.1.6 --name -bad-.example
TABLE

title "serials, devices, files"
up
one_meter=$source/tests/corpus/csr/good/device-signature.der
ends 0 "issue" $smki issue --out "$dir/one.pem" "$one_meter"
list=$($smki list)
event=$($smki --json status | jq -s '.[0].event')
while read -r status text words; do
	# shellcheck disable=SC2086
	refuses "$status" "$words" "$(echo "$text" | tr _ ' ')" $smki $words
done <<TABLE
65 "zz"_is_not_hexadecimal hold zz
65 "12/34"_is_not_hexadecimal revoke 12/34
65 RFC_5280_4.1.2.2:_zero hold 00
65 RFC_5280_4.1.2.2:_longer revoke 010203040506070809101112131415161718192021
66 0102030405060708 reactivate 0102030405060708
66 0102030405060708 show 0102030405060708
65 hexadecimal show gg
66 $work/none.csr issue $work/none.csr
65 EUI-64 hold --device 00db12345678000
65 EUI-64 list --device 00db1234567800011
65 EUI-64 issue --device x $one_meter
66 nobody issue --profile nobody $one_meter
66 nobody issue --ca nobody $one_meter
65 profile issue --profile ../x $one_meter
65 csr: issue $work/file
65 has_over issue $source/LICENSE
65 RFC_7468 show $work/file
65 state: list --state asleep
65 limit: list --limit 0
65 limit: list --limit 9223372036854775808
65 limit: list --limit 5x
65 since: list --since today
65 since: list --since 1970-01-01
65 since: list --since 1969-01-01
66 nobody list --ca nobody
66 nobody crl --ca nobody
66 nobody ca show nobody
66 nobody ca export nobody
66 nobody profile show nobody
66 $work/none.cnf profile check $work/none.cnf
65 NAME.cnf profile check $source/LICENSE
66 $work/no/x.pem issue --out $work/no/x.pem $one_meter
TABLE
head -c 300000 /dev/zero >"$work/zeros"
refuses 65 "a large file" "$work/zeros" $smki issue "$work/zeros"
differ "a folder is no request" 0 "$($smki issue "$work" >/dev/null 2>&1; echo $?)"

title "requests, each named by its defect"
tab=$(printf '\t')
rows=0
while IFS=$tab read -r file stage text; do
	rows=$((rows + 1))
	# What is far too long is not read to its end, let alone sent.
	[ "$(wc -c <"$source/tests/corpus/csr/bad/$file")" -le 9216 ] || text="$file: has over 9216"
	refuses 65 "$file ($stage)" "$text" \
	    $smki issue --profile device-signature "$source/tests/corpus/csr/bad/$file"
done <"$source/tests/corpus/csr/bad/EXPECT"
same "all rows" "$(wc -l <"$source/tests/corpus/csr/bad/EXPECT")" "$rows"
true_that "at least sixty" test "$rows" -ge 60
same "nothing was issued" "$list" "$($smki list)"
same "nothing was written" "$event" "$($smki --json status | jq -s '.[0].event')"

title "strangers"
# stranger COMMAND...: as a user without a role.
if [ "$(id -u)" -eq 0 ] && setpriv --reuid=65534 --regid=65534 --clear-groups "$build/smki" \
    --version >/dev/null 2>&1; then
	stranger='setpriv --reuid=65534 --regid=65534 --clear-groups'
	cp "$one_meter" "$work/readable" && chmod 644 "$work/readable"
	for verb in list status 'show 0102030405060708' 'hold 0102030405060708' crl 'ca list' \
	    'ca crl root' 'clock accept' "issue $work/readable"; do
		# shellcheck disable=SC2086
		ends 77 "a stranger's $verb" $stranger $smki $verb
		same "one line" 1 "$(wc -l <"$work/stderr")"
		has "who" 65534 "$work/stderr"
	done
	same "nothing was written" "$event" "$($smki --json status | jq -s '.[0].event')"
	false_that "the keys" $stranger ls "$home/tokens/issuing"
	false_that "a PIN" $stranger cat "$home/pin/issuing"
	false_that "the database" $stranger cat "$home/db/smki.db"
	mkdir -m 755 "$work/closed"
	refuses 77 "init where one may not" "$work/closed/home" \
	    $stranger "$build/smki" --home "$work/closed/home" init
else
	echo "(not root, or the build is out of a stranger's reach: no strangers tried)"
	mkdir -m 555 "$work/closed"
	[ "$(id -u)" -eq 0 ] || refuses 77 "init where one may not" "$work/closed/home" \
	    "$build/smki" --home "$work/closed/home" init
fi

title "one smkid a home"
refuses 73 "a second smkid" 'another smkid' "$build/smkid" --home "$home"
down

title "without smkid"
for verb in list status 'show 0102030405060708' 'hold 0102030405060708' crl 'ca list' \
    'ca crl root' 'clock accept' "issue $one_meter"; do
	# shellcheck disable=SC2086
	refuses 75 "$verb without smkid" 'start it with: smki' $smki $verb
done

for verb in 'hold 01 02 03' 'device hold 00db123400000001 00db123400000002 00db123400000003'; do
	# shellcheck disable=SC2086
	ends 75 "$verb without smkid" $smki $verb
	same "one line says why, and one how many more" 2 "$(wc -l <"$work/stderr")"
	has "how many more" 'smki: smkid: does not answer; 2 more were not asked for' "$work/stderr"
done
# Whoever writes without an end must not write into nothing.
# shellcheck disable=SC2086,SC2016
ends 75 "an endless list" sh -c 'yes 0102030405060708 | "$@" hold --from -' sh $smki
has "it is left" 'smki: smkid: does not answer; - is not read to its end' "$work/stderr"
same "nothing else" 2 "$(wc -l <"$work/stderr")"

title "configuration"
conf=$home/smki.conf
cp "$conf" "$work/conf"
before=$(tree "$home")
# broken TEXT STATUS SED: with a configuration so edited, nothing starts; said with TEXT.
broken() {
	sed "$3" "$work/conf" >"$conf"
	line=$(diff "$work/conf" "$conf" | sed -n 's/^[0-9,]*[acd]\([0-9]*\).*/\1/p' | head -n 1)
	said=$(echo "$1" | sed "s/LINE/$line/")
	refuses "$2" "smki run: $3" "$said" $smki run
	refuses "$2" "smkid: $3" "$said" "$build/smkid" --home "$home"
	refuses "$2" "smki-httpd: $3" "$said" "$build/smki-httpd" --home "$home"
}
broken 'smki.conf:LINE: [ocsp] valid is not a known key' 65 's/^validity = 1h/valid = 1h/'
broken 'smki.conf:LINE: [hsm] is not a known section' 65 's/^\[ocsp\]/[hsm]/'
broken '[ocsp] validity' 65 's/^validity = 1h/validity = 4m/'
broken '[crl] interval' 65 's/^interval = 12h/interval = 24h/'
broken '[crl] delay' 65 's/^delay = 10s/delay = 61s/'
broken '[http] listen' 65 's/^listen = .*/listen = here/'
broken 'there is no [token usb]' 65 's/^token = issuing/token = usb/'
broken 'never_issued' 65 's/^never_issued = .*/never_issued = good/'
broken 'sessions' 65 's/^sessions = 4/sessions = 0/'
broken '[admin]' 65 's/^administrators = .*/administrators = no-such-user-here/'
cp "$work/conf" "$conf"
chmod 664 "$conf"
refuses 77 "writable by the group" 'writable by group' $smki run
chmod 644 "$conf"
mv "$conf" "$conf.away"
refuses 66 "no configuration" 'smki.conf' $smki run
mv "$conf.away" "$conf"
same "nothing else was touched" "$before" "$(tree "$home")"

title "profiles"
n=0
for file in "$source"/tests/corpus/profile/bad-*.cnf; do
	n=$((n + 1))
	refuses 65 "profile check $(basename "$file")" "$(basename "$file" .cnf)" \
	    $smki profile check "$file"
done
true_that "files tried" test "$n" -ge 10
ends 65 "profile check in JSON" $smki --json profile check "$file"
same "an object for it" "$file false invalid" \
    "$(jq -r '"\(.file) \(.ok) \(.code)"' "$work/stdout")"
cp "$source/tests/corpus/profile/bad-unknown-key.cnf" "$home/policies/"
refuses 65 "smkid with a bad profile" 'bad-unknown-key' "$build/smkid" --home "$home"
ends 70 "smki run with a bad profile" $smki run
has "it is named" 'bad-unknown-key' "$work/stderr"
rm "$home/policies/bad-unknown-key.cnf"
chmod 664 "$home/policies/ocsp.cnf"
refuses 77 "a profile others may write" "$home/policies/ocsp.cnf: mode 0664 is writable by group or others" \
    "$build/smkid" --home "$home"
chmod 644 "$home/policies/ocsp.cnf"

title "and then it still works"
up
same "as before" "$list" "$($smki list)"
down
finish
