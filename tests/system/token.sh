#!/bin/sh
# Access tokens: what stands in them, verified by openssl with the published keys; who gets none, from
# the moment that it is said, also on an open connection; a new key without a gap.
#
#   token.sh BUILD_ROOT SOURCE_ROOT
set -u
. "$2/tests/system/lib.sh"
needs openssl curl jq faketime

client=$source/tests/system/token_client.py

# The clocks of both daemons go on by what stands in this file, all of them together, as if the machine
# had slept. The program faketime passes no signal on: its library is enough.
library=$(faketime -f +0 sh -c 'echo "$LD_PRELOAD"')
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0
export ASAN_OPTIONS
echo +0 >"$work/clock"
slept() {
	echo "+$1" >"$work/clock.new"
	mv "$work/clock.new" "$work/clock"
}

# token NAME [CURL OPTION...]: prints the status; the token is in $dir/NAME.token.
token() {
	token_name=$1
	demo_token "$@"
	jq -r '.access_token // empty' "$dir/answer" >"$dir/$token_name.token"
}

# keys: the key set as it is published, into $dir/jwks.json.
keys() {
	same "key set" 200 "$(demo_curl /.well-known/jwks.json)"
	mv "$dir/answer" "$dir/jwks.json"
}

# verified NAME: the claims of $dir/NAME.token, verified.
verified() {
	"$python" "$client" verify "$dir/jwks.json" "$dir/$1.pem" <"$dir/$1.token" \
	    >"$work/claims" 2>"$work/why" || fail "token of $1: $(cat "$work/why")"
	pass
}

# claim JQ
claim() {
	jq -r "$1" "$work/claims"
}

# refused STATUS ERROR WHAT NAME [CURL OPTION...]
refused() {
	refused_status=$1 refused_error=$2 refused_what=$3
	shift 3
	gets "$refused_status" "$refused_what" token "$@"
	has "$refused_what" 'Content-Type: application/json' "$dir/headers"
	has "$refused_what" 'Cache-Control: no-store' "$dir/headers"
	same "$refused_what" "$refused_error" "$(jq -r .error "$dir/answer")"
	differ "$refused_what: why" '' "$(jq -r .error_description "$dir/answer")"
	same "$refused_what: no token" '' "$(cat "$dir/$1.token")"
}

# new_meter NN NAME: enrolled by its secret.
new_meter() {
	eui=00db1234000000$1
	enrolling "$eui" --secret
	demo_meter "$eui" digitalSignature "$2"
	gets 200 "enrolment of $2" demo_est device-signature simpleenroll "$2" -K "$dir/$eui.curl"
	serial=$(demo_serial "$dir/$2.pem")
}

make_home
demo_manufacturer acme || fail "no manufacturer"
sed -i 's/^scopes = .*/scopes = meter read.own write.own/' "$home/policies/device-signature.cnf"
sed 's/^description = .*/description = Device without tokens/; /^scopes/d' \
    "$home/policies/device-signature.cnf" >"$home/policies/mute.cnf"
sed -i '/^\[access\]/,/^$/d' "$home/smki.conf"
printf '\n[access]\nlifetime = 5m\nissuer = https://pki.example\naudience = https://fleet.example\n' \
    >>"$home/smki.conf"
rm -f "$home/run/addresses"
# shellcheck disable=SC2086
spawn run env LD_PRELOAD="$library" FAKETIME_TIMESTAMP_FILE="$work/clock" FAKETIME_NO_CACHE=1 $smki run
demo_wait 30 started "$run" demo_answers "$home" || fail "the daemons do not answer"
demo_https "$home" || fail "run/addresses names no TLS listener"
true_that "export of the CA certificates" demo_chain

title "what it says"
new_meter 01 m1
before=$(date +%s)
gets 200 "a token" token m1
after=$(date +%s)
has "not to be kept" 'Cache-Control: no-store' "$dir/headers"
same "the answer" 'Bearer 300 meter read.own write.own' \
    "$(jq -r '"\(.token_type) \(.expires_in) \(.scope)"' "$dir/answer")"
keys
has "its type" 'Content-Type: application/jwk-set+json' "$dir/headers"
verified m1
same "claims" "https://pki.example https://fleet.example $eui $eui meter read.own write.own" \
    "$(claim '"\(.iss) \(.aud) \(.sub) \(.client_id) \(.scope)"')"
same "no others" 'aud client_id cnf exp iat iss jti kid scope sub' "$(claim 'keys | join(" ")')"
same "five minutes" 300 "$(claim '.exp - .iat')"
iat=$(claim .iat)
true_that "from now on" test "$iat" -ge "$((before - 1))" -a "$iat" -le "$after"
jti=$(claim .jti)
cp "$dir/m1.token" "$work/m1.token"
gets 200 "another" token m1
verified m1
differ "its own number" "$jti" "$(claim .jti)"
true_that "the key set on the plain listener" curl -fsS -o "$work/plain.json" \
    "http://$http/.well-known/jwks.json"
true_that "is the same" cmp "$work/plain.json" "$dir/jwks.json"

title "who it is for"
gets 200 "its own id" token m1 -d client_id=$eui
gets 200 "in another form" token m1 -d client_id=00-DB-12-34-00-00-00-01
gets 200 "a part of the scopes" token m1 -d 'scope=write.own meter'
same "the part" 'meter write.own' "$(jq -r .scope "$dir/answer")"
verified m1
same "in the token" 'meter write.own' "$(claim .scope)"
refused 403 invalid_client "another's id" m1 -d client_id=00db123400000002
refused 400 invalid_scope "a scope that it may not have" m1 -d 'scope=meter admin'
refused 400 invalid_scope "two blanks" m1 -d 'scope=meter  read.own'
refused 400 invalid_request "a member twice" m1 -d scope=meter -d scope=meter
demo_ask_token() {
	demo_curl /token --cert "$dir/m1.pem" --key "$dir/m1.key" "$@"
}
for case in 'unsupported_grant_type grant_type=password' 'invalid_request scope=meter' \
    'invalid_request grant_type=client_credentials&grant_type=client_credentials' \
    'invalid_request grant_type=%zz'; do
	gets 400 "${case#* }" demo_ask_token -d "${case#* }"
	same "${case#* }" "${case%% *}" "$(jq -r .error "$dir/answer")"
done
gets 415 "JSON" demo_ask_token -H 'Content-Type: application/json' -d '{}'
gets 401 "no certificate" demo_curl /token -d grant_type=client_credentials
same "no certificate" invalid_client "$(jq -r .error "$dir/answer")"
has "how to prove it" 'WWW-Authenticate: ' "$dir/headers"
demo_idevid 00db123400000001 acme idevid
refused 403 invalid_client "a manufacturer's certificate" idevid
demo_key rogue
openssl req -x509 -new -key "$dir/rogue.key" -subj /CN=rogue -days 2 -out "$dir/rogue.pem"
refused 403 invalid_client "a stranger's" rogue
eui=00db123400000009
enrolling $eui --secret
demo_meter $eui digitalSignature mute
gets 200 "a profile without scopes" demo_est mute simpleenroll mute -K "$dir/$eui.curl"
refused 400 unauthorized_client "a profile without scopes" mute
meter 00db12340000000a digitalSignature issued
gets 200 "one that operators enrolled" token issued
verified issued

title "refused at once"
# alive WHAT WANT COMMAND: token, command, token and re-enrolment of m on one connection.
alive() {
	said=$("$python" "$client" alive "$https" "$dir" m "$3" 2>"$work/why") ||
	    fail "$1: $(cat "$work/why")"
	same "$1" "$2" "$said"
}
n=10
while read -r what wants back command undo; do
	n=$((n + 1))
	new_meter $n m
	do=$(echo "$command" | sed "s/_/ /g; s/SERIAL/$serial/; s/EUI/$eui/")
	alive "$what on an open connection" "$(echo "$wants" | tr _ ' ')" "$smki $do"
	refused 403 invalid_client "$what on a new one" m
	if [ "$undo" = - ]; then
		continue
	fi
	# shellcheck disable=SC2046,SC2086
	ends 0 "$undo" $smki $(echo "$undo" | sed "s/_/ /g; s/SERIAL/$serial/; s/EUI/$eui/")
	gets "$back" "$what, and back" token m
done <<'TABLE'
hold 200_403_403 200 hold_SERIAL reactivate_SERIAL
hold-by-device 200_403_403 200 hold_--device_EUI reactivate_--device_EUI
revoke 200_403_403 - revoke_SERIAL -
hold-in-the-register 200_403_403 200 device_hold_EUI device_release_EUI
retire 200_403_403 - device_retire_EUI -
TABLE
same "ways tried" 15 "$n"
new_meter 20 m
alive "nothing done" '200 200 200' true

title "the next key"
gets 200 "by the first key" token m1
keys
verified m1
first=$(claim .kid)
cp "$dir/m1.token" "$dir/old.token"
cp "$dir/m1.pem" "$dir/old.pem"
smkid=$(child_of "$run" smkid)
httpd=$(child_of "$run" smki-httpd)
ends 0 "token-key new" $smki token-key new
keys
same "both are published" 2 "$(jq '.keys | length' "$dir/jwks.json")"
gets 200 "the first one signs" token m1
verified m1
same "the first one" "$first" "$(claim .kid)"
cp "$dir/jwks.json" "$work/early.json"
# In steps: nobody has to wait, and whoever has the key set of half an hour ago can verify.
for step in 600 1200 1790; do
	slept "$step"
	gets 200 "a token after $step s" token m1
	verified m1
	same "by the first key after $step s" "$first" "$(claim .kid)"
done
slept 1805
gets 200 "a token" token m1
verified m1
second=$(claim .kid)
differ "by the second key" "$first" "$second"
gets 200 "a part of the day later" demo_curl /.well-known/jwks.json
same "the first key is there for its last tokens" 2 "$(jq '.keys | length' "$dir/answer")"
verified old
mv "$dir/answer" "$dir/jwks.json"
verified old
verified m1
slept 2500
keys
same "the first key is gone" "$second" "$(jq -r '.keys[].kid' "$dir/jwks.json")"
gets 200 "a token" token m1
verified m1
same "no restart" "$smkid $httpd" "$(child_of "$run" smkid) $(child_of "$run" smki-httpd)"
same "no alarm" none "$($smki status | sed -n 's/^alarm *//p')"
down
finish
