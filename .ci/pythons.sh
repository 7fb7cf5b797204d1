# The Pythons of this machine: those on the PATH, and those of version managers that are not.

# The first of a version that really runs: a name on the PATH may be a version manager's stand-in for nothing.
find_python() {
  local candidate
  for candidate in "python$1" "$HOME"/.pyenv/versions/"$1".*/bin/python "$HOME"/.local/share/uv/python/cpython-"$1".*/bin/python; do
    if "$candidate" -c "import sys, venv; sys.exit('%d.%d' % sys.version_info[:2] != '$1')" 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  return 1
}

oldest_python() { find_python 3.11 || find_python 3.12 || find_python 3.13 || echo python3; }

# Fails where .venv has it already.
newest_python() {
  local found
  found=$(find_python 3.13 || find_python 3.12) || return 1
  .venv/bin/python - "$("$found" -c 'import sys; print(sys.version_info[1])')" <<<'import sys; sys.exit(sys.version_info[1] >= int(sys.argv[1]))' &&
    echo "$found"
}
