// SPDX-License-Identifier: GPL-2.0-or-later
// The door through which ts-node compiles with a language service that is ours: TypeScript as it
// is, but for `createLanguageService`.
import Module, { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

/** What stands in for `ts.createLanguageService`. */
export type MakeLanguageService = (host: ts.LanguageServiceHost) => ts.LanguageService

/**
 * Makes a copy of TypeScript whose language services come from `make`, and returns the path to give
 * to ts-node as its option `compiler`. ts-node takes a path and calls `require` with it; that path
 * is this file's, and what `require` finds there is put into its cache here, because a module of
 * this package (ESM) cannot be given to `require` on every Node we run on.
 */
export function compilerWith(make: MakeLanguageService): string {
  const path = fileURLToPath(import.meta.url)
  const shim = new Module(path)
  shim.exports = { ...ts, createLanguageService: make }
  shim.loaded = true
  createRequire(import.meta.url).cache[path] = shim
  return path
}
