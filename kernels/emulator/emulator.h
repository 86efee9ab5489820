// Runs CUDA kernels on the host: a block is an OS thread, its CUDA threads are fibers.
//
// Kernel sources compile unchanged against this header with a host C++ compiler. Barriers and warp collectives switch
// fibers; a barrier that not every thread reaches aborts with a message. EMULATOR_SEED permutes the schedule of fibers,
// so that a missing barrier shows as another result. Partial warp masks are not supported.
#pragma once
#include <atomic>
#include <cmath>
#include <csetjmp>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <thread>
#include <ucontext.h>
#include <utility>
#include <vector>

#define __global__
#define __device__
#define __launch_bounds__(...)
#define __grid_constant__
#define __shared__ static thread_local
#define DEVICE inline

struct dim3 { unsigned x = 1, y = 1, z = 1; };
struct float2 { float x, y; };
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
using std::max;
using std::min;

namespace emulator {
constexpr size_t STACK = 64 << 10;

struct Barrier {  // over the threads that have not exited
    unsigned alive = 0, arrived = 0, round = 0;
    void open() { arrived = 0; round++; }
    void leave() { if (--alive && arrived == alive) open(); }
};
struct Warp { Barrier barrier; unsigned slot[2][32][8]; };
struct Fiber {
    dim3 tid;
    unsigned lane;
    Warp* warp;
    bool done = false, started = false;
    const Barrier* waiting = nullptr;  // until waiting->round != round
    unsigned round = 0;
    jmp_buf here;
    ucontext_t first;
};
using Entry = void (*)(void** arguments);
struct Block {
    dim3 index, block, grid;
    Entry entry;
    void** arguments;
    Barrier barrier;
    std::vector<Warp> warps;
    std::vector<Fiber> fibers;
    std::vector<char> stacks;
    jmp_buf scheduler;
};
inline thread_local Block* block;
inline thread_local Fiber* self;

[[noreturn]] inline void die(const char* why) {
    fprintf(stderr, "emulator: %s\n", why);
    abort();
}

inline void wait(Barrier& barrier) {
    if (++barrier.arrived == barrier.alive) return barrier.open();
    self->waiting = &barrier;
    self->round = barrier.round;
    if (!_setjmp(self->here)) _longjmp(block->scheduler, 1);
}
inline void start() {
    block->entry(block->arguments);
    self->done = true;
    self->warp->barrier.leave();
    block->barrier.leave();
    _longjmp(block->scheduler, 1);
}
inline unsigned seed() {
    static const char* text = getenv("EMULATOR_SEED");
    return text ? atoi(text) : 0;
}

inline void run(Block& b) {
    block = &b;
    unsigned n = b.block.x * b.block.y * b.block.z, random = seed() * 2654435761u + b.index.x;
    b.fibers = std::vector<Fiber>(n);
    b.warps = std::vector<Warp>((n + 31) / 32);
    b.stacks.resize(n * STACK);
    std::vector<Fiber*> order;
    for (unsigned i = 0; i < n; i++) {
        Fiber& f = b.fibers[i];
        f.tid = {i % b.block.x, i / b.block.x % b.block.y, i / b.block.x / b.block.y};
        f.lane = i % 32;
        f.warp = &b.warps[i / 32];
        f.warp->barrier.alive++;
        b.barrier.alive++;
        order.insert(order.begin() + (seed() ? (random = random * 1664525u + 1013904223u) % (i + 1) : i), &f);
    }
    for (bool moved = true; moved;) {
        moved = false;
        for (Fiber* f : order) {
            if (f->done || (f->waiting && f->waiting->round == f->round)) continue;
            moved = true;
            self = f;
            f->waiting = nullptr;
            if (_setjmp(b.scheduler)) continue;
            if (f->started) _longjmp(f->here, 1);
            f->started = true;
            getcontext(&f->first);
            f->first.uc_stack.ss_sp = &b.stacks[(f - b.fibers.data()) * STACK];
            f->first.uc_stack.ss_size = STACK;
            makecontext(&f->first, start, 0);
            setcontext(&f->first);
        }
    }
    if (b.barrier.alive) die("a barrier was not reached by every thread");
}

// Runs all blocks on a pool of threads.
inline void launch(Entry entry, dim3 grid, dim3 threads, void** arguments) {
    unsigned total = grid.x * grid.y * grid.z, workers = std::thread::hardware_concurrency();
    std::atomic<unsigned> next{0};
    auto work = [&] {
        Block b;
        b.block = threads;
        b.grid = grid;
        b.entry = entry;
        b.arguments = arguments;
        for (unsigned i; (i = next++) < total;) {
            b.index = {i % grid.x, i / grid.x % grid.y, i / grid.x / grid.y};
            b.barrier = {};
            run(b);
        }
    };
    std::vector<std::thread> pool;
    for (unsigned i = 1; i < workers && i < total; i++) pool.emplace_back(work);
    std::thread last(work);  // not on the caller's thread: its __shared__ memory would outlive the launch
    last.join();
    for (auto& thread : pool) thread.join();
}

// The kernels by name, with the sizes of their arguments.
struct Kernel { Entry entry; std::vector<size_t> sizes; };
inline std::map<std::string, Kernel>& kernels() {
    static std::map<std::string, Kernel> all;
    return all;
}
template <class... A, size_t... I>
void apply(void (*f)(A...), void** a, std::index_sequence<I...>) { f(*(A*)a[I]...); }
template <class... A>
void apply(void (*f)(A...), void** a) { apply(f, a, std::index_sequence_for<A...>{}); }
template <class... A>
std::vector<size_t> sizes(void (*)(A...)) { return {sizeof(A)...}; }
struct Register { Register(const char* name, Entry entry, std::vector<size_t> sizes) { kernels()[name] = {entry, sizes}; } };
#define KERNEL(f) static emulator::Register register_##f{#f, [](void** a) { emulator::apply(f, a); }, emulator::sizes(f)};

// The values of all lanes of a warp: its all-gather.
template <class T>
struct Lanes {
    unsigned (*slot)[8];
    T operator[](unsigned lane) const {
        T value;
        memcpy(&value, slot[lane % 32], sizeof value);
        return value;
    }
};
template <class T>
Lanes<T> share(const T& value) {
    static_assert(sizeof(T) <= 32);
    auto* slot = self->warp->slot[self->warp->barrier.round & 1];
    memcpy(slot[self->lane], &value, sizeof value);
    wait(self->warp->barrier);
    return {slot};
}
}  // namespace emulator

#define threadIdx (emulator::self->tid)
#define blockIdx (emulator::block->index)
#define blockDim (emulator::block->block)
#define gridDim (emulator::block->grid)

inline void __syncthreads() { emulator::wait(emulator::block->barrier); }
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int other) {
    if (mask != 0xffffffffu) emulator::die("a partial warp mask");
    return emulator::share(value)[emulator::self->lane ^ other];
}
inline float __int_as_float(int i) { float f; memcpy(&f, &i, 4); return f; }
inline int __float_as_int(float f) { int i; memcpy(&i, &f, 4); return i; }

// Tensor cores, with the fragment layouts of "mma.m16n8k8" and "mma.m16n8k16" of the PTX manual.
struct Fragments { unsigned a[4], b[2]; };
inline unsigned to_tf32(float x) { return ((unsigned)__float_as_int(x) + 0x1000u) & ~0x1fffu; }
inline void mma_tf32(float* d, const unsigned* a, const unsigned* b) {
    auto lanes = emulator::share(Fragments{{a[0], a[1], a[2], a[3]}, {b[0], b[1]}});
    for (int e = 0; e < 4; e++) {
        int row = emulator::self->lane / 4 + e / 2 * 8, column = emulator::self->lane % 4 * 2 + e % 2;
        float sum = 0;
        for (int k = 0; k < 8; k++) {
            unsigned x = lanes[row % 8 * 4 + k % 4].a[row / 8 + k / 4 * 2], y = lanes[column * 4 + k % 4].b[k / 4];
            sum += __int_as_float(x & ~0x1fff) * __int_as_float(y & ~0x1fff);
        }
        d[e] += sum;
    }
}
inline unsigned bf16_bits(float x) {  // round to nearest, ties to even
    unsigned u = __float_as_int(x);
    return (u + 0x7fffu + (u >> 16 & 1)) >> 16;
}
inline unsigned to_bf16(float low, float high) { return bf16_bits(low) | bf16_bits(high) << 16; }
inline float of_bf16(unsigned pair, int half) { return __int_as_float((half ? pair >> 16 : pair & 0xffff) << 16); }
inline void mma_bf16(float* d, const unsigned* a, const unsigned* b) {
    auto lanes = emulator::share(Fragments{{a[0], a[1], a[2], a[3]}, {b[0], b[1]}});
    for (int e = 0; e < 4; e++) {
        int row = emulator::self->lane / 4 + e / 2 * 8, column = emulator::self->lane % 4 * 2 + e % 2;
        float sum = 0;
        for (int k = 0; k < 16; k++) {
            unsigned x = lanes[row % 8 * 4 + k % 8 / 2].a[row / 8 + k / 8 * 2], y = lanes[column * 4 + k % 8 / 2].b[k / 8];
            sum += of_bf16(x, k % 2) * of_bf16(y, k % 2);
        }
        d[e] += sum;
    }
}
