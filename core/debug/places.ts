// SPDX-License-Identifier: GPL-2.0-or-later
// Where a folder of debug files has that of one kernel: as distributions lay them out.

import { existsSync, opendirSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'

/** How deep and how wide a folder is searched for modules: `lib/modules/RELEASE/kernel/arch/x86/kvm/kvm.ko`. */
const MAX_DEPTH = 12
const MAX_ENTRIES = 200_000

/** Whether a path is a folder. */
export function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}

/**
 * Where `vmlinux` of a kernel may be in a folder, the surest place first: by build id, then by release. Debian, RHEL,
 * Fedora, SUSE and Ubuntu are covered, from the root of a system, of an unpacked package, or of its folder for debug files.
 */
export function vmlinuxPlaces(folder: string, release: string, buildId?: string): string[] {
  const roots = [folder, join(folder, 'usr', 'lib', 'debug'), join(folder, 'lib', 'debug')]
  const byId =
    buildId === undefined
      ? []
      : [...roots.map((root) => join(root, '.build-id')), folder].map((root) =>
          join(root, buildId.slice(0, 2), `${buildId.slice(2)}.debug`),
        )
  const names = [
    `lib/modules/${release}/vmlinux`,
    `usr/lib/modules/${release}/vmlinux`,
    `boot/vmlinux-${release}`,
    `${release}/vmlinux`,
    `vmlinux-${release}`,
    'vmlinux',
  ]
  const byRelease = roots.flatMap((root) =>
    names.flatMap((name) =>
      ['', '.debug', '.gz', '.xz', '.zst'].map((end) => join(root, name + end)),
    ),
  )
  byRelease.push(join(folder, 'lib', 'modules', release, 'build', 'vmlinux'))
  return [...new Set([...byId, ...byRelease])]
}

/** Those that exist. */
export function existing(paths: readonly string[]): string[] {
  return paths.filter((path) => existsSync(path))
}

/**
 * The files of a module in a folder, below it too: `kvm-amd.ko`, also with `.debug` or packed behind it. Those whose path
 * names the release come first, and of them those with more than the module itself.
 */
export function modulePlaces(folder: string, name: string, release: string): string[] {
  const form = new RegExp(
    `^${name.replace(/[-_]/g, '[-_]').replace(/[^\w[\]-]/g, '\\$&')}\\.ko(\\.debug)?(\\.gz|\\.xz|\\.zst)?$`,
  )
  const found: string[] = []
  let left = MAX_ENTRIES
  const search = (path: string, depth: number): void => {
    for (const entry of entriesOf(path)) {
      if (left-- <= 0) return
      const inner = join(path, entry.name)
      if (form.test(entry.name)) found.push(inner)
      // A linked folder could lead back.
      else if (entry.isDirectory() && depth < MAX_DEPTH) search(inner, depth + 1)
    }
  }
  search(folder, 0)
  const rank = (path: string): number =>
    (path.split('/').includes(release) ? 0 : 2) + (/(\.debug$|\/debug\/)/.test(path) ? 0 : 1)
  return found.sort((a, b) => rank(a) - rank(b))
}

/** A release of another kernel in a path, as in `/usr/lib/debug/lib/modules/6.1.0-50-amd64/vmlinux`. */
export function otherReleaseIn(path: string, release: string): string | undefined {
  if (path.includes(release)) return undefined
  const name = basename(path)
  const parts = [name.replace(/^vmlinux-|^btf-|\.btf$|\.debug$/g, ''), ...path.split('/')]
  return parts.find((part) => /^\d+\.\d+\.\d+[-+.]\S*\w$/.test(part))
}

function entriesOf(path: string) {
  const entries = []
  try {
    const folder = opendirSync(path)
    for (let entry = folder.readSync(); entry !== null; entry = folder.readSync()) {
      if (entries.push(entry) > MAX_ENTRIES) break
    }
    folder.closeSync()
  } catch {
    // A folder that cannot be read has nothing for us.
  }
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1))
}
