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

# demo_key NAME: a new P-256 key $dir/NAME.key.
demo_key() {
	openssl ecparam -name prime256v1 -genkey -noout -out "$dir/$1.key"
}

# demo_manufacturer NAME: its enrolment CA $dir/NAME-ca.{key,pem}, and the anchor in the policies
# of $home.
demo_manufacturer() {
	demo_key "$1-ca" &&
	    openssl req -x509 -new -key "$dir/$1-ca.key" -subj "/O=$1/CN=$1 enrolment CA" -days 3650 \
	        -addext keyUsage=critical,keyCertSign,cRLSign -out "$dir/$1-ca.pem" &&
	    mkdir -p "$home/policies/anchors" && cp "$dir/$1-ca.pem" "$home/policies/anchors/$1.pem" &&
	    printf '\n[manufacturer %s]\nanchors = anchors/%s.pem\neui64 = san\n' "$1" "$1" \
	        >>"$home/policies/manufacturers.cnf"
}

# demo_idevid EUI64 MANUFACTURER NAME: key and IDevID $dir/NAME.{key,pem}, as its factory makes them.
demo_idevid() {
	demo_key "$3" &&
	    EUI64=$1 openssl req -x509 -new -config "$source/docs/idevid.cnf" -subj "/O=$2/CN=Meter" \
	        -key "$dir/$3.key" -CA "$dir/$2-ca.pem" -CAkey "$dir/$2-ca.key" -days 3650 \
	        -out "$dir/$3.pem"
}

# demo_https HOME: sets https to the port of the TLS listener.
demo_https() {
	https=$(awk '$1 == "https" { sub(".*:", "", $2); print $2 }' "$1/run/addresses")
	[ -n "$https" ]
}

# demo_curl PATH [CURL OPTION...]: ask the TLS listener; the body into $dir/answer, the headers into
# $dir/headers, the status on standard output.
demo_curl() {
	demo_path=$1
	shift
	curl -sS --max-time 30 --cacert "$dir/root.pem" --tlsv1.3 -D "$dir/headers" -o "$dir/answer" \
	    -w '%{http_code}' "$@" "https://localhost:$https$demo_path"
}

# demo_secret EUI64 SECRET: options of curl that prove the meter by its secret, for -K, in a file
# that nobody else reads, as an argument would be seen by all.
demo_secret() {
	(umask 077 && printf 'user = "%s:%s"\n' "$1" "$2" >"$dir/$1.curl")
}

# demo_est LABEL OPERATION NAME [CURL OPTION...]: send $dir/NAME.csr by EST; prints the status, and
# with 200 leaves the certificate in $dir/NAME.pem.
demo_est() {
	demo_label=$1 demo_op=$2 demo_name=$3
	shift 3
	openssl req -in "$dir/$demo_name.csr" -outform DER | openssl base64 -A >"$dir/request.b64" ||
	    return 1
	demo_status=$(demo_curl "/.well-known/est/$demo_label/$demo_op" \
	    -H 'Content-Type: application/pkcs10' --data-binary "@$dir/request.b64" "$@") || return 1
	echo "$demo_status"
	[ "$demo_status" = 200 ] || return 0
	demo_certs <"$dir/answer" >"$dir/$demo_name.pem"
}

# demo_certs: a certs-only answer of EST from standard input as PEM.
demo_certs() {
	openssl base64 -d -A | openssl pkcs7 -inform DER -print_certs |
	    sed -n '/-----BEGIN/,/-----END/p'
}

# demo_statement EUI64 CSR SIGNER [COUNTRY [LATITUDE,LONGITUDE]]: the JSON of POST /bootstrap for
# $dir/CSR.csr ('-': none, the service makes the key), signed by $dir/SIGNER.key, into
# $dir/bootstrap.json (docs/enrolment.md). Numbers have six decimals. demo_time, where it is set, is
# told in place of the time.
demo_statement() {
	demo_now=${demo_time:-$(date -u +%Y-%m-%dT%H:%M:%SZ)} demo_sha256=
	if [ "$2" != - ]; then
		openssl req -in "$dir/$2.csr" -outform DER -out "$dir/request.der" || return 1
		demo_sha256=$(openssl dgst -sha256 -r "$dir/request.der" | cut -c 1-64)
	fi
	printf '%s\neui64=%s\nhw_type=%s\nmodel=%s\nfirmware=%s\ntime=%s\ncountry=%s\nposition=%s\ncsr_sha256=%s\n' \
	    smki-bootstrap-v1 "$1" 1.3.6.1.4.1.32473.1.1 'demo meter' 1.0.0 "$demo_now" "${4:-}" \
	    "${5:-}" "$demo_sha256" >"$dir/statement"
	openssl dgst -sha256 -sign "$dir/$3.key" -out "$dir/statement.sig" "$dir/statement" || return 1
	printf '{"version":"%s","eui64":"%s","hw_type":"%s","model":"%s","firmware":"%s","time":"%s",%s%s%s"signature":"%s"}\n' \
	    smki-bootstrap-v1 "$1" 1.3.6.1.4.1.32473.1.1 'demo meter' 1.0.0 "$demo_now" \
	    "${4:+\"country\":\"$4\",}" \
	    "${5:+\"position\":{\"latitude\":${5%,*},\"longitude\":${5#*,}\},}" \
	    "${demo_sha256:+\"csr\":\"$(openssl base64 -A -in "$dir/request.der")\",}" \
	    "$(openssl base64 -A -in "$dir/statement.sig")" >"$dir/bootstrap.json"
}

# demo_bootstrap [CURL OPTION...]: send $dir/bootstrap.json; prints the status.
demo_bootstrap() {
	demo_curl /bootstrap -H 'Content-Type: application/json' --data-binary "@$dir/bootstrap.json" \
	    "$@"
}

# demo_token NAME [CURL OPTION...]: an access token for the certificate $dir/NAME.pem; prints the
# status.
demo_token() {
	demo_name=$1
	shift
	demo_curl /token --cert "$dir/$demo_name.pem" --key "$dir/$demo_name.key" \
	    -d grant_type=client_credentials "$@"
}

# demo_member NAME FILE: a member of text of a flat JSON object.
demo_member() {
	sed -n 's/.*"'"$1"'":"\([^"]*\)".*/\1/p' "$2"
}

# demo_claims TOKEN: what a JSON Web Token holds (RFC 7519), not verified.
demo_claims() {
	demo_part=$(echo "$1" | cut -d . -f 2 | tr _- /+)
	while [ $((${#demo_part} % 4)) -ne 0 ]; do
		demo_part=$demo_part=
	done
	echo "$demo_part" | openssl base64 -d -A
}
