// SPDX-License-Identifier: GPL-2.0-or-later
// The part of WebAssembly that is used: every JavaScript engine has it, but the types for Node do not tell of it.

/** Memory that WebAssembly, JavaScript and other threads see. */
export interface WasmMemory {
  readonly buffer: SharedArrayBuffer
  /** Adds pages of 64 KiB. */
  grow(pages: number): number
}

/** A module that was compiled. */
export type WasmModule = object

interface WebAssemblyApi {
  readonly Memory: new (options: {
    readonly initial: number
    readonly maximum: number
    readonly shared: true
  }) => WasmMemory
  readonly Module: new (bytes: Uint8Array) => WasmModule
  readonly Instance: new (
    module: WasmModule,
    imports: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
  ) => { readonly exports: Readonly<Record<string, unknown>> }
}

/** WebAssembly itself. */
export const webAssembly: WebAssemblyApi = (
  globalThis as unknown as { readonly WebAssembly: WebAssemblyApi }
).WebAssembly
