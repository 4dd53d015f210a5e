#!/usr/bin/env bash
# Nightshard's shards beside other read-only tables, on the same keys and values: builds all,
# runs all, prints one Markdown table. benches/store/README.md says how they are set and what came
# out.
#
#   benches/store.sh                          10 M keys, values of 100 B, all rivals
#   benches/store.sh --value 1k --one-by-one  values of 1,000 B, for 10 GB a rival
#   benches/store.sh --keys 100M --one-by-one --rivals nightshard,hashbrown,lmdb
#   benches/store.sh --cold                   20 GB and 1 GB of memory
#   benches/store.sh --smoke                  a few keys: does it work?
#   benches/store.sh --help
#
# Rivals that are not Rust need packages of the system, which are installed where this runs as root
# on Debian or Ubuntu. NIGHTSHARD_BENCH_PURE=1 leaves them out, and so compiles little.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/store" && pwd)

cache=${XDG_CACHE_HOME:-$HOME/.cache}/nightshard
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$cache/target-store}
venv=$cache/venv-store
# Known to work.
python_packages=(keyvi==0.7.7)
# For RocksDB's compilation, its bindings, and Sparkey.
system_packages=(g++ libclang-dev libsnappy-dev)

install_packages() {
    dpkg --status "${system_packages[@]}" >/dev/null 2>&1 && return
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update
        DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
            "${system_packages[@]}"
    else
        printf 'install these first, or set NIGHTSHARD_BENCH_PURE=1: %s\n' \
            "${system_packages[*]}" >&2
        return 1
    fi
}

install_python_packages() {
    "$venv/bin/python" -c 'import keyvi' 2>/dev/null && return
    python3 -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "${python_packages[@]}"
}

features=() rivals=() python=python3
if [ "${NIGHTSHARD_BENCH_PURE:-}" = 1 ]; then
    features=(--no-default-features)
    rivals=(--rivals nightshard,hashbrown,perfect-hash,fst,lmdb,redb)
else
    install_packages >&2
    install_python_packages >&2
    python=$venv/bin/python
fi
(cd "$here" && cargo build --locked --release "${features[@]}") >&2
exec "$python" "$here/run.py" --binary "$CARGO_TARGET_DIR/release/nightshard-store-bench" \
    "${rivals[@]}" "$@"
