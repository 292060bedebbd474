// SPDX-License-Identifier: GPL-2.0-or-later
// `qemu-vtop translate`: columns of addresses in, columns of translations out, as many as there are.
import { existsSync, statSync } from 'node:fs'
import {
  type AddressBatch,
  addressBatches,
  DumpError,
  type FormatName,
  guestPageCount,
  guestPages,
  qemuVtop,
  tableWriter,
  UsageError,
  type Vm,
} from '../../core/index.ts'
import { subjectOf, taskGiven } from './addresses.ts'
import { BadLines } from './badlines.ts'
import { dumpArguments, fileFlags, fileHelp, filesGiven, progressLine, withDump } from './dumps.ts'
import { translateFleet } from './partition.ts'
import { removing, Tally, translated } from './stream.ts'
import { CommandError, exitCode, parseArguments, print, usageError, type Verb } from './verb.ts'

const help = `Usage: qemu-vtop translate DUMP... -g PID|TASKP [--in FILE] [--out FILE]
       qemu-vtop translate DUMP... -g PID|TASKP --all [--out FILE]
       qemu-vtop translate DUMP... --partition DIR [-g PID|TASKP]

Translates guest physical addresses (gpa) by the million, in bounded memory: one
row out for each row in, in the same order. Nothing stops for one bad address:
its row has the state "invalid".

Columns out: gpa, hva, hpa, state, page_size (bytes), slot, swap_type and
swap_offset (pages). What is not there is null. The states are those of vtop
--json: mapped, swapped, migrating, poisoned, marker, device-private, unmapped,
no-slot, not-in-dump; and invalid.

  -g, --task PID|TASKP   the process (QEMU or another), as for vtop
      --vm VM            instead of -g: a virtual machine, as for vtop
      --in FILE          addresses: Arrow IPC, Parquet, CSV, JSON lines, or a text
                         of one address a line; the content tells which. Without
                         it, or with -, stdin
      --column NAME      the column that holds them, if it is not "gpa" nor the
                         only one
      --radix 10|16      what digits without 0x are. Otherwise decimal in CSV and
                         JSON lines, and hex in a text
      --all              every page of the guest's memory slots, instead of --in
      --out FILE         where to; it appears whole or not at all. Without it, or
                         with -, stdout
      --format FORMAT    arrow, parquet, csv or jsonl. Otherwise the end of FILE
                         tells, and stdout gets csv. On stdout, arrow is a stream:
                         batches of an Arrow stream are answered one by one
      --int64            64-bit columns signed, for readers that know no other
      --decimal          addresses in CSV in decimal, not as 0x...
      --strict           stop at the first line that is no address
      --force            replace FILE if it is there
      --partition DIR    every page of every virtual machine (or of the one of -g)
                         to DIR/dump=NAME/vm=VM/part-N.parquet, 16 million rows a
                         part. A part that is there is kept, so that what was
                         interrupted goes on where it was
      --name NAME        NAME of the dump there. Otherwise its file's name, or of
                         its folder when the file is called vmcore

${fileHelp}

Examples:
  qemu-vtop translate vmcore -g 191579 --in trace.csv --out trace.parquet
  cut -f1 addresses.tsv | qemu-vtop translate vmcore --vm web01 | column -ts,
  qemu-vtop translate vmcore -g 191579 --all --format arrow | python3 count.py
  qemu-vtop translate vmcore --partition /data/pages --name host7

Exit codes:
  0    every row is there; a reason why there is no page is an answer
  1    the dump, the task or a file cannot be used; with --strict, a bad line
  2    the arguments are wrong
  130  interrupted; no file is left half written
`

async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArguments({
    args: [...args],
    options: {
      task: { type: 'string', short: 'g', multiple: true },
      vm: { type: 'string' },
      in: { type: 'string' },
      column: { type: 'string' },
      radix: { type: 'string' },
      all: { type: 'boolean', default: false },
      out: { type: 'string', short: 'o', default: '-' },
      format: { type: 'string' },
      int64: { type: 'boolean', default: false },
      decimal: { type: 'boolean', default: false },
      strict: { type: 'boolean', default: false },
      force: { type: 'boolean', default: false },
      partition: { type: 'string' },
      name: { type: 'string' },
      ...fileFlags,
    },
    allowPositionals: true,
  })
  const paths = dumpArguments(positionals)
  const task = taskGiven(values.task)
  const { vm, out, force: overwrite, int64, decimal, strict, partition } = values
  // What is none is told by what writes it.
  const format = values.format as FormatName | undefined
  const files = filesGiven(values)
  if (partition !== undefined) {
    if (values.in !== undefined || out !== '-')
      throw usageError('--partition writes every page: no --in and no --out beside it')
    const options = { folder: partition, name: values.name, format, overwrite, int64, decimal }
    const work = translateFleet
    return await withDump(paths, (dump) => work(dump, { task, vm }, options), files)
  }
  if (task === undefined && vm === undefined)
    throw usageError('-g [pid | taskp] must be specified, or --vm')
  const input = inputGiven(values, paths)
  if (out !== '-' && !overwrite && existsSync(out) && statSync(out).isFile())
    throw usageError(`${out} is there already; --force replaces it`)
  const outFormat = out === '-' ? onStdout(format) : format
  return await withDump(
    paths,
    async (dump) => {
      const { vm: guest } = qemuVtop(subjectOf(dump, { task, vm }), new BigUint64Array(0))
      const bad = new BadLines('translate', input === '-' ? 'stdin' : input, strict)
      const tally = new Tally()
      const writer = await tableWriter(out === '-' ? { write: print } : out, {
        ...{ overwrite, int64, decimal },
        ...(outFormat === undefined ? {} : { format: outFormat }),
      }).catch((error: unknown) => {
        throw notOfDump(error)
      })
      await removing(writer, async () => {
        const batches =
          input === undefined
            ? pagesOf(guest)
            : addressesOf(input, { ...values, radix: values.radix })
        for await (const table of translated(guest, batches, bad)) {
          tally.add(table)
          await writer.write(table)
        }
        const { bytes } = await writer.finish()
        if (out !== '-') process.stderr.write(`${out}: ${tally.text(bytes)}\n`)
      })
      bad.end()
      return exitCode.ok
    },
    files,
  )
}

function onStdout(format: FormatName = 'csv'): FormatName {
  if (process.stdout.isTTY && format !== 'csv' && format !== 'jsonl')
    throw usageError(`${format} is nothing to look at: give --out FILE, or --format csv`)
  return format === 'arrow' ? 'arrow-stream' : format
}

/** A path, `-`, or undefined for all pages. */
function inputGiven(
  { in: path, all }: { readonly in?: string | undefined; readonly all: boolean },
  dumps: readonly string[],
): string | undefined {
  if (all && path !== undefined) throw usageError('either --all or --in')
  if (all) return undefined
  const input = path ?? '-'
  if (input === '-' && dumps.includes('/dev/stdin'))
    throw usageError('- is either the dump or the addresses: both cannot come from stdin')
  if (path === undefined && process.stdin.isTTY)
    throw usageError('no addresses given: --in FILE, --all, or a pipe')
  return input
}

function* pagesOf(vm: Vm): Generator<AddressBatch> {
  const line = progressLine({ label: 'translating', unit: 'pages', total: guestPageCount(vm) })
  for (const gpas of guestPages(vm)) {
    yield { gpas, bad: [], bytesRead: 0 }
    line.advance(gpas.length)
  }
  line.finish()
}

async function* addressesOf(
  input: string,
  { column, radix }: { readonly column?: string | undefined; readonly radix?: string | undefined },
): AsyncGenerator<AddressBatch> {
  if (radix !== undefined && radix !== '10' && radix !== '16')
    throw usageError(`--radix ${radix}: wanted 10 or 16`)
  const stat = statSync(input, { throwIfNoEntry: false })
  const line = progressLine(
    stat?.isFile() === true
      ? { label: `translating ${input}`, unit: 'bytes', total: stat.size }
      : { label: 'translating', unit: 'addresses' },
  )
  let told = 0
  const options = {
    name: 'stdin',
    ...(column === undefined ? {} : { column }),
    ...(radix === undefined ? {} : { radix: radix === '16' ? (16 as const) : (10 as const) }),
  }
  try {
    for await (const batch of addressBatches(input === '-' ? process.stdin : input, options)) {
      yield batch
      line.advance(stat?.isFile() === true ? batch.bytesRead - told : batch.gpas.length)
      told = batch.bytesRead
    }
  } catch (error) {
    throw notOfDump(error)
  } finally {
    line.finish()
  }
}

/** What is wrong with a file of addresses, or with the one that is written, is not said of the dump. */
function notOfDump(error: unknown): unknown {
  if (!(error instanceof DumpError)) return error
  const code = error instanceof UsageError ? exitCode.usage : exitCode.failed
  return new CommandError(error.message, code, { cause: error })
}

/** The verb `translate`. */
export const verb: Verb = { help, run }
