// SPDX-License-Identifier: GPL-2.0-or-later
// The declarations of the standard library and of Node: parsed file by file, before a cell waits for them.
import { dirname, join, resolve } from 'node:path'
import ts from 'typescript'

/**
 * Parses the files that every program of `host` holds into `registry`, a file a step: parsing is what makes a first
 * program slow (most of a second), and what comes between two steps does not wait for all of it. Follows only what
 * the files say of each other by path; what they import is left to the first program.
 */
export function* parseLibraries(
  registry: ts.DocumentRegistry,
  host: ts.LanguageServiceHost,
): Generator<string> {
  const options = host.getCompilationSettings()
  const folder = dirname(ts.getDefaultLibFilePath(options))
  const types = (options.types ?? []).flatMap((name) => {
    const found = ts.resolveTypeReferenceDirective(name, undefined, options, host)
    return found.resolvedTypeReferenceDirective?.resolvedFileName ?? []
  })
  const files = new Set([...(options.lib ?? []).map((name) => join(folder, name)), ...types])
  // A set tells what is added while it is gone through, too.
  for (const path of files) {
    const snapshot = host.getScriptSnapshot(path)
    if (snapshot === undefined) continue
    const version = host.getScriptVersion(path)
    const file = registry.acquireDocument(path, host, snapshot, version, ts.ScriptKind.TS)
    for (const { fileName } of file.referencedFiles) files.add(resolve(dirname(path), fileName))
    for (const { fileName } of file.libReferenceDirectives) {
      files.add(join(folder, `lib.${fileName}.d.ts`))
    }
    yield path
  }
}
