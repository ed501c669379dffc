#!/usr/bin/env bash
# Makes sure JDK 17 or later (javac, not only java) and Maven are there: installs them by apt on Debian as root,
# else names the command to run and fails. Must not change anything where both are there already.
set -euo pipefail

jdk_is_usable() {
    local javac version
    javac=${JAVA_HOME:+$JAVA_HOME/bin/}javac
    command -v "$javac" >/dev/null 2>&1 || return 1
    # "javac 17.0.15"; versions before 9 say "javac 1.8.0", whose major number reads as 1
    version=$("$javac" -version 2>&1 | sed -n 's/^javac \([0-9]*\).*/\1/p' | head -n 1)
    [ -n "$version" ] && [ "$version" -ge 17 ]
}

maven_is_there() {
    command -v mvn >/dev/null 2>&1
}

packages=()
jdk_is_usable || packages+=(openjdk-17-jdk-headless)
maven_is_there || packages+=(maven)
[ ${#packages[@]} -eq 0 ] && exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "Building the jar needs JDK 17 or later and Maven. Run: sudo apt-get install openjdk-17-jdk-headless maven" >&2
    exit 1
fi

apt-get update -q
# Debian releases without JDK 17 carry 21 as default-jdk-headless.
if ! apt-cache show openjdk-17-jdk-headless >/dev/null 2>&1; then
    packages=("${packages[@]/openjdk-17-jdk-headless/default-jdk-headless}")
fi
DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${packages[@]}"
jdk_is_usable && maven_is_there || {
    echo "JDK 17 or later is still not the one in use: JAVA_HOME=${JAVA_HOME:-(not set)}, javac=$(command -v javac || echo none)." \
        "Unset JAVA_HOME or point it to a JDK >= 17." >&2
    exit 1
}
