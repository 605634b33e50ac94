#!/bin/sh
# SIGKILL of smkid at every fault point and at a few random moments: the short form.
#
#   kill.sh BUILD_ROOT SOURCE_ROOT CRASH [OPTION OF kill.py...]
set -u
here=$(dirname "$0")
. "$here/python.sh"
exec "$python" "$here/kill.py" "$@"
