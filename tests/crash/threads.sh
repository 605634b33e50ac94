#!/bin/sh
# Both daemons under concurrent clients; meant for a thread sanitizer's build.
#
#   threads.sh BUILD_ROOT SOURCE_ROOT
set -u
here=$(dirname "$0")
. "$here/python.sh"
exec "$python" "$here/threads.py" "$@"
