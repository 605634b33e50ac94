#!/bin/sh
# A wrong PIN is tried once and said once, also across restarts, until its file is corrected; a
# key that is not the certificate's keeps smkid from starting.
#
#   hsm-pin.sh BUILD_ROOT SOURCE_ROOT SHIM
set -u
. "$2/tests/system/lib.sh"
. "$2/tests/system/hsm-lib.sh"

# smkid_up: alone, so that every login counted is its own.
smkid_up() {
	: >"$work/log"
	spawn smkid "$build/smkid" --home "$home"
	demo_wait 30 started "$smkid" $smki status >/dev/null 2>&1 || fail "smkid does not answer"
}

smkid_down() {
	kill "-$1" "$smkid"
	ended "$smkid"
	[ "$1" = KILL ] || same "smkid ends with 0" 0 "$ended"
}

# refused_once N [REQUEST]: so far the tokens saw N logins, and this smkid said once what is wrong.
refused_once() {
	refuses 77 "issue with a wrong PIN" 'PIN was refused' $smki issue \
	    "$dir/${2:-one}.csr"
	has "the file is named" "$work/pins/issuing" "$work/stderr"
	lacks "the PIN is not said" wrong-pin "$work/stderr"
	same "logins" "$1" "$(count_of login)"
	same "said once" 1 "$(grep -c '^smkid: token .*PIN was refused' "$work/log")"
	lacks "the PIN is not logged" wrong-pin "$work/log"
	quick 2000 "status" ends 0 "status" $smki status
	has "the alarm is told" 'PIN was refused' "$work/stdout"
	same "nothing recorded" "$before" "$(certificates)"
}

wrong() {
	echo wrong-pin-$1 >"$work/pins/issuing"
}

right() {
	echo "$pin" >"$work/pins/issuing"
}

make_hsm_home
sed -i 's/^sessions = .*/sessions = 1/' "$home/smki.conf"
request one
request two
request three
before=$(certificates)

title "wrong at the start"
wrong 1
smkid_up
refused_once 1
refused_once 1

title "three starts more"
smkid_down TERM
smkid_up
refused_once 1
smkid_down KILL
smkid_up
refused_once 1
smkid_down TERM
smkid_up
refused_once 1

title "tries again by itself, but not the PIN"
again=$(($(now_ms) + 2500))
while [ "$(now_ms)" -lt "$again" ]; do
	refused_once 1
done

title "another wrong one"
wrong 2
second() {
	[ "$(count_of login)" -eq 2 ]
}
within 60 "the new PIN is tried" second
refused_once 2

title "corrected"
right
within 60 "issue with the right PIN" issues one
same "logins" 3 "$(count_of login)"
ends 0 "status" $smki status
has "no alarm" 'alarm        none' "$work/stdout"

title "wrong while it runs"
: >"$work/log"
: >"$logins"
before=$(certificates)
wrong 3
# Away first: the only session ends, and the login with it.
fault away
refuses 75 "issue without the token" 'is not present' $smki issue "$dir/two.csr"
fault
refused_now() {
	$smki issue "$dir/two.csr" >"$work/stdout" 2>"$work/stderr"
	[ $? -eq 77 ]
}
within 5 "the token is back, its PIN is wrong" refused_now
has "issue with a wrong PIN" 'PIN was refused' "$work/stderr"
refuses 77 "issue with a wrong PIN" 'PIN was refused' $smki issue "$dir/two.csr"
same "logins" 1 "$(count_of login)"
smkid_down TERM
smkid_up
refused_once 1 two
right
within 60 "issue with the right PIN" issues two
same "logins" 2 "$(count_of login)"

title "no PIN file"
smkid_down TERM
: >"$logins"
mv "$work/pins/issuing" "$work/pins/away"
smkid_up
refuses 75 "issue without a PIN" "$work/pins/issuing" $smki issue "$dir/three.csr"
same "logins" 0 "$(count_of login)"
mv "$work/pins/away" "$work/pins/issuing"
within 60 "issue with a PIN" issues three
smkid_down TERM

# start_refused WHAT TEXT: smkid ends at once, with one line.
start_refused() {
	: >"$work/log"
	"$build/smkid" --home "$home" >"$work/log" 2>&1 </dev/null
	status=$?
	differ "$1: exit" 0 "$status"
	same "$1: one line ($(cat "$work/log"))" 1 "$(wc -l <"$work/log")"
	has "$1" "$2" "$work/log"
}

title "a key that is not the certificate's"
cp "$home/smki.conf" "$work/smki.conf"
sed -i '/^\[ca issuing\]/,/^key/ { s/^token = .*/token = ocsp/; s/^key = .*/key = ocsp/ }' \
    "$home/smki.conf"
start_refused "another key" "ca issuing: key on token test-ocsp is not the certificate's"
cp "$work/smki.conf" "$home/smki.conf"
sed -i '/^\[ca issuing\]/,/^key/ s/^key = .*/key = nowhere/' "$home/smki.conf"
start_refused "no such key" nowhere
cp "$work/smki.conf" "$home/smki.conf"
(GNUTLS_PIN=$pin && export GNUTLS_PIN && p11tool --provider "$softhsm" --batch --login \
    --generate-privkey=ecc --curve=secp256r1 --label=other 'pkcs11:token=test-issuing') \
    >"$work/p11tool" 2>&1 </dev/null || fail "p11tool makes no key: $(cat "$work/p11tool")"
sed -i '/^\[ca issuing\]/,/^key/ s/^key = .*/key = other/' "$home/smki.conf"
start_refused "another key of the same token" \
    "ca issuing: key on token test-issuing is not the certificate's"
cp "$work/smki.conf" "$home/smki.conf"
smkid_up
true_that "issue as before" issues three
smkid_down TERM
finish
