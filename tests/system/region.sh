#!/bin/sh
# smki region: what the file says, the choice for a meter, and what is refused. No daemon runs.
#
#   region.sh BUILD_ROOT SOURCE_ROOT
set -u
. "$2/tests/system/lib.sh"
needs jq

mkdir -p "$home/policies"
file=$home/policies/regions.cnf

title "no file"
ends 66 "list" $smki region list
ends 66 "check" $smki region check

title "the file that ships"
cp "$source/policies/regions.cnf" "$file"
ends 0 "list" $smki region list
has "one region, the default" 'default            default  - - est=https://localhost:8443' \
    "$work/stdout"
ends 0 "check" $smki region check --country NL
same "told" 'default (by default)
est https://localhost:8443' "$(cat "$work/stdout")"

title "the choice"
cat >"$file" <<END
[region benelux]
endpoint_est = https://est.benelux.example:8443
endpoint_mqtt = mqtts://broker.benelux.example
countries = BE, LU, NL
position = 52.37, 4.90
[region cape]
endpoint_est = https://cape.example
position = -33.92,18.42
[region rest]
endpoint_est = https://rest.example
default = yes
END
# chosen OPTION...
chosen() {
	$smki --json region check "$@" 2>"$work/stderr" | jq -r '"\(.region) \(.why) \(.endpoints.est)"'
}
same "nothing known" 'rest default https://rest.example' "$(chosen)"
same "country" 'benelux country https://est.benelux.example:8443' "$(chosen --country BE)"
same "position" 'cape position https://cape.example' "$(chosen --position -34,18)"
same "country first" 'benelux country https://est.benelux.example:8443' \
    "$(chosen --position -34,18 --country NL)"
same "register first" 'cape register https://cape.example' \
    "$(chosen --country NL --region cape --position 52,5)"
same "no longer in the file" 'benelux country https://est.benelux.example:8443' \
    "$(chosen --region gone --country NL)"
has "and said" 'region gone: not in regions.cnf' "$work/stderr"
same "list" 'benelux false BE,LU,NL 52.370000,4.900000 est,mqtt
cape false  -33.920000,18.420000 est
rest true  null est' "$($smki --json region list | jq -r '"\(.region) \(.default) " +
    "\(.countries | join(",")) \(.position) \(.endpoints | keys_unsorted | join(","))"')"
ends 0 "for people" $smki region list
has "all of it" 'benelux            -        BE,LU,NL 52.370000,4.900000 est=https://est.benelux' \
    "$work/stdout"

title "bad input"
for line in region 'region frobnicate' 'region list x' 'region check x' 'region check --nope' \
    'region check --country'; do
	# shellcheck disable=SC2086
	ends 64 "$line" $smki $line
done
ends 65 "a country" $smki region check --country nl
has "why" 'country: "nl" is not a code of two capital letters' "$work/stderr"
ends 65 "a position" $smki region check --position 91,0
has "why" 'position: "91,0" is not on the globe' "$work/stderr"
ends 65 "a region" $smki region check --region 'a b'
chmod 666 "$file"
ends 77 "a file that others may write" $smki region list
chmod 644 "$file"
echo 'endpoint_x = nowhere' >>"$file"
ends 65 "a bad file" $smki region check
has "why" 'regions.cnf: [region rest] endpoint_x = nowhere: does not begin with SCHEME://' \
    "$work/stderr"
finish
