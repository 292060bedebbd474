#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Packs the package, installs it into an empty folder, and uses it there as a user does: install, doctor, vtop on the
# sample, and every notebook that comes along. Needs npm's registry for the dependencies. Not part of `npm test`.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

tarball=$(npm pack --silent --pack-destination "$folder" | tail -n 1)
mkdir "$folder/user" "$folder/home"
cd "$folder/user"
npm init --yes > "$folder/log"
npm install --no-audit --no-fund --prefer-offline "$folder/$tarball" >> "$folder/log"
package=$folder/user/node_modules/qemu-vtop
megabytes=$(du -sm --apparent-size "$package" | cut -f1)
if [ -d "$package/node_modules" ]; then
  megabytes=$((megabytes - $(du -sm --apparent-size "$package/node_modules" | cut -f1)))
fi
echo "installed: $megabytes MB without dependencies"
[ "$megabytes" -lt 12 ] || { echo "that is not under 12 MB" >&2; exit 1; }

export HOME=$folder/home XDG_DATA_HOME=$folder/home/data JUPYTER_DATA_DIR=$folder/home/jupyter
export VIRTUAL_ENV= CONDA_PREFIX= JUPYTER_PATH=
qemu_vtop=$folder/user/node_modules/.bin/qemu-vtop
"$qemu_vtop" install --prefix "$folder/prefix"
"$qemu_vtop" doctor --prefix "$folder/prefix"
"$qemu_vtop" vtop "$package/notebooks/sample.kdump" -g 183 -p 200000
for notebook in "$package"/notebooks/*.ipynb; do
  "$qemu_vtop" run "$notebook" -o "$folder/$(basename "$notebook")"
  echo "ran $(basename "$notebook")"
done

# The package as a library: types and all.
cat > use.mts <<'END'
import { openDump, qemuVtop, type Translation } from 'qemu-vtop'
const dump = openDump.sample()
const found: Translation = qemuVtop(dump.task(183), 0x200000)
console.log(found.state)
END
node_modules/.bin/tsc --module nodenext --target es2023 --types node --skipLibCheck --strict use.mts
node use.mjs

if [ -n "${QEMU_VTOP_PYTHON:-}" ]; then
  # As Jupyter finds and starts it.
  JUPYTER_PATH=$folder/prefix/share/jupyter "$QEMU_VTOP_PYTHON" - <<'END'
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(kernel_name="qemu-vtop")
reply = client.execute_interactive("openDump.sample().vms.length", timeout=60, output_hook=lambda m: None)
client.stop_channels()
manager.shutdown_kernel()
assert reply["content"]["status"] == "ok", reply
print("jupyter_client ran a cell")
END
else
  echo "jupyter_client: skipped, QEMU_VTOP_PYTHON is not set"
fi
echo "the packed package works"
