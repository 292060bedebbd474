// SPDX-License-Identifier: GPL-2.0-or-later
// Modules: a list of them, each with its name, and a symbol table in which it finds itself as `__this_module`.

import { ModuleSymbols } from '../linux/modulesymbols.ts'
import { count, offsets, Refused } from './findings.ts'
import { ringOf, type Block, type Ground } from './ground.ts'
import { type Survey } from './survey.ts'
import { InferredTypes } from './types.ts'

/** MODULE_NAME_LEN of include/linux/module.h: 64 less a long. */
const NAME = 56
/** A struct module is not larger, and lies at multiples of a cache line. */
const MODULE = 0x800
const LINE = 64n
/** Elf64_Sym (elf.h). */
const SYM = 24
const MAX_SYMBOLS = 1 << 20
/** enum module_state ends at 3. */
const LAST_STATE = 3

/** Finds module.list, name, state, and the symbol tables (since 4.5 a mod_kallsyms). */
export function inferModules(survey: Survey): void {
  const { ground, findings } = survey
  const head = ground.host.symbols.address('modules')
  if (head === undefined) throw new Refused('the kernel has no symbol modules')
  const nodes = ringOf(ground, head)
  if (nodes === undefined || nodes.length === 0) throw new Refused('the list of modules is empty')
  const list = findings.choose(
    'module.list',
    'struct list_head',
    [...offsets(Number(LINE), 8)].map((offset) =>
      count(offset, nodes, (node) => (node - BigInt(offset)) % LINE === 0n),
    ),
    { of: 'modules', evidence: 'a module begins with a cache line, so far before its node' },
  )
  const modules = nodes.map((node) => ground.block(node - BigInt(list), MODULE))
  const name = findings.choose(
    'module.name',
    'char[56]',
    [...offsets(0x100, 8)].map((offset) =>
      count(offset, modules, (module) => /^\w+$/.test(module.letters(offset, NAME) ?? '')),
    ),
    { of: 'modules', evidence: 'letters, digits and underscores, then NULs' },
  )
  findings.choose(
    'module.state',
    'u32',
    [count(list - 8, modules, (module) => (module.u32(list - 8) ?? 9) <= LAST_STATE)],
    { of: 'modules', evidence: 'it stands before the list, and is 0 to 3' },
  )
  inferTables(survey, modules)
  survey.modules = new Map(
    modules.map((module) => [module.letters(name, NAME) ?? '', module.address]),
  )
}

/** mod_kallsyms { symtab; num_symtab; strtab }: symbol 0 is empty, and so is the first name. */
function inferTables({ ground, findings }: Survey, modules: readonly Block[]): void {
  const kallsyms = findings.choose(
    'module.kallsyms',
    'ptr',
    [...offsets(MODULE, 8)].map((offset) =>
      count(offset, modules, (module) => {
        const table = module.word(offset)
        return ground.isPointer(table) && findsItself(ground, table, module.address)
      }),
    ),
    { of: 'modules', evidence: 'an ELF symbol table, in which __this_module is the module' },
  )
  const found = findings.get('module.kallsyms')
  const { agreed = 0, against = 0 } = found ?? {}
  const rule = { of: 'modules', evidence: `read so from module.kallsyms at ${kallsyms}` }
  findings.add('mod_kallsyms.symtab', 'ptr', { offset: 0, agreed, against }, rule)
  findings.add('mod_kallsyms.num_symtab', 'u32', { offset: 8, agreed, against }, rule)
  findings.add('mod_kallsyms.strtab', 'ptr', { offset: 16, agreed, against }, rule)
}

function findsItself(ground: Ground, table: bigint, module: bigint): boolean {
  const symtab = ground.word(table)
  const number = ground.u32(table + 8n) ?? 0
  const strtab = ground.word(table + 16n)
  if (!ground.isPointer(symtab) || !ground.isPointer(strtab) || strtab === symtab) return false
  if (number < 2 || number > MAX_SYMBOLS || ground.text(strtab, 1) !== '') return false
  const first = ground.block(symtab, SYM)
  if (first.word(0) !== 0n || first.word(8) !== 0n || first.word(16) !== 0n) return false
  const symbols = ground.block(symtab, number * SYM)
  for (let at = SYM; at < symbols.length; at += SYM) {
    if (symbols.word(at + 8) !== module) continue
    if (ground.text(strtab + BigInt(symbols.u32(at) ?? 0), 16) === '__this_module') return true
  }
  return false
}

/** The address of a symbol of the kernel or of module kvm; undefined when neither has it or it cannot be read yet. */
export function kvmSymbol({ ground, findings, modules }: Survey, name: string): bigint | undefined {
  const { symbols, vmcoreinfo, space } = ground.host
  const own = symbols.address(name)
  const module = modules.get('kvm')
  if (own !== undefined || module === undefined) return own
  const types = new InferredTypes(findings, new Map(), vmcoreinfo.release, 'it is being inferred')
  return new ModuleSymbols(space, types, module).find([name]).get(name)?.[0]
}
