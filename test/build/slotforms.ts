// SPDX-License-Identifier: GPL-2.0-or-later
// How a built kernel keeps its memslots: the structures of each era, in the order of that era's include/linux/kvm_host.h.

/** The eras, newest first. */
export type SlotForm = 'tree' | 'array' | 'fixed array' | 'by size' | 'by id' | 'in kvm'

/** What the structures of an era are like. */
interface SlotText {
  /** kvm_memory_slot and kvm_memslots. */
  readonly text: string
  /** kvm_arch, where it holds something of memslots. */
  readonly arch?: string
  /** The members of struct kvm. */
  readonly kvm: string
  /** How many address spaces a virtual machine has. */
  readonly addressSpaces: 1 | 2
  /** The bit of KVM_MEMSLOT_INVALID. */
  readonly invalid: number
}

const pointers = 'struct kvm_memslots *memslots[2];'

/** The text of each era. */
export const slotTexts: Readonly<Record<SlotForm, SlotText>> = {
  tree: {
    text: `
      struct kvm_memory_slot {
        struct rb_node gfn_node[2];
        unsigned long npages, base_gfn;
        unsigned int flags;
        short id;
        unsigned short as_id;
        unsigned long userspace_addr;
        unsigned long *dirty_bitmap;
        struct { struct file *file; unsigned long pgoff; } gmem;
      };
      struct kvm_memslots { unsigned long generation; int node_idx; struct rb_root gfn_tree; };`,
    kvm: `${pointers} struct xarray mem_attr_array;`,
    addressSpaces: 2,
    invalid: 16,
  },
  array: {
    text: `
      struct kvm_memory_slot {
        unsigned long userspace_addr, base_gfn, npages;
        unsigned short as_id;
        short id;
        unsigned int flags;
        unsigned long *dirty_bitmap;
      };
      struct kvm_memslots {
        unsigned long generation;
        int used_slots;
        struct kvm_memory_slot memslots[];
      };`,
    kvm: pointers,
    addressSpaces: 2,
    invalid: 16,
  },
  // 4.4, 4.15, 4.19.
  'fixed array': {
    text: `
      struct kvm_arch_memory_slot { void *rmap[3], *lpage_info[2]; unsigned short *gfn_track[1]; };
      struct kvm_memory_slot {
        unsigned long base_gfn, npages;
        unsigned long *dirty_bitmap;
        struct kvm_arch_memory_slot arch;
        unsigned long userspace_addr;
        unsigned int flags;
        short id;
      };
      struct kvm_memslots {
        unsigned long generation;
        struct kvm_memory_slot memslots[512];
        short id_to_index[512];
        int lru_slot;
        int used_slots;
      };`,
    arch: 'struct kvm_arch { unsigned int n_used_mmu_pages; unsigned long mmu_valid_gen; };',
    kvm: pointers,
    addressSpaces: 2,
    invalid: 16,
  },
  // 3.10.
  'by size': {
    text: `
      struct kvm_arch_memory_slot { unsigned long *rmap[3]; void *lpage_info[2]; };
      struct kvm_memory_slot {
        unsigned long base_gfn, npages;
        unsigned long *dirty_bitmap;
        struct kvm_arch_memory_slot arch;
        unsigned long userspace_addr;
        unsigned int flags;
        short id;
      };
      struct kvm_memslots {
        unsigned long generation;
        struct kvm_memory_slot memslots[128];
        int id_to_index[128];
      };`,
    kvm: 'struct kvm_memslots *memslots;',
    addressSpaces: 1,
    invalid: 16,
  },
  // RHEL 6: aliases behind a pointer.
  'by id': {
    text: `
      struct kvm_memory_slot {
        unsigned long base_gfn, npages, flags;
        unsigned long *rmap, *dirty_bitmap;
        void *lpage_info[2];
        unsigned long userspace_addr;
        int user_alloc, id;
      };
      struct kvm_memslots { int nmemslots; struct kvm_memory_slot memslots[36]; };`,
    arch: `
      struct kvm_mem_alias { unsigned long base_gfn, npages, target_gfn, flags; };
      struct kvm_mem_aliases { struct kvm_mem_alias aliases[4]; int naliases; };
      struct kvm_arch { struct kvm_mem_aliases *aliases; unsigned int n_free_mmu_pages; };`,
    kvm: 'struct kvm_memslots *memslots;',
    addressSpaces: 1,
    invalid: 1,
  },
  // 2.6.32: slots without a number.
  'in kvm': {
    text: `
      struct kvm_memory_slot {
        unsigned long base_gfn, npages, flags;
        unsigned long *rmap, *dirty_bitmap;
        void *lpage_info[2];
        unsigned long userspace_addr;
        int user_alloc;
      };`,
    arch: `
      struct kvm_mem_alias { unsigned long base_gfn, npages, target_gfn; };
      struct kvm_arch { int naliases; struct kvm_mem_alias aliases[4]; };`,
    kvm: 'int nmemslots; struct kvm_memory_slot memslots[36];',
    addressSpaces: 1,
    invalid: 1,
  },
}
