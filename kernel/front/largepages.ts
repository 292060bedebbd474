// SPDX-License-Identifier: GPL-2.0-or-later
// Large pages for the arrays of a session, where the system leaves that to each program.

/** From glibc 2.35 on: what is allocated in pieces of megabytes is marked for transparent huge pages. */
const TUNABLE = 'glibc.malloc.hugetlb=1'

/**
 * The environment for a session. Its results are columns of hundreds of megabytes, each written once: with pages of
 * 4 KiB the faults for them take longer than a bulk translation itself, with pages of 2 MiB a quarter of that. Where
 * `/sys/kernel/mm/transparent_hugepage/enabled` says `always` or `never`, and with another libc, nothing changes; what
 * the user has set stays.
 */
export function withLargePages(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { GLIBC_TUNABLES: set } = environment
  if (set === undefined || set === '') return { ...environment, GLIBC_TUNABLES: TUNABLE }
  if (set.includes('glibc.malloc.hugetlb=')) return environment
  return { ...environment, GLIBC_TUNABLES: `${set}:${TUNABLE}` }
}
