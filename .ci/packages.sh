# Chromium, PostgreSQL, Redis and the graphics libraries that MediaPipe loads, installed where they are missing.

browser() { command -v chromium || command -v chromium-browser || command -v google-chrome; }

# Debian keeps the server's programs off the PATH.
postgres_programs() {
  local found
  found=$({ command -v initdb || ls /usr/lib/postgresql/*/bin/initdb 2>/dev/null; } | sort -V | tail -n 1)
  [ -n "$found" ] && dirname "$found"
}

install_packages() {
  local missing=() optional=() pair
  browser >/dev/null || missing+=(chromium)
  postgres_programs >/dev/null || missing+=(postgresql)
  command -v redis-server >/dev/null || missing+=(redis-server)
  for pair in libGL.so.1:libgl1 libEGL.so.1:libegl1 libGLESv2.so.2:libgles2; do
    [[ $(PATH=$PATH:/sbin ldconfig -p) == *"${pair%:*}"* ]] || missing+=("${pair#*:}")
  done
  # Where these are not to be had, their tests are skipped: proxies to stand before a site.
  command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || optional+=(nginx-light)
  command -v caddy >/dev/null || optional+=(caddy)
  # A directory to sign in with, and what its client is built from.
  [ -x /usr/sbin/slapd ] || optional+=(slapd)
  for pair in ldap.h:libldap2-dev sasl/sasl.h:libsasl2-dev; do
    [ -e "/usr/include/${pair%:*}" ] || optional+=("${pair#*:}")
  done
  [ $((${#missing[@]} + ${#optional[@]})) -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ]; then
    [ ${#missing[@]} -gt 0 ] || return 0
    echo "Install first: ${missing[*]}" >&2
    return 1
  fi
  apt-get update -qq
  [ ${#missing[@]} -eq 0 ] || DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >/dev/null
  for pair in "${optional[@]}"; do
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$pair" >/dev/null || echo "$pair is not to be had here."
  done
}
