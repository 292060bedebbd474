// SPDX-License-Identifier: GPL-2.0-or-later
// The user's cache folder, for what takes long to make again: only this user may write there.

import { closeSync, lstatSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { bytesAsFile, openFile, reasonOf, type FileBytes } from '../dump/file.ts'
import { DumpError } from '../errors.ts'

/** The largest file that is kept: types of a kernel have some MiB. */
const MAX_BYTES = 256 << 20

/** Where it is: `qemu-vtop` in `XDG_CACHE_HOME`, else in `~/.cache`. The standard says to ignore a relative path. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  const xdg = env['XDG_CACHE_HOME']
  const base = xdg !== undefined && isAbsolute(xdg) ? xdg : join(env['HOME'] ?? homedir(), '.cache')
  return join(base, 'qemu-vtop')
}

/** The folder, made with mode 0700 when it is not there. Throws DumpError when others may write to it. */
export function ownFolder(folder = cacheFolder()): string {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw new DumpError('cache', `cannot make the folder '${folder}': ${reasonOf(error)}`, {
      cause: error,
    })
  }
  if (!isPrivate(folder, 'folder')) {
    throw new DumpError(
      'cache',
      `'${folder}' is not a folder that only you can write to; mend it (chmod 700), or set XDG_CACHE_HOME`,
    )
  }
  return folder
}

/** A file of the cache, or undefined when there is none that only this user can have written. */
export function kept(folder: string, name: string): FileBytes | undefined {
  const path = join(folder, name)
  if (!isPrivate(path, 'file')) return undefined
  const file = openFile(path, 'the file')
  try {
    if (file.size > MAX_BYTES) return undefined
    return bytesAsFile(path, file.read(0, file.size, 'the file'))
  } finally {
    file.close()
  }
}

/** The name of a file that is being made: nobody takes it for a whole one. */
export function unfinished(folder: string, name: string): string {
  return join(folder, `${name}.${process.pid}.part`)
}

/** Gives what was made its name, at once. */
export function keep(part: string, folder: string, name: string): string {
  const path = join(folder, name)
  renameSync(part, path)
  return path
}

/** Writes a file of the cache whole or not at all; gives its path. One that is there already is left. */
export function keepBytes(folder: string, name: string, bytes: Uint8Array): string {
  const path = join(folder, name)
  if (isPrivate(path, 'file') && lstatSync(path).size === bytes.length) return path
  const part = unfinished(folder, name)
  const descriptor = openSync(part, 'w', 0o600)
  try {
    for (let done = 0; done < bytes.length;) done += writeSync(descriptor, bytes, done)
  } finally {
    closeSync(descriptor)
  }
  return keep(part, folder, name)
}

/** Takes a file away that cannot be used. */
export function forget(path: string): void {
  rmSync(path, { force: true })
}

function isPrivate(path: string, kind: 'file' | 'folder'): boolean {
  try {
    const stat = lstatSync(path)
    const isKind = kind === 'file' ? stat.isFile() : stat.isDirectory()
    return isKind && stat.uid === process.getuid?.() && (stat.mode & 0o022) === 0
  } catch {
    return false
  }
}
