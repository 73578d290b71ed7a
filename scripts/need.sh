#!/bin/sh
# need.sh PACKAGE TEST: where TEST fails, install the Debian package if root, else name it in one line.
set -eu
package=$1
if sh -c "$2" >/dev/null 2>&1; then
    exit 0
fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "the package $package is missing; install it: sudo apt-get install $package" >&2
    exit 1
fi
echo "installing the Debian package $package"
log=$(mktemp)
if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "$package"; } >"$log" 2>&1; then
    tail -n 5 "$log" >&2
    echo "the package $package could not be installed" >&2
    rm -f "$log"
    exit 1
fi
rm -f "$log"
