#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Compares crash, drgn and libaddrxlat on one dump with known truth, and prints a table.
#
#   run.sh DUMP VMLINUX TRUTH_DIR [OURS]
#
#   DUMP       the host's dump
#   VMLINUX    the host kernel with debug information (see README.md)
#   TRUTH_DIR  the folder with truth.json and pagemap.bin of that dump
#   OURS       a command to compare with; it is started as  OURS DUMP PID FILE,  FILE has one gpa
#              per line, and it prints "GPA HPA" per line, or "GPA -"
#              (default: ours.ts, this project as it is built in dist)
#
# Environment:
#   CRASH            one or more crash programs (default: crash)
#   DRGN             the drgn program (default: drgn)
#   ADDRXLAT         addrxlat_vtop, built (default: it is built here when libkdumpfile-dev is found)
#   ADDRXLAT_VERSION what to print as its version
#   PGD              physical address of the process's page table root, for libaddrxlat
#                    (default: drgn is asked)
#   KVM_KO           kvm.ko with debug information (default: looked for beside VMLINUX)
#   VM               the guest's name in truth.json (A)
#   FIRST_GPA        the gpa of the first answer (0x0)
#   RUNS             timed runs of the first answer (5)
#   ADDRESSES, CRASH_ADDRESSES   how many addresses are scored (40000; 4000 for crash)
#
# A peer that is not installed is skipped, and the output says so.
set -euo pipefail

if (($# < 3 || $# > 4)); then
  sed -n '3,/^set /{/^set /d;s/^# \{0,1\}//p}' "$0" >&2
  exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
dump=$1 vmlinux=$2 truth=$3
for file in "$dump" "$vmlinux" "$truth/truth.json" "$truth/pagemap.bin"; do
  [[ -r $file ]] || { echo "run.sh: cannot read $file" >&2; exit 1; }
done

export VM=${VM:-A} FIRST_GPA=${FIRST_GPA:-0x0} RUNS=${RUNS:-5}
export ADDRESSES=${ADDRESSES:-40000} CRASH_ADDRESSES=${CRASH_ADDRESSES:-4000}

skip() { echo "skipped: $1"; }

found=''
for program in ${CRASH:-crash}; do
  if command -v "$program" > /dev/null; then
    found+=" $program"
  else
    skip "$program is not installed"
  fi
done
export CRASH=$found

export DRGN=${DRGN:-drgn}
kvm_ko=${KVM_KO:-}
if [[ -z $kvm_ko ]]; then
  # Debian: DEBUG/boot/vmlinux-V and DEBUG/lib/modules/V; Fedora and RHEL: both in lib/modules/V.
  kernel=$(python3 -c 'import json, sys; print(json.load(sys.stdin)["kernel"])' < "$truth/truth.json")
  folder=$(dirname "$(readlink -f "$vmlinux")")
  kvm_ko=$(find "$folder/../lib/modules/$kernel" "$folder" -path '*/arch/x86/kvm/kvm.ko*' \
    -print -quit 2> /dev/null || true)
fi
if ! command -v "$DRGN" > /dev/null; then
  skip 'drgn is not installed (pip install drgn)'
  DRGN=''
elif [[ -z $kvm_ko ]]; then
  skip 'drgn: no kvm.ko with debug information beside VMLINUX; set KVM_KO'
  DRGN=''
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export ADDRXLAT=${ADDRXLAT:-}
if [[ -z $ADDRXLAT ]]; then
  if pkg-config --exists libkdumpfile libaddrxlat 2> /dev/null; then
    read -ra flags < <(pkg-config --cflags --libs libkdumpfile libaddrxlat)
    cc -O2 -o "$work/addrxlat_vtop" "$here/addrxlat_vtop.c" "${flags[@]}"
    ADDRXLAT=$work/addrxlat_vtop
    export ADDRXLAT_VERSION=${ADDRXLAT_VERSION:-$(pkg-config --modversion libaddrxlat)}
  else
    skip 'libaddrxlat is not installed (libkdumpfile-dev)'
  fi
fi
if [[ -n $ADDRXLAT && -z ${PGD:-} && -z $DRGN ]]; then
  skip 'libaddrxlat: it knows no tasks, so it needs PGD, or drgn to ask for it'
  ADDRXLAT=''
fi

ours=("${@:4}")
if ((${#ours[@]} == 0)); then
  if ! command -v node > /dev/null; then
    skip 'ours: node is not installed'
  elif [[ ! -r $here/../../../dist/test/bench/peers/ours.js ]]; then
    skip 'ours: it is not built (npm ci, or npm run build)'
  else
    ours=("node $(printf %q "$here/../../../dist/test/bench/peers/ours.js")")
  fi
fi

megabytes() { echo "$(($(stat -Lc %s "$1") / 1000000)) MB"; }
echo "dump $(basename "$dump"): $(megabytes "$dump"); vmlinux: $(megabytes "$vmlinux")"
PYTHONDONTWRITEBYTECODE=1 python3 "$here/measure.py" "$dump" "$vmlinux" "${kvm_ko:-none}" "$truth" "${ours[@]}"
