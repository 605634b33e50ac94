#!/bin/sh
# The openssl command judges certificates of random histories by the lists that were published in
# them: complete ones, with deltas, and shards.
#
#   crl-history.sh BUILD_ROOT SOURCE_ROOT TEST_CRLGEN_HISTORY
#
# SMKI_HISTORIES=N, SMKI_SEED=N: as many, and others.
set -u
. "$2/tests/system/lib.sh"
history=$3
needs openssl

seed=${SMKI_SEED:-$$}
title "histories, seed $seed"
ends 0 "histories" "$history" "$source" "${SMKI_HISTORIES:-40}" "$seed" "$dir"
grep 'histories, ' "$work/stdout"

title "the openssl command"
good=0 revoked=0 by_delta=0 by_shard=0
for root in "$dir"/*.root; do
	sample=${root%.root}
	want=revoked file=$sample.revoked
	[ -f "$file" ] || want=good file=$sample.good
	openssl verify -CAfile "$root" -untrusted "$file" -crl_check -extended_crl -use_deltas \
	    -CRLfile "$file" "$file" >"$work/stdout" 2>&1
	status=$?
	if [ "$want" = good ]; then
		same "good: $file ($(cat "$work/stdout"))" 0 "$status"
		good=$((good + 1))
	else
		same "revoked: $file ($(cat "$work/stdout"))" 2 "$status"
		has "why" 'certificate revoked' "$work/stdout"
		revoked=$((revoked + 1))
	fi
	case $(grep -c 'BEGIN X509 CRL' "$file") in
	2) by_delta=$((by_delta + 1)) ;;
	esac
	sed -n '/BEGIN X509 CRL/,/END X509 CRL/p' "$file" >"$work/list.pem"
	openssl crl -in "$work/list.pem" -noout -text 2>/dev/null |
	    grep -q 'Issuing Distribution Point' && by_shard=$((by_shard + 1))
done
echo "$good good, $revoked revoked; $by_delta by a delta, $by_shard by a shard"
for n in "$good" "$revoked" "$by_delta" "$by_shard"; do
	true_that "some of each" test "$n" -gt 0
done
finish
