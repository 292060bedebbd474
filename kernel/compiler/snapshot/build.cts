// SPDX-License-Identifier: GPL-2.0-or-later
// node --snapshot-blob BLOB --build-snapshot build.cjs PARENT: makes the compiler process's startup snapshot, for as long
// as its parent is the process with that id.
//
// Node runs one script for that, and what its own loaders have loaded cannot be brought back (seen with Node 20). So
// this script loads all modules by itself, as CommonJS; it imports none, or it would be a module too.
// The block keeps its names out of everyone else's sight.
{
  interface Loaded {
    exports: unknown
    readonly require: (specifier: string) => unknown
  }

  /** What is used of TypeScript here. */
  interface Transpiler {
    readonly ScriptTarget: { readonly ES2023: number }
    readonly ModuleKind: { readonly CommonJS: number }
    readonly transpileModule: (
      text: string,
      options: { readonly fileName: string; readonly compilerOptions: object },
    ) => { readonly outputText: string }
  }

  const fs = process.getBuiltinModule('node:fs')
  const nodeModule = process.getBuiltinModule('node:module')
  const path = process.getBuiltinModule('node:path')
  const url = process.getBuiltinModule('node:url')
  const vm = process.getBuiltinModule('node:vm')

  /** What a module's code finds; the last one stands for `import.meta.url`. */
  const parameters = ['exports', 'require', 'module', '__filename', '__dirname', 'importMetaUrl']

  /** What cannot be in a snapshot. TypeScript and ts-node ask for it, and do without. */
  const withheld: ReadonlySet<string> = new Set(['repl', 'inspector', 'v8-compile-cache-lib'])

  /** Where this package's own modules are: those are no CommonJS. */
  const own = path.join(__dirname, '..', '..')
  const loaded = new Map<string, Loaded>()
  const typescript = load(nodeModule.createRequire(__filename).resolve('typescript')) as Transpiler

  /** The exports of the module in `file`, whose code runs when it is asked for first. */
  function load(file: string): unknown {
    const known = loaded.get(file)
    if (known !== undefined) return known.exports
    if (process.ppid !== Number(process.argv[2])) throw new Error('nobody waits for the snapshot')
    const module: Loaded = { exports: {}, require: requireFrom(file) }
    loaded.set(file, module)
    const text = fs.readFileSync(file, 'utf8')
    if (file.endsWith('.json')) module.exports = JSON.parse(text)
    else {
      const code = file.startsWith(own) ? commonJs(text, file) : text
      const run = vm.compileFunction(code, parameters, { filename: file })
      const { exports, require } = module
      const folder = path.dirname(file)
      run.call(exports, exports, require, module, file, folder, url.pathToFileURL(file).href)
    }
    return module.exports
  }

  function requireFrom(file: string): Loaded['require'] {
    const { resolve, cache } = nodeModule.createRequire(file)
    const require = (specifier: string): unknown => {
      const name = specifier.replace(/^node:/, '')
      if (withheld.has(name)) return {}
      const ofNode: unknown = process.getBuiltinModule(name)
      if (ofNode !== undefined) return ofNode
      const found = resolve(specifier)
      // The compiler puts the TypeScript that ts-node is to use into Node's own table.
      return cache[found]?.exports ?? load(found)
    }
    return Object.assign(require, { resolve, cache })
  }

  /** One of this package's modules, none of which has `import.meta.url` in a text. */
  function commonJs(text: string, fileName: string): string {
    const compilerOptions = {
      target: typescript.ScriptTarget.ES2023,
      module: typescript.ModuleKind.CommonJS,
      esModuleInterop: true,
    }
    return typescript
      .transpileModule(text, { fileName, compilerOptions })
      .outputText.replaceAll('import.meta.url', 'importMetaUrl')
  }

  load(path.join(__dirname, 'entry.js'))
}
