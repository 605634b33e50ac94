# Debian packages that smki needs, and how they are installed. Sourced by quickstart and test.
# Needs: nothing but a Debian with apt-get. Does nothing when all is there already.

packages_build='gcc libc6-dev meson ninja-build pkg-config libssl-dev libsqlite3-dev
  libmicrohttpd-dev libgnutls28-dev libjansson-dev libarchive-dev libp11-dev libp11-kit-dev softhsm2'
packages_run='openssl curl ca-certificates'
packages_test='libcunit1-dev gnutls-bin python3 python3-asn1crypto clang-format cppcheck sqlite3
  faketime jq xxd procps util-linux git mandoc strongswan-pki libstrongswan-standard-plugins
  libstrongswan-extra-plugins mosquitto mosquitto-clients python3-yaml'

packages_as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		echo "packages: not root and no sudo: run as root once: $*" >&2
		return 1
	fi
}

# packages_install NAME...
packages_install() {
	missing=
	for p in "$@"; do
		case $(dpkg-query -W -f '${Status}' "$p" 2>/dev/null) in
		'install ok installed') ;;
		*) missing="$missing $p" ;;
		esac
	done
	if [ -z "$missing" ]; then
		echo "packages: all there"
		return 0
	fi
	echo "packages: installing$missing"
	log=$(mktemp)
	# shellcheck disable=SC2086
	if ! { packages_as_root env DEBIAN_FRONTEND=noninteractive apt-get update &&
	    packages_as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y \
	        --no-install-recommends $missing; } >"$log" 2>&1; then
		cat "$log" >&2
		rm -f "$log"
		echo "packages: apt-get failed" >&2
		return 1
	fi
	rm -f "$log"
}
