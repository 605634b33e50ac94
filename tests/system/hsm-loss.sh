#!/bin/sh
# A token that is taken away, hangs or lies: unavailable fast and for signatures only, nothing
# wrong recorded, and all goes on without a restart when it is back.
#
#   hsm-loss.sh BUILD_ROOT SOURCE_ROOT SHIM
set -u
. "$2/tests/system/lib.sh"
. "$2/tests/system/hsm-lib.sh"

timeout_ms=2000
fast_ms=2000 # what waits for no token
rounds=5

# unavailable NAME MS: its issue is refused so, in that time, and nothing is recorded.
unavailable() {
	recorded=$(certificates)
	quick "$2" "issue while the token fails" refuses 75 "issue while the token fails" token \
	    $smki issue "$dir/$1.csr"
	same "nothing recorded" "$recorded" "$(certificates)"
}

# served: what needs no token goes on.
served() {
	quick "$fast_ms" "list" ends 0 "list" $smki --json list
	quick "$fast_ms" "status" ends 0 "status" $smki status
	lacks "the alarm is told" 'alarm        none' "$work/stdout"
	true_that "lists are served" demo_crls
}

# Two processes that begin the module at once: SoftHSM refuses one of them now and then, and it waits
# a little longer each time before it begins it anew. Without that both are back within a second.
back_s=15

# back NAME: issue goes again, by the same processes.
back() {
	fault
	within "$back_s" "issue when the token is back" issues "$1"
	true_that "openssl verify" demo_verify "$dir/$1.pem"
	within "$back_s" "OCSP when the token is back" good_again "$dir/$1.pem"
	same "smkid was not started anew" "$smkid_pid" "$(child_of "$run" smkid)"
	same "smki-httpd was not started anew" "$httpd_pid" "$(child_of "$run" smki-httpd)"
}

good_again() {
	[ "$(demo_ask "$1" 2>/dev/null)" = good ]
}

make_hsm_home
for role in issuing ocsp; do
	token_conf "$role" "timeout_ms = $timeout_ms"
done
# Lists when asked for only: each one tried while a token hangs costs a thread.
sed -i 's/^delay = .*/delay = 60s/' "$home/smki.conf"
up
smkid_pid=$(child_of "$run" smkid) httpd_pid=$(child_of "$run" smki-httpd)
true_that "export of the CA certificates" demo_chain
ends 0 "a list" $smki crl

for n in $(seq "$rounds"); do
	for name in first second third fourth fifth; do
		request "$name-$n"
	done
	true_that "issue at first" issues "first-$n"
	first=$dir/first-$n.pem
	serial=$(demo_serial "$first" | tr A-F a-f)

	title "away, $n"
	fault away
	unavailable "second-$n" "$fast_ms"
	unavailable "second-$n" "$fast_ms"
	quick "$fast_ms" "revoke without a token" says "$serial revoked superseded" \
	    $smki revoke "$serial" --reason superseded
	quick "$fast_ms" "OCSP without a token" same "OCSP without a token" 'trylater (3)' \
	    "$(ocsp_error "$first")"
	served
	back "second-$n"
	same "OCSP of what was revoked meanwhile" 'revoked(superseded)' "$(demo_ask "$first")"

	title "sessions lost, $n"
	fault drop-sessions "$n"
	true_that "issue over lost sessions" issues "third-$n"
	same "OCSP over lost sessions" good "$(demo_ask "$dir/third-$n.pem")"

	title "hanging, $n"
	serial=$(demo_serial "$dir/third-$n.pem" | tr A-F a-f)
	fault hang
	spawn other $smki issue --out "$dir/fifth-$n.pem" "$dir/fifth-$n.csr"
	unavailable "fourth-$n" $((timeout_ms + fast_ms))
	ended "$other"
	same "issue beside it" 75 "$ended"
	quick "$fast_ms" "hold while the token hangs" says "$serial hold" $smki hold "$serial"
	quick $((timeout_ms + fast_ms)) "OCSP while the token hangs" \
	    same "OCSP while the token hangs" 'trylater (3)' \
	    "$(ocsp_error "$dir/third-$n.pem")"
	served
	back "fourth-$n"
	same "OCSP of what was held meanwhile" 'revoked(certificateHold)' \
	    "$(demo_ask "$dir/third-$n.pem")"

	title "garbage, $n"
	fault sign-garbage
	unavailable "fifth-$n" "$fast_ms"
	finished=$(lists)
	refuses 75 "a list with a wrong signature" token $smki crl
	same "no such list is finished" "$finished" "$(lists)"
	same "OCSP with a wrong signature" 'trylater (3)' "$(ocsp_error "$dir/third-$n.pem")"
	back "fifth-$n"
done

title "afterwards"
ends 0 "a list" $smki crl
true_that "lists" demo_crls
same "entries of the list" $((2 * rounds)) \
    "$(openssl crl -in "$dir/issuing.crl.pem" -noout -text | grep -c 'Serial Number')"
same "certificates" $((5 * rounds)) "$($smki list | grep -c ' device-')"

# Twelve for each session: begun all together the last would come after their time.
title "a slow token"
mkdir "$work/slow"
for n in $(seq 48); do
	request "slow-$n"
	mv "$dir/slow-$n.csr" "$work/slow/"
done
fault "slow 200"
ends 0 "a batch" $smki batch "$work/slow"
has "all of it" '48 requests: 48 issued' "$work/stdout"
fault
down

title "hanging for ever"
sed -i 's/^timeout_ms = .*/timeout_ms = 500/' "$home/smki.conf"
up
request last
fault hang
hangs() {
	$smki issue "$dir/last.csr" >/dev/null 2>&1
	gone "$run"
}
within 60 "smkid leaves the rest to its supervisor" hangs
ended "$run"
same "smki run ends" 70 "$ended"
has "smkid says why" 'never came back' "$work/log"
fault
up
within "$back_s" "issue after a new start" issues last
down
finish
