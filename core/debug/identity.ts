// SPDX-License-Identifier: GPL-2.0-or-later
// Is a file the dumped kernel's own? By build id where both have one, else by what the kernel prints first.

import { DumpError, FaultError, MissingError } from '../errors.ts'
import { type Space } from '../space/space.ts'
import { type Symbols } from '../symbols/table.ts'
import { type Vmcoreinfo } from '../vmcoreinfo/parse.ts'
import { buildIdOf, type ElfFile } from './elffile.ts'

/** What is known of the dumped kernel. Its symbols are not when they are what is looked for. */
export interface DumpedKernel {
  readonly vmcoreinfo: Vmcoreinfo
  /** Kernel memory; at first only the kernel's image. */
  readonly space: Space
  readonly symbols?: Symbols | undefined
}

/** What says that a file belongs to the dump, in words; undefined when nothing can be said. */
export type Agreement = string | undefined

const MAX_NOTES_BYTES = 65536
/** struct new_utsname (include/uapi/linux/utsname.h): six texts of 65 bytes, the third the release, the fourth the build. */
const TEXT_BYTES = 65

/** The refusal of a file. */
export function otherKernel(file: string, why: string): DumpError {
  return new DumpError('other-kernel', `${file} is another kernel's: ${why}`)
}

/** The build id of the dumped kernel, in hex: from VMCOREINFO since 5.9, else from the notes in the kernel's image. */
export function buildIdOfDump({ vmcoreinfo, space, symbols }: DumpedKernel): string | undefined {
  if (vmcoreinfo.buildId !== undefined) return vmcoreinfo.buildId.toLowerCase()
  const start = symbols?.address('__start_notes')
  const stop = symbols?.address('__stop_notes')
  if (start === undefined || stop === undefined) return undefined
  const size = Number(stop - start)
  if (size <= 0 || size > MAX_NOTES_BYTES) return undefined
  return ifThere(() => buildIdOf(space.bytes(start, size)))
}

/** What `uname -v` printed, from `init_uts_ns`; undefined when the dump lacks it. */
export function buildOfDump({ vmcoreinfo, space }: DumpedKernel): string | undefined {
  const namespace = vmcoreinfo.symbol('init_uts_ns')
  if (namespace === undefined) return undefined
  // The names come first since 5.11; before, behind a counter.
  for (const at of [namespace, namespace + 4n]) {
    const build = ifThere(() => {
      const text = (index: number): string =>
        space.text(at + BigInt(index * TEXT_BYTES), TEXT_BYTES)
      return text(0) === 'Linux' && text(2) === vmcoreinfo.release ? text(3) : undefined
    })
    if (build !== undefined) return build
  }
  return undefined
}

/**
 * Holds an ELF file against the dump. Gives what agrees, or undefined when neither has a build id or a banner to compare.
 * Throws DumpError `other-kernel` with what differs.
 */
export function checkElf(kernel: DumpedKernel, elf: ElfFile): Agreement {
  const { name } = elf.file
  const { release } = kernel.vmcoreinfo
  const wanted = buildIdOfDump(kernel)
  const { buildId } = elf
  if (wanted !== undefined && buildId !== undefined) {
    if (wanted === buildId) return 'the build id agrees'
    const said = elf.banner === undefined ? '' : ` (${shortened(elf.banner)})`
    throw otherKernel(
      name,
      `its build id is ${buildId}${said}, that of the dumped kernel ${release} is ${wanted}`,
    )
  }
  const { banner } = elf
  if (banner === undefined) return undefined
  const build = buildOfDump(kernel)
  const isSame =
    banner.startsWith(`Linux version ${release} `) &&
    (build === undefined || banner.endsWith(build))
  if (isSame) return build === undefined ? undefined : 'the release and the build agree'
  throw otherKernel(
    name,
    `it says "${shortened(banner)}", the dump is of ${release} ${build ?? ''}`.trimEnd(),
  )
}

function shortened(banner: string): string {
  return banner.replace(/ \(.*\) #/, ' … #').slice(0, 200)
}

function ifThere<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof FaultError || error instanceof MissingError) return undefined
    throw error
  }
}
