/* Where the fields of the Go runtime's structs lie, in Go 1.19 and 1.21 to 1.27 on linux/amd64:
 * read from the debug information that each of these versions writes of itself. -1: it has no such
 * field.
 *
 * To add a version: a column, and its number in GO_LAYOUT_VERSIONS. To add a field: a row.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef CORESCAN_GOLANG_LAYOUT_TABLE_H
#define CORESCAN_GOLANG_LAYOUT_TABLE_H

/* The minor versions that the columns stand for. */
#define GO_LAYOUT_VERSIONS                                                                         \
	{                                                                                          \
		19, 21, 22, 23, 24, 25, 26, 27                                                     \
	}
#define GO_LAYOUT_VERSION_COUNT 8

/* clang-format off */
#define GO_LAYOUT_TABLE(X) \
	X(G_STACK_LO, "runtime.g", "stack.lo", 0, 0, 0, 0, 0, 0, 0, 0) \
	X(G_STACK_HI, "runtime.g", "stack.hi", 8, 8, 8, 8, 8, 8, 8, 8) \
	X(G_PANIC, "runtime.g", "_panic", 32, 32, 32, 32, 32, 32, 32, 32) \
	X(G_DEFER, "runtime.g", "_defer", 40, 40, 40, 40, 40, 40, 40, 40) \
	X(G_M, "runtime.g", "m", 48, 48, 48, 48, 48, 48, 48, 48) \
	X(G_SCHED_SP, "runtime.g", "sched.sp", 56, 56, 56, 56, 56, 56, 56, 56) \
	X(G_SCHED_PC, "runtime.g", "sched.pc", 64, 64, 64, 64, 64, 64, 64, 64) \
	X(G_SCHED_G, "runtime.g", "sched.g", 72, 72, 72, 72, 72, 72, 72, 72) \
	X(G_SCHED_CTXT, "runtime.g", "sched.ctxt", 80, 80, 80, 80, 80, 80, 80, 80) \
	X(G_SYSCALLSP, "runtime.g", "syscallsp", 112, 112, 112, 112, 112, 104, 104, 104) \
	X(G_SYSCALLPC, "runtime.g", "syscallpc", 120, 120, 120, 120, 120, 112, 112, 112) \
	X(G_ATOMICSTATUS, "runtime.g", "atomicstatus", 144, 144, 144, 152, 152, 144, 144, 144) \
	X(G_GOID, "runtime.g", "goid", 152, 152, 152, 160, 160, 152, 152, 152) \
	X(G_WAITSINCE, "runtime.g", "waitsince", 168, 168, 168, 176, 176, 168, 168, 168) \
	X(G_WAITREASON, "runtime.g", "waitreason", 176, 176, 176, 184, 184, 176, 176, 176) \
	X(G_LOCKEDM, "runtime.g", "lockedm", 232, 208, 208, 216, 216, 208, 208, 208) \
	X(G_GOPC, "runtime.g", "gopc", 296, 280, 280, 288, 288, 280, 288, 288) \
	X(G_STARTPC, "runtime.g", "startpc", 312, 296, 296, 304, 304, 296, 304, 304) \
	X(G_PARENTGOID, "runtime.g", "parentGoid", -1, 272, 272, 280, 280, 272, 280, 280) \
	X(G_WAITING, "runtime.g", "waiting", 328, 312, 312, 320, 320, 312, 320, 320) \
	X(G_TIMER, "runtime.g", "timer", 368, 352, 352, 360, 360, 352, 360, 360) \
	X(M_G0, "runtime.m", "g0", 0, 0, 0, 0, 0, 0, 0, 0) \
	X(M_PROCID, "runtime.m", "procid", 72, 72, 72, 72, 72, 64, 64, 64) \
	X(M_GSIGNAL, "runtime.m", "gsignal", 80, 80, 80, 80, 80, 72, 72, 72) \
	X(M_CURG, "runtime.m", "curg", 192, 192, 192, 192, 192, 184, 184, 184) \
	X(M_P, "runtime.m", "p", 208, 208, 208, 208, 208, 200, 208, 208) \
	X(M_ALLLINK, "runtime.m", "alllink", 336, 336, 328, 328, 328, 344, 352, 352) \
	X(P_ID, "runtime.p", "id", 0, 0, 0, 0, 0, 0, 0, 0) \
	X(P_STATUS, "runtime.p", "status", 4, 4, 4, 4, 4, 4, 4, 4) \
	X(P_M, "runtime.p", "m", 56, 56, 56, 48, 48, 48, 48, 48) \
	X(P_DEFERPOOL, "runtime.p", "deferpool", 104, 104, 104, 96, 96, 96, 104, 104) \
	X(P_SUDOGCACHE, "runtime.p", "sudogcache", 2480, 2480, 2480, 2472, 2472, 2472, 2480, 2480) \
	X(P_SCHEDWHEN, "runtime.p", "sysmontick.schedwhen", 32, 32, 32, 32, 32, 32, 32, 32) \
	X(P_SYSCALLWHEN, "runtime.p", "sysmontick.syscallwhen", 48, 48, 48, 40, 40, 40, 40, 40) \
	X(P_TIMERS, "runtime.p", "timers", 8840, 8840, 8872, 8840, 8840, 9392, 13672, 13672) \
	X(P_TIMERS_HEAP, "runtime.p", "timers.heap", -1, -1, -1, 8848, 8848, 9400, 13680, 13680) \
	X(SUDOG_G, "runtime.sudog", "g", 0, 0, 0, 0, 0, 0, 0, 0) \
	X(SUDOG_NEXT, "runtime.sudog", "next", 8, 8, 8, 8, 8, 8, 8, 8) \
	X(SUDOG_PREV, "runtime.sudog", "prev", 16, 16, 16, 16, 16, 16, 16, 16) \
	X(SUDOG_ELEM, "runtime.sudog", "elem", 24, 24, 24, 24, 24, 24, 24, 24) \
	X(SUDOG_ISSELECT, "runtime.sudog", "isSelect", 52, 52, 52, 52, 52, 52, 60, 60) \
	X(SUDOG_WAITLINK, "runtime.sudog", "waitlink", 64, 64, 64, 64, 64, 64, 72, 72) \
	X(SUDOG_C, "runtime.sudog", "c", 80, 80, 80, 80, 80, 80, 88, 88) \
	X(HCHAN_QCOUNT, "runtime.hchan", "qcount", 0, 0, 0, 0, 0, 0, 0, 0) \
	X(HCHAN_DATAQSIZ, "runtime.hchan", "dataqsiz", 8, 8, 8, 8, 8, 8, 8, 8) \
	X(HCHAN_BUF, "runtime.hchan", "buf", 16, 16, 16, 16, 16, 16, 16, 16) \
	X(HCHAN_ELEMSIZE, "runtime.hchan", "elemsize", 24, 24, 24, 24, 24, 24, 24, 24) \
	X(HCHAN_CLOSED, "runtime.hchan", "closed", 28, 28, 28, 28, 28, 28, 28, 28) \
	X(HCHAN_ELEMTYPE, "runtime.hchan", "elemtype", 32, 32, 32, 40, 40, 40, 40, 40) \
	X(HCHAN_TIMER, "runtime.hchan", "timer", -1, -1, -1, 32, 32, 32, 32, 32) \
	X(HCHAN_RECVQ_FIRST, "runtime.hchan", "recvq.first", 56, 56, 56, 64, 64, 64, 64, 64) \
	X(HCHAN_SENDQ_FIRST, "runtime.hchan", "sendq.first", 72, 72, 72, 80, 80, 80, 80, 80) \
	X(DEFER_HEAP, "runtime._defer", "heap", 1, 1, 0, 0, 0, 0, 0, 0) \
	X(DEFER_SP, "runtime._defer", "sp", 8, 8, 8, 8, 8, 8, 8, 8) \
	X(DEFER_PC, "runtime._defer", "pc", 16, 16, 16, 16, 16, 16, 16, 16) \
	X(DEFER_FN, "runtime._defer", "fn", 24, 24, 24, 24, 24, 24, 24, 24) \
	X(DEFER_LINK, "runtime._defer", "link", 40, 40, 32, 32, 32, 32, 32, 32) \
	X(TIMER_WHEN, "runtime.timer", "when", 8, 8, 8, 16, 16, 24, 24, 24) \
	X(TIMER_PERIOD, "runtime.timer", "period", 16, 16, 16, 24, 24, 32, 32, 32) \
	X(TIMER_F, "runtime.timer", "f", 24, 24, 24, 32, 32, 40, 40, 40) \
	X(TIMER_ARG, "runtime.timer", "arg", 32, 32, 32, 40, 40, 48, 48, 48) \
	X(TIMER_SEQ, "runtime.timer", "seq", 48, 48, 48, 56, 56, 64, 64, 64) \
	X(MSPAN_STARTADDR, "runtime.mspan", "startAddr", 24, 24, 24, 24, 24, 24, 24, 24) \
	X(MSPAN_NPAGES, "runtime.mspan", "npages", 32, 32, 32, 32, 32, 32, 32, 32) \
	X(MSPAN_FREEINDEX, "runtime.mspan", "freeindex", 48, 48, 48, 48, 48, 48, 48, 48) \
	X(MSPAN_NELEMS, "runtime.mspan", "nelems", 56, 56, 50, 50, 50, 50, 50, 50) \
	X(MSPAN_ALLOCBITS, "runtime.mspan", "allocBits", 72, 72, 64, 64, 64, 64, 64, 64) \
	X(MSPAN_SWEEPGEN, "runtime.mspan", "sweepgen", 88, 96, 88, 88, 88, 88, 88, 88) \
	X(MSPAN_SPANCLASS, "runtime.mspan", "spanclass", 98, 106, 98, 98, 98, 98, 98, 98) \
	X(MSPAN_STATE, "runtime.mspan", "state", 99, 107, 99, 99, 99, 99, 99, 99) \
	X(MSPAN_ELEMSIZE, "runtime.mspan", "elemsize", 104, 112, 104, 104, 104, 104, 104, 104) \
	X(MSPAN_SPECIALS, "runtime.mspan", "specials", 128, 136, 128, 128, 128, 128, 128, 128) \
	X(MSPAN_LARGETYPE, "runtime.mspan", "largeType", -1, -1, 152, 152, 152, 152, 152, 152) \
	X(MSPAN_FREEINDEXFORSCAN, "runtime.mspan", "freeIndexForScan", 136, 160, 52, 52, 52, 52, 52, 52) \
	X(MSPAN_ISUSERARENACHUNK, "runtime.mspan", "isUserArenaChunk", -1, 109, 101, 101, 101, 101, 101, 101) \
	X(HEAPARENA_BITMAP, "runtime.heapArena", "bitmap", 0, 0, -1, -1, -1, -1, -1, -1) \
	X(HEAPARENA_SPANS, "runtime.heapArena", "spans", 2097152, 1064960, 0, 0, 0, 0, 0, 0) \
	X(HEAPARENA_NOMOREPTRS, "runtime.heapArena", "noMorePtrs", -1, 1048576, -1, -1, -1, -1, -1, -1) \
	X(HEAPARENA_PAGEUSESPANINLINEMARKBITS, "runtime.heapArena", "pageUseSpanInlineMarkBits", -1, -1, -1, -1, -1, 68608, 68608, 68608) \
	X(MHEAP_SWEEPGEN, "runtime.mheap", "sweepgen", 65848, 65856, 65856, 65856, 65856, 65856, 65856, 65856) \
	X(MHEAP_ALLSPANS, "runtime.mheap", "allspans", 65856, 65864, 65864, 65864, 65864, 65864, 65864, 65864) \
	X(MHEAP_ARENAS, "runtime.mheap", "arenas", 65936, 65944, 66008, 66008, 66008, 66008, 66008, 66008) \
	X(SPECIAL_NEXT, "runtime.special", "next", 0, 0, 0, 0, 0, 0, 0, 0) \
	X(SPECIAL_OFFSET, "runtime.special", "offset", 8, 8, 8, 8, 8, 8, 8, 8) \
	X(SPECIAL_KIND, "runtime.special", "kind", 10, 10, 10, 10, 16, 16, 16, 16) \
	X(SPECIALFINALIZER_FN, "runtime.specialfinalizer", "fn", 16, 16, 16, 16, 24, 24, 24, 24) \
	X(SPECIALFINALIZER_OT, "runtime.specialfinalizer", "ot", 40, 40, 40, 40, 48, 48, 48, 48) \
	X(SPECIALCLEANUP_FN, "runtime.specialCleanup", "fn", -1, -1, -1, -1, 24, 24, -1, -1) \
	X(SPECIALCLEANUP_CLEANUP, "runtime.specialCleanup", "cleanup", -1, -1, -1, -1, -1, -1, 24, 24) \
	X(BUCKET_ALLNEXT, "runtime.bucket", "allnext", 8, 8, 8, 8, 8, 8, 8, 8) \
	X(BUCKET_TYP, "runtime.bucket", "typ", 16, 16, 16, 16, 16, 16, 16, 16) \
	X(BUCKET_HASH, "runtime.bucket", "hash", 24, 24, 24, 24, 24, 24, 24, 24) \
	X(BUCKET_SIZE, "runtime.bucket", "size", 32, 32, 32, 32, 32, 32, 32, 32) \
	X(BUCKET_NSTK, "runtime.bucket", "nstk", 40, 40, 40, 40, 40, 40, 40, 40) \
	X(MEMRECORD_FUTURE, "runtime.memRecord", "future", 32, 32, 32, 32, 32, 32, 32, 16) \
	X(MEMRECORDCYCLE_ALLOCS, "runtime.memRecordCycle", "allocs", 0, 0, 0, 0, 0, 0, 0, 0) \
	X(MEMRECORDCYCLE_FREES, "runtime.memRecordCycle", "frees", 8, 8, 8, 8, 8, 8, 8, 8) \
	X(MEMRECORDCYCLE_ALLOC_BYTES, "runtime.memRecordCycle", "alloc_bytes", 16, 16, 16, 16, 16, 16, 16, -1) \
	X(MEMRECORDCYCLE_FREE_BYTES, "runtime.memRecordCycle", "free_bytes", 24, 24, 24, 24, 24, 24, 24, -1) \
	X(MODULEDATA_PCHEADER, "runtime.moduledata", "pcHeader", 0, 0, 0, 0, 0, 0, 0, 0) \
	X(MODULEDATA_FUNCNAMETAB, "runtime.moduledata", "funcnametab", 8, 8, 8, 8, 8, 8, 8, 8) \
	X(MODULEDATA_CUTAB, "runtime.moduledata", "cutab", 32, 32, 32, 32, 32, 32, 32, 32) \
	X(MODULEDATA_FILETAB, "runtime.moduledata", "filetab", 56, 56, 56, 56, 56, 56, 56, 56) \
	X(MODULEDATA_PCTAB, "runtime.moduledata", "pctab", 80, 80, 80, 80, 80, 80, 80, 80) \
	X(MODULEDATA_PCLNTABLE, "runtime.moduledata", "pclntable", 104, 104, 104, 104, 104, 104, 104, 104) \
	X(MODULEDATA_FTAB, "runtime.moduledata", "ftab", 128, 128, 128, 128, 128, 128, 128, 128) \
	X(MODULEDATA_MINPC, "runtime.moduledata", "minpc", 160, 160, 160, 160, 160, 160, 160, 160) \
	X(MODULEDATA_MAXPC, "runtime.moduledata", "maxpc", 168, 168, 168, 168, 168, 168, 168, 168) \
	X(MODULEDATA_TEXT, "runtime.moduledata", "text", 176, 176, 176, 176, 176, 176, 176, 176) \
	X(MODULEDATA_ETEXT, "runtime.moduledata", "etext", 184, 184, 184, 184, 184, 184, 184, 184) \
	X(MODULEDATA_DATA, "runtime.moduledata", "data", 208, 208, 208, 208, 208, 208, 208, 208) \
	X(MODULEDATA_EDATA, "runtime.moduledata", "edata", 216, 216, 216, 216, 216, 216, 216, 216) \
	X(MODULEDATA_BSS, "runtime.moduledata", "bss", 224, 224, 224, 224, 224, 224, 224, 224) \
	X(MODULEDATA_EBSS, "runtime.moduledata", "ebss", 232, 232, 232, 232, 232, 232, 232, 232) \
	X(MODULEDATA_TYPES, "runtime.moduledata", "types", 280, 296, 296, 296, 296, 296, 296, 296) \
	X(MODULEDATA_ETYPES, "runtime.moduledata", "etypes", 288, 304, 304, 304, 304, 304, 304, 312) \
	X(MODULEDATA_RODATA, "runtime.moduledata", "rodata", 296, 312, 312, 312, 312, 312, 312, 336) \
	X(MODULEDATA_GOFUNC, "runtime.moduledata", "gofunc", 304, 320, 320, 320, 320, 320, 320, 344) \
	X(MODULEDATA_GCDATAMASK, "runtime.moduledata", "gcdatamask", 496, 536, 536, 536, 536, 536, 544, 520) \
	X(MODULEDATA_GCBSSMASK, "runtime.moduledata", "gcbssmask", 512, 552, 552, 552, 552, 552, 560, 536) \
	X(MODULEDATA_NEXT, "runtime.moduledata", "next", 544, 584, 584, 576, 576, 576, 584, 560) \
	X(POLLDESC_FD, "runtime.pollDesc", "fd", 8, 8, 8, 8, 8, 8, 8, 8) \
	X(POLLDESC_RG, "runtime.pollDesc", "rg", 24, 32, 32, 32, 32, 32, 32, 32) \
	X(POLLDESC_WG, "runtime.pollDesc", "wg", 32, 40, 40, 40, 40, 40, 40, 40) \
	X(FD_SYSFD, "internal/poll.FD", "Sysfd", 16, 16, 16, 16, 16, 16, 16, 16) \
	X(FD_PD, "internal/poll.FD", "pd", 24, 32, 32, 32, 32, 32, 32, 32) \
	X(FILE_NAME, "os.file", "name", 56, 56, 56, 56, 56, 56, 56, 56) \
	X(NETFD_ISCONNECTED, "net.netFD", "isConnected", 72, 72, 72, 72, 72, 72, 72, 72) \
	X(NETFD_NET, "net.netFD", "net", 80, 80, 80, 80, 80, 80, 80, 80) \
	X(NETFD_LADDR, "net.netFD", "laddr", 96, 96, 96, 96, 96, 96, 96, 96) \
	X(NETFD_RADDR, "net.netFD", "raddr", 112, 112, 112, 112, 112, 112, 112, 112)
/* clang-format on */

#endif
