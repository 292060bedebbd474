// SPDX-License-Identifier: GPL-2.0-or-later
// Types of WebAssembly for cells: Node has it, but only TypeScript's browser library, which cells do not see, types it.

/**
 * The part of the WebAssembly JavaScript Interface (W3C) that Node has. Imports and exports are as wide as that
 * interface makes them: what a module exports is known only when it runs.
 */
export const webAssemblyTypes = `
declare namespace WebAssembly {
  type ValueType = 'i32' | 'i64' | 'f32' | 'f64' | 'v128' | 'anyfunc' | 'externref'
  type ImportExportKind = 'function' | 'global' | 'memory' | 'table'
  type ExportValue = Function | Global | Memory | Table
  type ImportValue = ExportValue | number | bigint
  type Imports = Record<string, Record<string, ImportValue>>
  /** Exported functions, memories, tables and globals by name. */
  type Exports = Record<string, any>
  type Bytes = ArrayBufferLike | ArrayBufferView
  class Module {
    constructor(bytes: Bytes)
    static exports(module: Module): { name: string; kind: ImportExportKind }[]
    static imports(module: Module): { module: string; name: string; kind: ImportExportKind }[]
    static customSections(module: Module, name: string): ArrayBuffer[]
  }
  class Instance {
    constructor(module: Module, imports?: Imports)
    readonly exports: Exports
  }
  /** Sizes count pages of 64 KiB. */
  class Memory {
    constructor(descriptor: { initial: number; maximum?: number; shared?: boolean })
    readonly buffer: ArrayBuffer
    grow(pages: number): number
  }
  class Table {
    constructor(descriptor: { element: 'anyfunc' | 'externref'; initial: number; maximum?: number }, value?: any)
    readonly length: number
    get(index: number): any
    set(index: number, value?: any): void
    grow(by: number, value?: any): number
  }
  class Global<Type extends ValueType = ValueType> {
    constructor(descriptor: { value: Type; mutable?: boolean }, value?: any)
    value: any
    valueOf(): any
  }
  class CompileError extends Error {}
  class LinkError extends Error {}
  class RuntimeError extends Error {}
  function validate(bytes: Bytes): boolean
  function compile(bytes: Bytes): Promise<Module>
  function instantiate(bytes: Bytes, imports?: Imports): Promise<{ module: Module; instance: Instance }>
  function instantiate(module: Module, imports?: Imports): Promise<Instance>
}
`
