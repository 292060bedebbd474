// SPDX-License-Identifier: GPL-2.0-or-later
// The startup snapshot of the compiler process: where it lies, for what it was made, and whether it is whole.
//
// Node runs what is in it, so it is only looked for where nobody but the user can write.
import { createHash } from 'node:crypto'
import {
  closeSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { cpus, homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { crc32 } from 'node:zlib'
import { compilerFlags } from './flags.ts'

/** A snapshot that can be used. */
export interface Snapshot {
  readonly path: string
  /** In bytes. */
  readonly size: number
}

type Environment = Readonly<Record<string, string | undefined>>

/** So much of a file is read at a time. */
const chunkSize = 256 * 1024

/** `compiler-KEY-CRC32.blob`: a file that is cut or damaged does not fit its name. */
const nameForm = /^compiler-([0-9a-f]{32})-([0-9a-f]{8})\.blob$/

/** The name of a snapshot with this key and this CRC-32. */
export function snapshotName(key: string, crc: number): string {
  return `compiler-${key}-${crc.toString(16).padStart(8, '0')}.blob`
}

/** Whether this user wants snapshots: `QEMU_VTOP_SNAPSHOT=off` says no. */
export function wantsSnapshot(env: Environment = process.env): boolean {
  return env['QEMU_VTOP_SNAPSHOT'] !== 'off'
}

/** Where snapshots are kept: in the user's cache, beside those of other programs. */
export function snapshotFolder(
  env: Environment = process.env,
  platform: NodeJS.Platform = process.platform,
): string {
  return join(cacheFolder(env, platform), 'qemu-vtop')
}

function cacheFolder(env: Environment, platform: NodeJS.Platform): string {
  // The XDG base directory specification: a relative path is to be ignored.
  const xdg = env['XDG_CACHE_HOME']
  if (xdg !== undefined && isAbsolute(xdg)) return xdg
  const home = env['HOME'] ?? homedir()
  if (platform === 'darwin') return join(home, 'Library', 'Caches')
  if (platform === 'win32') return env['LOCALAPPDATA'] ?? join(home, 'AppData', 'Local')
  return join(home, '.cache')
}

/** The snapshot that fits this kernel on this machine, if there is one and it is whole. */
export function findSnapshot(folder = snapshotFolder()): Snapshot | undefined {
  if (!wantsSnapshot() || !isPrivate(folder)) return undefined
  const key = snapshotKey()
  for (const name of namesIn(folder)) {
    const [, itsKey, crc] = nameForm.exec(name) ?? []
    if (itsKey !== key || crc === undefined) continue
    const path = join(folder, name)
    try {
      const { size } = lstatSync(path)
      if (isPrivate(path) && crcOf(path) === Number.parseInt(crc, 16)) return { path, size }
    } catch {
      // It went away, or cannot be read.
    }
  }
  return undefined
}

/** Takes away one that Node does not start from, so that another is made. */
export function removeSnapshot({ path }: Snapshot): void {
  try {
    rmSync(path, { force: true })
  } catch {
    // A folder that can only be read: then it is tried each time, which only costs time.
  }
}

/** The snapshots in a folder, whatever they were made for. */
export function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => nameForm.test(name))
  } catch {
    return []
  }
}

/**
 * What a snapshot depends on, in 32 hexadecimal digits: Node, the machine, the flags, the packages that are in it with
 * where they lie (their paths are in it too), and this package's own modules.
 */
export function snapshotKey(env: Environment = process.env): string {
  const hash = createHash('sha256')
  const { version, arch, platform } = process
  // Both of them read settings when they are loaded.
  const settings = Object.entries(env).filter(([name]) => /^(NODE_OPTIONS$|TS_NODE_)/.test(name))
  hash.update(JSON.stringify([version, arch, platform, cpus()[0]?.model, compilerFlags]))
  hash.update(JSON.stringify(settings.sort()))
  for (const path of ingredients()) hash.update(`\0${path}\0`).update(readFileSync(path))
  return hash.digest('hex').slice(0, 32)
}

/** For each package the file with its version; of this package all modules that are in the snapshot. */
function ingredients(): string[] {
  const { resolve } = createRequire(import.meta.url)
  const kernel = fileURLToPath(new URL('../../', import.meta.url))
  const compiler = readdirSync(join(kernel, 'compiler'), { recursive: true, encoding: 'utf8' })
  return [
    ...['typescript', 'ts-node', '@types/node'].map((name) => resolve(`${name}/package.json`)),
    join(kernel, 'frames.js'),
    ...compiler
      .filter((name) => /\.c?js$/.test(name))
      .sort()
      .map((name) => join(kernel, 'compiler', name)),
  ]
}

/** Whether a file or folder is there, is this user's, and can be written by no one else. Links are not followed. */
export function isPrivate(path: string): boolean {
  try {
    const { mode, uid } = lstatSync(path)
    const isLink = (mode & 0o170000) === 0o120000
    // Where there are no user ids (Windows), the user's own folder is private.
    if (process.getuid === undefined) return !isLink
    return !isLink && uid === process.getuid() && (mode & 0o022) === 0
  } catch {
    return false
  }
}

/** The CRC-32 of a file. Throws what the file system throws. */
export function crcOf(path: string): number {
  const fd = openSync(path, 'r')
  try {
    const chunk = Buffer.allocUnsafe(chunkSize)
    let crc = 0
    for (;;) {
      const length = readSync(fd, chunk)
      if (length === 0) return crc
      crc = crc32(chunk.subarray(0, length), crc)
    }
  } finally {
    closeSync(fd)
  }
}
