// SPDX-License-Identifier: GPL-2.0-or-later
// The names that a cell has without an import. One word here is all it takes to add one.
import { fileURLToPath } from 'node:url'
import type { ApiName } from '../frames.ts'

/** Exported by core, to call: the name, how it is called, and what it does. `help()` lists these. */
const coreFunctions: readonly (readonly [name: string, call: string, text: string])[] = [
  ['openDump', 'openDump(path)', 'opens a dump; openDump.sample() opens the one that comes along'],
  ['qemuVtop', 'qemuVtop(task, gpa)', 'where a guest physical address is on the host, and why'],
  ['allPages', 'allPages(task)', 'the same for every page of a guest, as a table'],
  ['gpaToHva', 'gpaToHva(task, gpa)', 'the first step alone; qemuVtop and this take lists as well'],
  ['hvaToHpa', 'hvaToHpa(task, hva)', 'the second step alone, for one address or a list'],
  ['unfinished', 'unfinished()', 'the rows that a list of addresses had when it was stopped'],
  ['sql', 'await sql(rows, query)', 'the rows of a list of addresses, asked in SQL'],
  [
    'readAddresses',
    'await readAddresses(path)',
    'addresses from a file: Arrow, Parquet, CSV, JSON, text',
  ],
  [
    'writeTable',
    'await writeTable(rows, path)',
    'the rows as a file; the end of its name tells the format',
  ],
  ['NO_ADDRESS', 'NO_ADDRESS', 'what columns of addresses have where there is none'],
  ['stateNames', 'stateNames[code]', 'the states that the codes of a column stand for'],
  ['pagewalk', 'pagewalk(task, address)', "the walk of a task's page tables for a virtual address"],
  ['mce', 'mce(text)', 'the physical addresses in the kernel log of a memory error'],
  [
    'compare',
    'compare(vm, vm)',
    'what moved, came, went or was swapped between two guests or dumps',
  ],
  ['guestPages', 'guestPages(vm)', 'the addresses of all pages of a guest, column by column'],
  ['toArrow', 'await toArrow(rows)', 'the rows in memory, as an Arrow IPC stream'],
  ['show', 'show(value, options)', 'a list with all its rows: show(vm.memslots, {rows: Infinity})'],
  ['hex', 'hex(value)', 'an address as text'],
  ['parseAddress', 'parseAddress(value)', 'an address from a number, a bigint or hex text'],
  ['formatSize', 'formatSize(bytes)', 'a size as text'],
]

/** What to ask an open dump first. `help()` lists these too; they are no names of their own. */
const dumpCalls: typeof coreFunctions = [
  ['', 'dump.vms', 'its virtual machines; dump.vm("web01") is one, by name, pid or UUID'],
  ['', 'vm.coverage()', "what backs a guest's memory; {from, to} for a range of addresses"],
  ['', 'dump.tasks()', 'its processes; dump.task(pid) is one, task.vms are its virtual machines'],
  ['', 'dump.whoHas(hpa)', 'who has a host physical address: guest, process, file, slab; or lists'],
  ['', 'dump.sharedFrames()', 'what guests share by KSM, and how much memory that saves'],
  ['', 'dump.struct(name, address)', 'a structure of its kernel, with the members it has there'],
  ['', 'dump.symbol(name)', 'the address of a name of its kernel'],
]

/** Exported by core, to name in types, to compare with `instanceof`, and to catch. */
const coreTypes: readonly string[] = [
  ...['HostDump', 'Translation', 'PageWalk', 'WalkStep', 'Vm', 'Memslot', 'Task', 'OpenFile'],
  ...[
    'Vma',
    'Page',
    'SwapDevice',
    'SwapPlace',
    'StructOf',
    'TranslationTable',
    'Coverage',
    'Share',
    'WhoHas',
    'OwnerTable',
  ],
  ...['DumpError', 'FormatError', 'CorruptError', 'MissingError', 'FaultError', 'TaskError'],
  ...['UnsupportedError', 'UsageError', 'UnfinishedError', 'UnfinishedComparisonError'],
]

/** Exported by `cellapi.ts` beside this file. */
const sessionFunctions: readonly (readonly [name: string, call: string, text: string])[] = [
  ['display', 'display(value, ...)', 'shows values below the cell; .update(value) replaces them'],
  ['clearOutput', 'clearOutput()', 'takes away what the cell has shown'],
  ['progress', 'for (x of progress(list))', 'shows a bar while a list is gone through'],
  ['input', 'await input(question)', 'asks for a line of text; {password: true} hides it'],
  ['prompt', 'prompt(question)', 'the same without await, for functions that cannot wait'],
  ['comms', 'comms.register(name, handler)', 'messages to and from code in the client'],
  ['help', 'help()', 'this list'],
]

/** Exported by `helpers.ts` and `table.ts` of `display`. */
const displayFunctions: readonly (readonly [name: string, call: string, text: string])[] = [
  ['table', 'table(rows, options)', 'any rows as a table: {columns: ["a", "b"], rows: Infinity}'],
  ['html', 'html`<b>${name}</b>`', 'HTML; what is put in is escaped'],
  ['markdown', 'markdown`# title`', 'text with marks'],
  ['svg', 'svg(text)', 'a drawing'],
  ['image', 'image(path)', 'a picture from a file, or from its bytes'],
  ['vegaLite', 'vegaLite(spec)', 'a chart from a Vega-Lite specification'],
  ['json', 'json(value)', 'a tree to open and close'],
  ['full', 'full(value)', 'a value as text, with nothing left out'],
]

/** Where core lies when nobody says otherwise. */
export const coreModule: string = fileURLToPath(new URL('../../core/index.js', import.meta.url))

const sessionModule = fileURLToPath(new URL('./cellapi.js', import.meta.url))
const helpersModule = fileURLToPath(new URL('../display/helpers.js', import.meta.url))
const tableModule = fileURLToPath(new URL('../display/table.js', import.meta.url))

/** The table, for a core at the path `core`. */
export function apiNames(core = coreModule): ApiName[] {
  return [
    ...coreFunctions.map(([name]) => ({ name, module: core })),
    ...coreTypes.map((name) => ({ name, module: core })),
    ...sessionFunctions.map(([name]) => ({ name, module: sessionModule })),
    ...displayFunctions.map(([name]) => ({
      name,
      module: name === 'table' ? tableModule : helpersModule,
    })),
  ]
}

/** The functions that a cell has, a line each. */
export function apiHelp(): string {
  const functions = [...coreFunctions, ...displayFunctions, ...sessionFunctions]
  const width = Math.max(...functions.map(([, call]) => call.length))
  const lines = [...functions, ...dumpCalls].map(
    ([, call, text]) => `${call.padEnd(width)}  ${text}`,
  )
  return `${lines.join('\n')}\nShift+Tab on a name shows its documentation.`
}
