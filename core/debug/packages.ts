// SPDX-License-Identifier: GPL-2.0-or-later
// Where distributions keep the files that describe a kernel, by what the kernel's release and build say of it.

interface Distribution {
  readonly is: (release: string, build: string) => boolean
  /** The package, and where it puts `vmlinux`. */
  readonly keeps: (release: string) => string
}

// The first that fits. RHEL's releases end in the name of the machine, as the packages do.
const distributions: readonly Distribution[] = [
  {
    is: (release, build) =>
      /\bUbuntu\b/.test(build) || /-(generic|lowlatency)(-\w+)?$/.test(release),
    keeps: (release) =>
      `Ubuntu has it in the package linux-image-unsigned-${release}-dbgsym of its ddebs archive, as /usr/lib/debug/boot/vmlinux-${release}`,
  },
  {
    is: (release, build) =>
      /\bDebian\b/.test(build) || /\+deb\d+|-(cloud-|rt-)?amd64$/.test(release),
    keeps: (release) =>
      `Debian has it in the package linux-image-${release.replace(/-unsigned$/, '')}-dbg, as /usr/lib/debug/lib/modules/${release}/vmlinux`,
  },
  {
    is: (release) => /\.el\d+uek/.test(release),
    keeps: (release) =>
      `Oracle has it in the package kernel-uek-debuginfo-${release}, as /usr/lib/debug/lib/modules/${release}/vmlinux`,
  },
  {
    is: (release) => /\.(el\d+|fc\d+|amzn\d+|oe\d+)/.test(release),
    keeps: (release) =>
      `RHEL, CentOS, Fedora and their kin have it in the package kernel-debuginfo-${release}, as /usr/lib/debug/lib/modules/${release}/vmlinux`,
  },
  {
    is: (release) => /-(default|kvmsmall|rt)$/.test(release),
    keeps: (release) =>
      `SUSE has it in the package kernel-${release.replace(/^.*-/, '')}-debuginfo, as /usr/lib/debug/boot/vmlinux-${release}.debug`,
  },
]

const OTHERS =
  'Debian calls its package linux-image-RELEASE-dbg, Ubuntu linux-image-unsigned-RELEASE-dbgsym, RHEL and Fedora ' +
  'kernel-debuginfo-RELEASE, SUSE kernel-default-debuginfo; a kernel of your own has it where it was built'

/** A sentence on where the `vmlinux` of a release is kept. `build` is what `uname -v` printed, if that is known. */
export function whereKept(release: string, build = ''): string {
  const found = distributions.find(({ is }) => is(release, build))
  return found?.keeps(release) ?? OTHERS
}
