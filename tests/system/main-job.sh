#!/bin/sh
# The main job as tools/quickstart walks it: requests become certificates that are held,
# reactivated, revoked and checked, before and after a restart.
#
#   main-job.sh BUILD_ROOT SOURCE_ROOT
set -u
. "$2/tests/system/lib.sh"
needs openssl curl jq pgrep

title "home and daemons"
make_home
up
smkid_pid=$(child_of "$run" smkid) httpd_pid=$(child_of "$run" smki-httpd)
differ "smkid runs" '' "$smkid_pid"
differ "smki-httpd runs" '' "$httpd_pid"
true_that "export of the CA certificates" demo_chain

title "three meters, two keys each"
for i in 1 2 3; do
	eui=00db12340000000$i
	meter "$eui" digitalSignature "$i-signature"
	meter "$eui" keyAgreement "$i-agreement"
	for use in signature agreement; do
		true_that "openssl verify -x509_strict" demo_verify "$dir/$i-$use.pem"
		same "OCSP after issuing" good "$(demo_ask "$dir/$i-$use.pem")"
	done
done
same "certificates listed" 6 "$($smki list | grep -c ' device-')"

title "hold, reactivate, revoke; OCSP knows at once"
for i in 1 2 3; do
	cert=$dir/$i-signature.pem
	serial=$(demo_serial "$cert" | tr A-F a-f)
	says "$serial hold" $smki hold "$serial"
	same "OCSP after hold" 'revoked(certificateHold)' "$(demo_ask "$cert")"
	says "$serial valid" $smki reactivate "$serial"
	same "OCSP after reactivate" good "$(demo_ask "$cert")"
	says "$serial revoked cessationOfOperation" $smki revoke "$serial" \
	    --reason cessationOfOperation
	same "OCSP after revoke" 'revoked(cessationOfOperation)' "$(demo_ask "$cert")"
	same "OCSP of the other key" good "$(demo_ask "$dir/$i-agreement.pem")"
done

# verdict NAME: of openssl against both lists.
verdict() {
	if demo_verify "$dir/$1.pem" -crl_check_all -CRLfile "$dir/crls.pem" \
	    >"$work/verify" 2>&1; then
		echo OK
	else
		sed -n 's/^error [0-9]* at 0 depth lookup: *//p' "$work/verify"
	fi
}

# whole_truth: what all must say of the six certificates.
whole_truth() {
	true_that "lists" demo_crls
	for i in 1 2 3; do
		same "$i-signature by CRL" "certificate revoked" "$(verdict "$i-signature")"
		same "$i-agreement by CRL" OK "$(verdict "$i-agreement")"
		same "$i-signature by OCSP" 'revoked(cessationOfOperation)' \
		    "$(demo_ask "$dir/$i-signature.pem")"
		same "$i-agreement by OCSP" good "$(demo_ask "$dir/$i-agreement.pem")"
	done
	same "valid ones listed" 3 "$($smki list --state valid | grep -c ' device-')"
	same "revoked ones listed" 3 "$($smki list --state revoked | grep -c ' device-')"
}

title "the lists, and the whole chain against them"
ends 0 "smki crl" $smki crl
whole_truth
number=$(openssl crl -in "$dir/issuing.crl.pem" -noout -crlnumber)

title "stop"
down
true_that "smkid ended" gone "$smkid_pid"
true_that "smki-httpd ended" gone "$httpd_pid"
lacks "no daemon ended badly" 'ended with' "$work/log"
lacks "no daemon was killed" 'ended by signal' "$work/log"
refuses 75 "status without smkid" 'smki run' $smki status

title "stop at once, whoever is up by then"
# told PID: the signal waits there, or has ended it already.
told() {
	grep -q '^ShdPnd:.*[1-9a-f]' "/proc/$1/status" 2>"$work/none" || gone "$1"
}
for _ in 1 2 3 4 5 6 7 8 9 10; do
	# shellcheck disable=SC2086
	spawn run $smki run
	# both stand still as soon as they are there, so that the signal finds them so
	children='' second=''
	until [ -n "$second" ]; do
		gone "$run" && fail "no children"
		read -r children second <"/proc/$run/task/$run/children" || :
	done 2>"$work/none"
	children="$children $second"
	# shellcheck disable=SC2086
	kill -STOP $children
	kill -TERM "$run"
	for child in $children; do
		demo_wait 30 started "$run" told "$child" || fail "no signal came"
	done
	# shellcheck disable=SC2086
	kill -CONT $children 2>"$work/none"
	ended "$run"
	same "smki run ends with 0" 0 "$ended"
done
lacks "nobody was killed" 'ended by signal' "$work/log"

title "start again: all as before"
up
whole_truth
same "no list was made for nothing" "$number" \
    "$(openssl crl -in "$dir/issuing.crl.pem" -noout -crlnumber)"
meter 00db123400000004 digitalSignature 4-signature
true_that "openssl verify -x509_strict" demo_verify "$dir/4-signature.pem"
same "OCSP after issuing" good "$(demo_ask "$dir/4-signature.pem")"
down
finish
