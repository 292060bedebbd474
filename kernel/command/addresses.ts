// SPDX-License-Identifier: GPL-2.0-or-later
// What follows -g and -p: the subject and the addresses, also from a file or from stdin.
import { existsSync, readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import {
  parseAddress,
  type HostDump,
  type OpenOptions,
  type Task,
  type Vm,
} from '../../core/index.ts'
import { fileFlags, filesGiven } from './dumps.ts'
import { parseArguments, usageError } from './verb.ts'

/** The arguments that `vtop` and `slice` share. */
export interface Questions {
  /** Arguments that belong to no flag. */
  readonly positionals: readonly string[]
  /** A pid or the address of a task_struct, as it was given. */
  readonly task: string | undefined
  /** A virtual machine, as `dump.vm` takes it. */
  readonly vm: string | undefined
  /** Hex text, each checked, in the order they were given. */
  readonly gpas: readonly string[]
  /** Which of the verb's own switches were given. */
  readonly switches: ReadonlySet<string>
  /** Files that tell what the dump does not. */
  readonly files: OpenOptions
}

/**
 * Reads `-g`, `-p` and the rest. Everything after `-p` up to the next flag is an address, as the
 * crash extension had it, so a dump that is named has to stand before it. `switches` are the flags
 * without a value that the verb has besides. Throws usage errors, in the words of the extension
 * where it had some.
 */
export async function readQuestions(
  args: readonly string[],
  switches: readonly string[] = [],
): Promise<Questions> {
  const { values, tokens } = parseArguments({
    args: [...args],
    options: {
      task: { type: 'string', short: 'g', multiple: true },
      gpa: { type: 'string', short: 'p', multiple: true },
      vm: { type: 'string' },
      json: { type: 'boolean' },
      force: { type: 'boolean' },
      content: { type: 'boolean' },
      minimal: { type: 'boolean' },
      ...fileFlags,
    },
    allowPositionals: true,
    tokens: true,
  })
  const positionals: string[] = []
  const addresses: string[] = []
  const given = new Set<string>()
  let afterP = false
  for (const token of tokens) {
    if (token.kind === 'option') {
      afterP = token.name === 'gpa'
      given.add(token.name)
      if (afterP && token.value !== undefined) addresses.push(token.value)
    } else if (token.kind === 'positional') {
      ;(afterP ? addresses : positionals).push(token.value)
    }
  }
  for (const name of ['json', 'force', 'content', 'minimal']) {
    if (given.has(name) && !switches.includes(name))
      throw usageError(`--${name} is not for this verb`)
  }
  const task = taskGiven(values.task)
  if (task === undefined && values.vm === undefined) {
    throw usageError('-g [pid | taskp] must be specified')
  }
  if (addresses.length === 0) throw usageError('-p should be specified')
  const fromStdin = (argument: string) => argument === '-' || argument === '@-'
  if (positionals.includes('-') && addresses.some(fromStdin)) {
    throw usageError('- is either the dump or the addresses: both cannot come from stdin')
  }
  const gpas: string[] = []
  for (const address of addresses) {
    if (address === '-' || address.startsWith('@')) gpas.push(...(await fromFile(address)))
    else gpas.push(checked(address, ''))
  }
  const files = filesGiven(values)
  return { positionals, task, vm: values.vm, gpas, switches: given, files }
}

/** The one task behind -g, or undefined. Throws usage errors, in the words of the extension. */
export function taskGiven(tasks: readonly string[] = []): string | undefined {
  if (tasks.length > 1) throw usageError(`one -g at a time; given: ${tasks.join(', ')}`)
  const [task] = tasks
  if (task !== undefined && parseAddress(task) === undefined) {
    throw usageError(`invalid task or pid value: ${task}`)
  }
  return task
}

/** The task or the virtual machine that is asked about. */
export function subjectOf(
  dump: HostDump,
  { task, vm }: Pick<Questions, 'task' | 'vm'>,
): Task<Vm> | Vm {
  if (vm !== undefined) return dump.vm(vm)
  const found = dump.task(task ?? '')
  if (found.vms.length > 1) {
    const all = found.vms.map((each) => `  --vm 0x${each.address.toString(16)}  ${each.name ?? ''}`)
    throw usageError(
      [`task ${found.pid} has ${found.vms.length} virtual machines, choose one:`, ...all].join(
        '\n',
      ),
    )
  }
  return found
}

/** `@FILE`, `@-` or `-`: one address a line; empty lines and what follows a `#` do not count. */
async function fromFile(argument: string): Promise<string[]> {
  const path = argument.replace(/^@/, '')
  const name = path === '-' ? 'stdin' : path
  let content: string
  try {
    content = path === '-' ? await text(process.stdin) : readFileSync(path, 'utf8')
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw usageError(`cannot read addresses from ${name}: ${reason}`)
  }
  const gpas = content.split('\n').flatMap((line, i) => {
    const address = line.replace(/#.*/, '').trim()
    return address === '' ? [] : [checked(address, `${name}:${i + 1}: `)]
  })
  if (gpas.length === 0) throw usageError(`no address in ${name}`)
  return gpas
}

/** A guest physical address of x86-64 has at most 52 bits. */
const gpaEnd = 1n << 52n

function checked(text: string, where: string): string {
  const gpa = parseAddress(text)
  if (gpa !== undefined && gpa < gpaEnd) return text
  if (gpa !== undefined) {
    throw usageError(`${where}${text} has more than the 52 bits of a guest physical address`)
  }
  if (where === '' && existsSync(text)) {
    throw usageError(
      `"${text}" follows -p but is a file; the dump stands before -p, and @${text} reads addresses`,
    )
  }
  throw usageError(
    `${where}"${text}" is not an address; wanted hex with or without 0x, such as 34de5840`,
  )
}
