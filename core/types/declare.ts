// SPDX-License-Identifier: GPL-2.0-or-later
// Declarations for TypeScript out of the dump's own types, so that an editor knows the members of its structs.

import { cMember } from './ctype.ts'
import { allMembers } from './struct.ts'
import { resolve, type Member, type StructType, type Type, type Types } from './type.ts'
import { isChar, pointedStruct, structName } from './value.ts'

/** The structs that cells begin with: everything that a translation of an address touches. */
export const defaultRoots: readonly string[] = [
  'task_struct',
  'mm_struct',
  'vm_area_struct',
  'file',
  'files_struct',
  'fdtable',
  'dentry',
  'inode',
  'page',
  'folio',
  'kvm',
  'kvm_memslots',
  'kvm_memory_slot',
  'kvm_vcpu',
  'swap_info_struct',
  'module',
  'super_block',
  'list_head',
]

/** What is to be declared, and how. */
export interface DeclareOptions {
  /** How a program imports the compiled `core/types/view`, by which the declarations find it: a path or a package. */
  readonly module: string
  /** The structs to start from; those that this kernel lacks are left out. */
  readonly roots?: readonly string[]
  /** How many steps from a root, over pointers and embedded structs. 2 unless told. */
  readonly depth?: number
}

/** Nobody reads more, and a hostile dump could have any number. */
const MAX_STRUCTS = 20_000
/** Structs without a name are written out where they are used; the kernel's are three deep. */
const MAX_NESTING = 8

/**
 * The text of a `.d.ts` that adds structs of a dump to `DumpStructs` of `view.ts`. A struct that is met, but lies too
 * far from the roots, is not declared: it reads as a view that allows any member.
 */
export function declareStructs(types: Types, options: DeclareOptions): string {
  const { module, roots = defaultRoots, depth = 2 } = options
  const declarations = new Map<string, string>()
  let next = new Set(roots)
  for (let distance = 0; distance <= depth; distance++) {
    const names = next
    next = new Set()
    for (const name of names) {
      const struct = declarations.has(name) ? undefined : types.struct(name)
      if (struct === undefined || declarations.size >= MAX_STRUCTS) continue
      declarations.set(name, new Writer(types, next).interface(name, struct))
    }
  }
  const entries = [...declarations.keys()].map(
    (name) => `    readonly ${property(name)}: ${interfaceName(name)}\n`,
  )
  return (
    `// The structs of ${oneLine(types.name)}, written from the dump's own types.\n` +
    `import { type ArrayView } from ${JSON.stringify(module)}\n` +
    `declare module ${JSON.stringify(module)} {\n` +
    `  interface DumpStructs {\n${entries.join('')}  }\n` +
    `${[...declarations.values()].join('')}}\n`
  )
}

/** Writes one struct, and collects the names of those that it leads to. */
class Writer {
  readonly #types: Types
  readonly #met: Set<string>

  constructor(types: Types, met: Set<string>) {
    this.#types = types
    this.#met = met
  }

  interface(name: string, struct: StructType): string {
    const members = this.#members(struct, 0).map((member) => `    ${member}\n`)
    // The size of a struct that is known in part may not be.
    const size =
      this.#types.whyMissing === undefined
        ? `${struct.size} bytes`
        : 'the members that were inferred'
    const heading = `${struct.kind} ${oneLine(name)}, ${size}`
    return (
      `  /** ${heading} */\n` +
      `  interface ${interfaceName(name)} extends StructView {\n${members.join('')}  }\n`
    )
  }

  #members(struct: StructType, nesting: number): string[] {
    return [...allMembers(struct).values()].map((member) => {
      const comment = `/** ${oneLine(cMember(member))} at ${member.offset} */`
      return `${comment} readonly ${property(member.name)}: ${this.#memberType(member, nesting)}`
    })
  }

  #memberType({ type, bitSize }: Member, nesting: number): string {
    if (bitSize === undefined) return this.#valueType(type, nesting)
    const resolved = resolve(type)
    if (resolved.kind === 'int' && resolved.bool) return 'boolean'
    return bitSize <= 32 ? 'number' : 'bigint'
  }

  #valueType(type: Type, nesting: number): string {
    const resolved = resolve(type)
    switch (resolved.kind) {
      case 'int':
        if (resolved.bool) return 'boolean'
        return isNarrow(resolved.size) ? 'number' : 'bigint'
      case 'enum':
        return isNarrow(resolved.size) ? 'number' : 'bigint'
      case 'float':
        return resolved.size === 4 || resolved.size === 8 ? 'number' : 'Uint8Array'
      case 'pointer': {
        const target = pointedStruct(this.#types, resolved.target)
        if (target === undefined) return 'bigint'
        return `${this.#structType(target, resolved.target, nesting)} | null`
      }
      case 'struct':
      case 'union':
        return this.#structType(resolved, type, nesting)
      case 'array': {
        const element = resolve(resolved.element)
        if (isChar(element)) return 'string'
        return `ArrayView<${this.#valueType(resolved.element, nesting + 1)}>`
      }
      case 'void':
      case 'forward':
      case 'function':
        return 'undefined'
    }
  }

  #structType(struct: StructType, through: Type, nesting: number): string {
    const name = structName(struct, through)
    if (name !== '') {
      this.#met.add(name)
      return `StructOf<${JSON.stringify(name)}>`
    }
    if (nesting >= MAX_NESTING) return 'LooseView'
    return `(StructView & { ${this.#members(struct, nesting + 1).join('; ')} })`
  }
}

function isNarrow(size: number): boolean {
  return size === 1 || size === 2 || size === 4
}

const identifier = /^[A-Za-z_][A-Za-z0-9_]*$/

/** A name as a property: quoted when it is no identifier, as names of other languages in BTF are. */
function property(name: string): string {
  return identifier.test(name) ? name : JSON.stringify(name)
}

// Words that cannot name an interface: C knows a struct class, TypeScript does not.
const reserved = new Set(
  (
    'any bigint boolean break case catch class const continue debugger default delete do else enum export extends ' +
    'false finally for function if implements import in instanceof interface let never new null number object ' +
    'package private protected public return static string super switch symbol this throw true try type typeof ' +
    'undefined unknown var void while with yield StructView ArrayView StructOf LooseView DumpStructs Undeclared structView'
  ).split(' '),
)

/** A name that C cannot have stands in for one that TypeScript cannot have. */
function interfaceName(name: string): string {
  if (identifier.test(name)) return reserved.has(name) ? `${name}$` : name
  return `$${Array.from(name, (letter) => (/\w/.test(letter) ? letter : `$${letter.codePointAt(0)?.toString(16) ?? ''}`)).join('')}`
}

/** Names come from the dump: nothing in them may end a comment or a line. */
function oneLine(text: string): string {
  return text.replace(/\*\/|[^ -~…]/g, '?')
}
