// SPDX-License-Identifier: GPL-2.0-or-later
// The structures of a built kernel: what this library reads of them, at places that no real kernel has.

import { type CText, readCText } from './ctext.ts'
import { type SlotForm, slotTexts } from './slotforms.ts'
import { hasIdr, mappingType, shmemType, type TreeForm, treeTypes } from './treeforms.ts'

/** Which of several forms a built kernel has. */
export interface Forms {
  /** How memslots are kept. */
  readonly memslots: SlotForm
  /** How VMAs are kept: since 6.1 in a maple tree, before in a red-black tree. */
  readonly vmas: 'maple' | 'rbtree'
  /** How tasks, pids, files and struct page are kept. */
  readonly era: Era
  /** What the page cache, the swap cache and, in some, pids hang on. */
  readonly trees: TreeForm
}

/** `3.10`: threads in a ring, pids in a hash table, flagged tail pages. `2.6.32`: besides, mounts without `struct mount`. */
export type Era = 'today' | '3.10' | '2.6.32'

/** The types of a kernel with these forms. */
export function kernelTypes({ memslots, vmas, era, trees }: Forms): CText {
  const stores = { maple: 'struct maple_tree mm_mt', rbtree: 'struct rb_root mm_rb' }
  const areas = { maple, rbtree: rbVmas }[vmas]
  const slots = slotTexts[memslots]
  const pids = hasIdr(trees) ? pidsInIdr : pidsInHash
  const tasks = era === 'today' ? tasksOfToday : oldTasks + pids
  const parts = [
    ...[common, areas, processes(stores[vmas])],
    // A root is in struct idr, and in struct address_space, which is in struct inode.
    ...[
      treeTypes(trees),
      tasks,
      files(era, trees),
      shmemType(trees),
      era === 'today' ? pagesOfToday : oldPages,
      swapDevices,
    ],
    ...[slots.text, slots.arch ?? ''],
  ]
  return readCText([...parts, kvm(slots.kvm, slots.arch !== undefined)].join('\n'))
}

const common = `
  struct list_head { struct list_head *next, *prev; };
  struct hlist_node { struct hlist_node *next, **pprev; };
  struct hlist_head { struct hlist_node *first; };
  struct rb_node { unsigned long parent_color; struct rb_node *rb_right, *rb_left; };
  struct rb_root { struct rb_node *rb_node; };
  struct xa_node { unsigned char shift, offset; struct xa_node *parent; void *slots[64]; };
  struct new_utsname { char sysname[65], nodename[65], release[65], version[65]; };
  struct uts_namespace { struct new_utsname name; };
`

const maple = `
  struct maple_metadata { unsigned char end, gap; };
  struct maple_range_64 {
    void *parent;
    unsigned long pivot[15];
    union { void *slot[16]; struct { void *pad[15]; struct maple_metadata meta; }; };
  };
  struct maple_arange_64 {
    void *parent;
    unsigned long pivot[9];
    void *slot[10];
    unsigned long gap[10];
    struct maple_metadata meta;
  };
  struct maple_tree { int lock; unsigned int ma_flags; void *ma_root; };
  struct vm_area_struct {
    unsigned long vm_start, vm_end, vm_pgoff, vm_flags;
    struct mm_struct *vm_mm;
    struct file *vm_file;
  };
`

const rbVmas = `
  struct vm_area_struct {
    unsigned long vm_start, vm_end;
    struct rb_node vm_rb;
    unsigned long vm_flags, vm_pgoff;
    struct mm_struct *vm_mm;
    struct file *vm_file;
  };
`

const processes = (vmaStore: string) => `
  struct mm_struct {
    int map_count;
    unsigned long arg_start, arg_end, start_brk, brk, start_stack;
    ${vmaStore};
    struct task_struct *owner;
    unsigned long *pgd;
    struct list_head mmlist;
  };
`

const tasksOfToday = `
  struct signal_struct { int live; struct list_head thread_head; };
  struct task_struct {
    char comm[16];
    unsigned int __state;
    int exit_state;
    int tgid, pid;
    struct mm_struct *mm;
    struct task_struct *group_leader, *real_parent;
    struct list_head thread_node, tasks;
    struct signal_struct *signal;
    struct files_struct *files;
    struct hlist_node pid_links[4];
    long stack[1500];
  };
  struct upid { int nr; void *ns; };
  struct pid { int count; struct hlist_head tasks[4]; struct upid numbers[1]; };
`

// Linux 3.10 and 2.6.32.
const oldTasks = `
  struct signal_struct { int live; };
  struct pid_link { struct hlist_node node; struct pid *pid; };
  struct task_struct {
    long state;
    int exit_state;
    struct list_head tasks;
    struct mm_struct *mm;
    int pid, tgid;
    struct task_struct *real_parent, *group_leader;
    struct pid_link pids[3];
    struct list_head thread_group;
    char comm[16];
    struct files_struct *files;
    struct signal_struct *signal;
    long stack[1500];
  };
`

const pidsInHash = `
  struct upid { int nr; struct pid_namespace *ns; struct hlist_node pid_chain; };
  struct pid { int count, level; struct hlist_head tasks[3]; struct upid numbers[1]; };
  struct pid_namespace { int kref, last_pid; };
`

// 4.15 to 4.19.
const pidsInIdr = `
  struct upid { int nr; struct pid_namespace *ns; };
  struct pid { int count, level; struct hlist_head tasks[3]; struct upid numbers[1]; };
  struct idr { struct radix_tree_root idr_rt; unsigned int idr_base, idr_next; };
  struct pid_namespace { int kref; struct idr idr; };
`

const files = (era: Era, trees: TreeForm) => `
  ${era === '2.6.32' ? '' : 'struct hlist_bl_node { struct hlist_bl_node *next; void *pprev; };'}
  struct path { struct vfsmount *mnt; struct dentry *dentry; };
  struct qstr { unsigned int hash, len; char *name; };
  struct file_system_type { int fs_flags; char *name; };
  struct super_block { long s_blocksize; struct file_system_type *s_type; };
  ${mappingType(trees)}
  struct inode {
    unsigned long i_ino;
    struct super_block *i_sb;
    unsigned int i_uid;
    unsigned short i_mode;
    struct address_space *i_mapping;
    struct address_space i_data;
  };
  struct dentry_operations { void *d_hash, *d_dname; };
  struct dentry {
    struct dentry *d_parent;
    struct ${era === '2.6.32' ? 'hlist_node' : 'hlist_bl_node'} d_hash;
    unsigned int d_flags;
    struct qstr d_name;
    struct super_block *d_sb;
    struct inode *d_inode;
    struct dentry_operations *d_op;
  };
  ${
    era === '2.6.32'
      ? `
  struct vfsmount {
    struct vfsmount *mnt_parent;
    struct dentry *mnt_mountpoint, *mnt_root;
  };`
      : `
  struct vfsmount { int mnt_flags; struct dentry *mnt_root; };
  struct mount { struct mount *mnt_parent; struct dentry *mnt_mountpoint; struct vfsmount mnt; };`
  }
  struct file {
    void *private_data;
    struct path f_path;
    ${era === '2.6.32' ? '' : 'struct inode *f_inode;'}
    void *f_op;
    struct address_space *f_mapping;
  };
  struct fdtable { struct file **fd; unsigned long *open_fds; unsigned long *close_on_exec; unsigned int max_fds; };
  struct files_struct { int count; struct fdtable *fdt; struct fdtable fdtab; };
`

const pagesOfToday = `
  enum pageflags {
    PG_locked, PG_uptodate, PG_dirty, PG_lru, PG_head, PG_reserved, PG_swapbacked, PG_swapcache,
    PG_hwpoison, PG_anon_exclusive
  };
  enum zone_type { ZONE_DMA, ZONE_DMA32, ZONE_NORMAL, ZONE_MOVABLE, __MAX_NR_ZONES };
  enum pagetype { PGTY_buddy = 240, PGTY_offline, PGTY_table, PGTY_guard, PGTY_hugetlb, PGTY_slab };
  struct page {
    unsigned long flags;
    unsigned long compound_head;
    unsigned long lru;
    struct address_space *mapping;
    unsigned long index;
    int _refcount;
    union { int _mapcount; unsigned int page_type; };
    unsigned long private, memcg_data;
  };
  struct folio { struct page page; unsigned long _flags_1, _head_1; int _entire_mapcount; };
`

// Linux 3.10 and 2.6.32; there the counts are in unions with those of slabs.
const oldPages = `
  enum pageflags {
    PG_locked, PG_uptodate, PG_dirty, PG_lru, PG_head, PG_reserved, PG_swapbacked, PG_swapcache,
    PG_hwpoison, PG_tail
  };
  enum zone_type { ZONE_DMA, ZONE_DMA32, ZONE_NORMAL, ZONE_MOVABLE, __MAX_NR_ZONES };
  struct page {
    unsigned long flags;
    struct address_space *mapping;
    unsigned long index;
    int _mapcount, _count;
    struct list_head lru;
    union { unsigned long private; struct page *first_page; };
    void *mem_cgroup;
  };
`

const swapDevices = `
  struct atomic_long { unsigned long counter; };
  struct swap_info_struct {
    short prio;
    unsigned long flags;
    struct file *swap_file;
    char type;
    unsigned int max, pages;
    struct atomic_long inuse_pages;
  };
`

const kvm = (memslots: string, hasArch: boolean) => `
  struct kvm_vcpu_arch { unsigned long regs[17]; unsigned int regs_avail, mp_state; };
  struct kvm_vcpu {
    struct kvm *kvm;
    int cpu, vcpu_id, mode;
    struct pid *pid;
    struct kvm_vcpu_arch arch;
  };
  struct kvm {
    long mmu_lock[9];
    ${memslots}
    int userspace_pid, online_vcpus, users_count;
    struct kvm_vcpu *vcpus[16];
    struct list_head vm_list;
    struct mm_struct *mm;
    ${hasArch ? 'struct kvm_arch arch;' : ''}
  };
`
