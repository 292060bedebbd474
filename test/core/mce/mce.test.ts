// SPDX-License-Identifier: GPL-2.0-or-later
// Addresses in kernel logs, in the formats that kernels of many years print.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { mce, UsageError } from '../../../core/index.ts'

/** Each log with what is in it: address (null: none that is physical), and the trust. */
const logs: readonly (readonly [
  name: string,
  text: string,
  found: readonly (readonly [hpa: number | null, trust: string])[],
])[] = [
  [
    'a corrected error of Sandy Bridge by EDAC',
    `EDAC sbridge MC1: HANDLING MCE MEMORY ERROR
EDAC sbridge MC1: CPU 1: Machine Check Event: 0 Bank 11: 8c00004f000800c2
EDAC sbridge MC1: TSC 0
EDAC sbridge MC1: ADDR ee30a0000
EDAC sbridge MC1: MISC 900040004001e8c
EDAC sbridge MC1: PROCESSOR 0:306e4 TIME 1519356496 SOCKET 1 APIC 20
EDAC MC1: 1 CE memory scrubbing error on CPU_SrcID#1_Ha#0_Chan#0_DIMM#0 (channel:0 slot:0 page:0xee30a0 offset:0x0 grain:32 syndrome:0x0 -  area:DRAM err_code:0008:00c2 socket:1 ha:0 channel_mask:1 rank:0)`,
    [
      [0xee30a0000, 'physical'],
      [0xee30a0000, 'physical'],
    ],
  ],
  [
    'the same of Skylake, with 0x before the numbers',
    `[  12.3] EDAC skx MC0: CPU 0: Machine Check Event: 0x0 Bank 13: 8c00004000010090
[  12.3] EDAC skx MC0: TSC 0x1bd5
[  12.3] EDAC skx MC0: ADDR 0x12345040
[  12.3] EDAC skx MC0: MISC 0x200000c000001086
[  12.3] EDAC skx MC0: PROCESSOR 0:0x50654 TIME 0x5a9 SOCKET 0 APIC 0x0`,
    [[0x12345040, 'physical']],
  ],
  [
    'a panic on Intel',
    `mce: [Hardware Error]: CPU 4: Machine Check Exception: 5 Bank 1: bd80000000100134
mce: [Hardware Error]: RIP 10:<ffffffff8123> {memcpy}
mce: [Hardware Error]: TSC 4c2f1 ADDR 61c00040 MISC 86
mce: [Hardware Error]: PROCESSOR 0:50654 TIME 1519356496 SOCKET 0 APIC 8 microcode 2000043`,
    [[0x61c00040, 'physical']],
  ],
  [
    'an address that its status denies',
    `mce: [Hardware Error]: CPU 0: Machine Check: 0 Bank 5: b200000000000405
mce: [Hardware Error]: TSC 0 ADDR 7f80a0c0
mce: [Hardware Error]: PROCESSOR 0:306c3 TIME 1519356496 SOCKET 0 APIC 0`,
    [[null, 'not-physical']],
  ],
  [
    'a linear address by MISC',
    `mce: [Hardware Error]: CPU 0: Machine Check: 0 Bank 0: be00000000800400
mce: [Hardware Error]: TSC 0 ADDR 7f1234567000 MISC 40
mce: [Hardware Error]: PROCESSOR 0:306c3 TIME 1519356496 SOCKET 0 APIC 0`,
    [[null, 'not-physical']],
  ],
  [
    'a core of AMD, which may mean a virtual address',
    `mce: [Hardware Error]: CPU 2: Machine Check: 0 Bank 5: bea0000000000108
mce: [Hardware Error]: TSC 0 ADDR 7f80a0c0181a MISC d012000100000000 SYND 4d000000 IPID 500b000000000
mce: [Hardware Error]: PROCESSOR 2:800f82 TIME 1519356496 SOCKET 0 APIC 4`,
    [[0x7f80a0c0181a, 'unsure']],
  ],
  [
    'a memory controller of Zen, and what EDAC makes of it',
    `[Hardware Error]: Corrected error, no action required.
[Hardware Error]: CPU:1 (17:31:0) MC18_STATUS[Over|CE|MiscV|AddrV|-|-|SyndV|CECC|-|-|-]: 0xdc2040000000011b
[Hardware Error]: Error Addr: 0x0000000313c7a020
[Hardware Error]: IPID: 0x0000009600350f00, Syndrome: 0x9fec08000a800a01
[Hardware Error]: Unified Memory Controller Ext. Error Code: 0, DRAM ECC error.
EDAC MC0: 1 CE on mc#0csrow#1channel#3 (csrow:1 channel:3 page:0xc4f1e8 offset:0x40 grain:64 syndrome:0x800)`,
    [
      [null, 'not-physical'],
      [0xc4f1e8040, 'physical'],
    ],
  ],
  [
    'poison that a core of Zen met',
    `[20605.288327] [Hardware Error]: Uncorrected, software restartable error.
[20605.288330] [Hardware Error]: CPU:1 (17:8:2) MC0_STATUS[-|UE|MiscV|AddrV|-|-|-|UECC|-|Poison|-]: 0xbc002800000c0135
[20605.288335] [Hardware Error]: Error Addr: 0x00000000e8ac0000
[20605.288337] [Hardware Error]: IPID: 0x000000b000000000`,
    [[0xe8ac0000, 'physical']],
  ],
  [
    'the northbridge of an older AMD',
    `kernel: [Hardware Error]: MC4 Error (node 1): DRAM ECC error detected on the NB.
kernel: EDAC amd64 MC1: CE ERROR_ADDRESS= 0xf075b2410
kernel: EDAC MC1: CE page 0xf075b2, offset 0x410, grain 0, syndrome 0xa082, row 6, channel 0, label "": amd64_edac`,
    [
      [0xf075b2410, 'physical'],
      [0xf075b2410, 'physical'],
    ],
  ],
  [
    'two records of mcelog',
    `Hardware event. This is not a software error.
MCE 0
CPU 8 BANK 8
MISC 90003830383008c ADDR f36114800
TIME 1392739789 Wed Feb 19 00:09:49 2014
STATUS 8c000040000800c0 MCGSTATUS 0
MCGCAP 1000c14 APICID 20 SOCKETID 1
CPUID Vendor Intel Family 6 Model 45
Hardware event. This is not a software error.
MCE 1
CPU 0 BANK 0
ADDR 1000
STATUS 8800004000040150 MCGSTATUS 0
CPUID Vendor Intel Family 6 Model 45`,
    [
      [0xf36114800, 'physical'],
      [null, 'not-physical'],
    ],
  ],
  [
    'the firmware, by APEI',
    `{1}[Hardware Error]: Hardware error from APEI Generic Hardware Error Source: 4
{1}[Hardware Error]:   section_type: memory error
{1}[Hardware Error]:   error_status: 0x0000000000000400
{1}[Hardware Error]:   physical_address: 0x0000000abcdef000
{1}[Hardware Error]:   physical_address_mask: 0x0000000000000000
mce: [Hardware Error]: CPU 0: Machine Check: 0 Bank 255: 9c0000000000009f
mce: [Hardware Error]: TSC 0 ADDR abcdef000 MISC 8c
mce: [Hardware Error]: PROCESSOR 0:50654 TIME 1519356496 SOCKET 0 APIC 0`,
    [
      [0xabcdef000, 'physical'],
      [0xabcdef000, 'physical'],
    ],
  ],
  [
    'frames that were taken out of use, since 4.13',
    `mce: Uncorrected hardware memory error in user-access at af34214200
Memory failure: 0xaf34214: reserved kernel page still referenced by 1 users
Memory failure: 0xaf34214: recovery action for reserved kernel page: Failed
[1.0] soft offline: 0x118ee0: hugepage isolation failed: 0, page count 2
[1.0] Injecting memory failure for pfn 0x102f01 at process virtual address 0x7f28ec101000
[1.0] RAS: Soft-offlining pfn: 0x1234`,
    [
      [0xaf34214200, 'physical'],
      [0xaf34214000, 'physical'],
      [0xaf34214000, 'physical'],
      [0x118ee0000, 'physical'],
      [0x102f01000, 'physical'],
      [0x1234000, 'physical'],
    ],
  ],
  [
    'the same of older kernels',
    'MCE 0x18a7: Killing cellsrv:33395 due to hardware memory corruption',
    [[0x18a7000, 'physical']],
  ],
  [
    'an error whose place EDAC does not know',
    'EDAC MC0: 1 CE ie31200 CE on any memory ( page:0x0 offset:0x0 grain:8 syndrome:0x0)',
    [[0, 'unsure']],
  ],
  [
    'other lines',
    'EDAC MC: Ver: 3.0.0\nusb 1-1: addr 5\nMemory failure: address edbe201: call',
    [],
  ],
]

describe('mce', () => {
  for (const [name, text, wanted] of logs) {
    it(`reads ${name}`, () => {
      const found = mce(text)
      assert.deepEqual(
        found.map(({ hpa, trust }) => [hpa, trust]),
        wanted,
        JSON.stringify(found.map(({ reason }) => reason)),
      )
      for (const { line, text: own } of found) assert.equal(text.split('\n')[line - 1]?.trim(), own)
    })
  }

  it('tells bank and status with the address', () => {
    const [one] = mce(logs[2]?.[1] ?? '')
    assert.equal(one?.bank, 1)
    assert.deepEqual([one.status?.isUncorrected, one.status?.hasAddress], [true, true])
    assert.equal(one.status?.codeText, 'cache hierarchy error')
    assert.match(one.reason, /physical address/)
  })

  it('takes nothing but text', () => {
    assert.throws(() => mce(5 as unknown as string), UsageError)
  })

  it('does not take long for a line without end', () => {
    const start = process.cpuUsage().user
    mce(`MC1_STATUS[${'|'.repeat(5_000_000)} TSC ADDR ADDR MISC `.repeat(2))
    assert.ok(process.cpuUsage().user - start < 1_000_000)
  })
})
