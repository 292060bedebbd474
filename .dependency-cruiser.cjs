// SPDX-License-Identifier: GPL-2.0-or-later
// The one-way rule: each rank of core may import from ranks before it and from itself, never from a later one.
const ranks = [
  'errors\\.ts|progress\\.ts|bytes/',
  'codec/',
  'dump/',
  'paging/',
  'space/',
  'vmcoreinfo/|symbols/|types/',
  // Files that a user gives for a dump without types or symbols: they give what the rank before describes.
  'debug/',
  'linux/',
  'kvm/',
  'infer/',
  'translate/',
  'bulk/',
  'reverse/|mce/|compare/',
  'io/',
  'view/',
  'openoptions\\.ts|hostdump\\.ts|qemuvtop\\.ts|sample\\.ts',
  'index\\.ts',
]
const coreIsOneWay = ranks.slice(0, -1).map((rank, i) => ({
  name: `core-rank-${i}`,
  severity: 'error',
  from: { path: `^core/(${rank})` },
  to: { path: `^core/(${ranks.slice(i + 1).join('|')})` },
}))

const npm = ['npm', 'npm-dev', 'npm-optional', 'npm-peer']

// What each part of kernel may import of the others. `frames.ts` is what the processes say to each other.
const parts = {
  protocol: [],
  'frames\\.ts': ['protocol'],
  front: ['protocol', 'frames\\.ts'],
  compiler: ['frames\\.ts'],
  display: [],
  session: ['frames\\.ts', 'display'],
  client: ['protocol'],
  // The doctor asks where history and the snapshot are kept.
  command: ['client', 'display', 'protocol', 'front/historyfolder', 'front/snapshot/find'],
}
const kernelIsOneWay = Object.entries(parts).map(([part, allowed]) => ({
  name: `kernel-${part.replace(/\W.*/, '')}-is-one-way`,
  severity: 'error',
  from: { path: `^kernel/${part}` },
  to: { path: '^kernel/', pathNot: [part, ...allowed].map((name) => `^kernel/${name}`) },
}))

module.exports = {
  forbidden: [
    ...coreIsOneWay,
    ...kernelIsOneWay,
    {
      name: 'core-has-no-npm-deps',
      comment:
        'Decompressors in core/codec and column formats in core/io are the only packages of core.',
      severity: 'error',
      from: { path: '^core', pathNot: '^core/(codec|io)/' },
      to: { dependencyTypes: npm, dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'node-only-at-the-file',
      severity: 'error',
      from: {
        path: '^core',
        pathNot: '^core/(codec|dump|debug|io)/|^core/sample\\.ts|^core/bulk/(pool|worker)\\.ts',
      },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'kernel-enters-core-by-index',
      severity: 'error',
      from: { path: '^kernel' },
      to: { path: '^core/', pathNot: '^core/index\\.ts$' },
    },
    {
      name: 'who-may-enter-core',
      severity: 'error',
      from: { path: '^kernel', pathNot: '^kernel/(session|display|command)/' },
      to: { path: '^core/' },
    },
    {
      name: 'product-does-not-import-tests',
      severity: 'error',
      from: { path: '^(core|kernel)' },
      to: { path: '^test' },
    },
    { name: 'no-cycle', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no-orphan',
      severity: 'error',
      // Node alone runs the script that makes the snapshot, and it can import nothing.
      from: { orphan: true, path: '^(core|kernel)', pathNot: '^kernel/compiler/snapshot/build\\.' },
      to: {},
    },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^dist' },
  },
}
