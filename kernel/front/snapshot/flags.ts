// SPDX-License-Identifier: GPL-2.0-or-later
// How Node is started for the compiler process. Node takes a snapshot only with the flags it was made with.

/** In megabytes. The compiler lives with 160; without a cap it lets garbage lie up to four times that. */
const heapCap = 512

/**
 * What a start costs was measured with Node 20: new space of 4 MB saves 20 MB of memory, and code
 * that is optimised later saves 0.35 s of CPU, while cell 300 costs the same. Newer Node has no
 * such flag and would not start with it.
 */
export const compilerFlags: readonly string[] = [
  `--max-old-space-size=${heapCap}`,
  '--max-semi-space-size=4',
  ...(process.versions.node.startsWith('20.') ? ['--interrupt-budget=1000000'] : []),
]

/** With an arena a thread, glibc keeps 20 MB more of what the compiler's threads have freed. */
export const compilerEnv = { MALLOC_ARENA_MAX: '1' }
