# The main job with foreign tools only: meters made by the openssl command, judged by it. Sourced
# by quickstart and by the system tests, so both walk the same path.
#
# The caller sets: source (the root of the sources), smki (the command with its --home), dir (a
# work folder). demo_answers sets http.

# demo_wait SECONDS COMMAND...: until the command succeeds.
demo_wait() {
	demo_deadline=$(($(date +%s) + $1))
	shift
	until "$@"; do
		[ "$(date +%s)" -lt "$demo_deadline" ] || return 1
		sleep 0.1
	done
}

# demo_answers HOME: the daemons answer; sets http to ADDR:PORT.
demo_answers() {
	[ -s "$1/run/addresses" ] || return 1
	http=$(awk '$1 == "http" { print $2 }' "$1/run/addresses")
	[ -n "$http" ] && curl -fsS -o /dev/null "http://$http/health" 2>/dev/null &&
	    $smki status >/dev/null 2>&1
}

# demo_chain: the CA certificates into $dir/root.pem, issuing.pem, chain.pem.
demo_chain() {
	$smki ca export root --out "$dir/root.pem" &&
	    $smki ca export issuing --out "$dir/issuing.pem" &&
	    cat "$dir/root.pem" "$dir/issuing.pem" >"$dir/chain.pem"
}

# demo_request EUI64 USAGE KEY NAME: request $dir/NAME.csr by $dir/KEY.key, as a GB device makes
# it: empty subject, one key usage, HardwareModuleName.
demo_request() {
	EUI64=$1 USAGE=$2 openssl req -new -config "$source/docs/meter.cnf" -subj / \
	    -key "$dir/$3.key" -out "$dir/$4.csr"
}

# demo_meter EUI64 USAGE NAME: a new key $dir/NAME.key and its request.
demo_meter() {
	openssl ecparam -name prime256v1 -genkey -noout -out "$dir/$3.key" &&
	    demo_request "$1" "$2" "$3" "$3"
}

# demo_ask CERT: what OCSP says: "good", "revoked(certificateHold)", "unknown".
demo_ask() {
	demo_answer=$(openssl ocsp -issuer "$dir/issuing.pem" -cert "$1" -url "http://$http/ocsp" \
	    -CAfile "$dir/chain.pem" 2>&1) || {
		echo "$demo_answer" >&2
		return 1
	}
	case $demo_answer in
	*'Response verify OK'*) ;;
	*)
		echo "$demo_answer" >&2
		return 1
		;;
	esac
	echo "$demo_answer" | awk -v cert="$1: " '
		index($0, cert) == 1 { status = substr($0, length(cert) + 1) }
		$1 == "Reason:" { reason = $2 }
		END { print status (reason != "" ? "(" reason ")" : "") }'
}

demo_serial() {
	openssl x509 -in "$1" -noout -serial | sed 's/^serial=//' | tr A-F a-f
}

# demo_crls: the published lists into $dir/crls.pem.
demo_crls() {
	for ca in root issuing; do
		curl -fsS -o "$dir/$ca.crl" "http://$http/crl/$ca.crl" &&
		    openssl crl -inform DER -in "$dir/$ca.crl" -out "$dir/$ca.crl.pem" || return 1
	done
	cat "$dir/root.crl.pem" "$dir/issuing.crl.pem" >"$dir/crls.pem"
}

# demo_verify CERT [OPTION...]: whole chain.
demo_verify() {
	demo_cert=$1
	shift
	openssl verify -x509_strict -CAfile "$dir/root.pem" -untrusted "$dir/issuing.pem" "$@" "$demo_cert"
}
