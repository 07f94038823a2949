# Shared by the scripts beside it (sourced, not run): where the repository is, and how they speak.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=$root/.cache

# Everything people read goes to stderr: stdout belongs to the command that asked for the set-up.
say() { printf '[%s] %s\n' "${0##*/}" "$*" >&2; }
die() { printf '[%s] error: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# Prints the hash of what it reads; the name of a build is the hash of what went into it.
fingerprint() { sha256sum | cut -c1-16; }

# One set-up at a time in one checkout: the second waits for the first and then finds its work done.
lock() {
  mkdir -p "$cache"
  exec 9>"$cache/$1.lock"
  flock --nonblock 9 || { say "waiting for another '$1' in this checkout"; flock 9; }
}
