// The CUDA emulator: a libcuda.so.1 whose one device runs the kernels on the host, to test the GPU backend without a
// GPU.
//
// It does not execute PTX: the kernels are compiled from their source. Copies and launches happen when the host
// synchronizes (streams.h). Device and page-locked allocations end at a guard page, so that an access out of bounds
// crashes. Environment variables EMULATOR_...:   DRIVER=11040, CAPABILITY=75, MEMORY=bytes   what the device reports
// SEED=N                                      another schedule of threads (emulator.h)   FAIL=alloc:N
// the N-th allocation fails   FAIL=launch:N | pinned:N                    the N-th launch, or page-locked allocation,
// and all later ones fail   FAIL=pageable:N                             the N-th asynchronous copy from or to pageable
// memory fails
#include "../ops.cu"
#include "../gemm.cu"
#include "../gemm_tensor_cores.cu"
#include "streams.h"
#include <sys/mman.h>

KERNEL(run_ops) KERNEL(advance) KERNEL(reduce_splits)
KERNEL(linear_small) KERNEL(linear_medium) KERNEL(linear_large)
KERNEL(linear_back_small) KERNEL(linear_back_medium) KERNEL(linear_back_large)
KERNEL(gradient_medium) KERNEL(gradient_large)
KERNEL(linear_small_tf32) KERNEL(linear_medium_tf32) KERNEL(linear_large_tf32)
KERNEL(linear_back_small_tf32) KERNEL(linear_back_medium_tf32) KERNEL(linear_back_large_tf32)
KERNEL(gradient_medium_tf32) KERNEL(gradient_large_tf32)
KERNEL(linear_small_bf16) KERNEL(linear_medium_bf16) KERNEL(linear_large_bf16)
KERNEL(linear_back_small_bf16) KERNEL(linear_back_medium_bf16) KERNEL(linear_back_large_bf16)
KERNEL(gradient_medium_bf16) KERNEL(gradient_large_bf16)

#define API extern "C" int
using Address = unsigned long long;
using Guard = std::lock_guard<std::mutex>;

// ---- the device

API cuInit(unsigned) { return SUCCESS; }
API cuDriverGetVersion(int* version) { *version = setting("DRIVER", 13000); return SUCCESS; }
API cuDeviceGetCount(int* count) { *count = 1; return SUCCESS; }
API cuDeviceGet(int* device, int ordinal) { *device = ordinal; return ordinal ? INVALID_DEVICE : SUCCESS; }
API cuDeviceGetName(char* name, int size, int) { snprintf(name, size, "host emulator"); return SUCCESS; }
API cuDeviceGetAttribute(int* value, int attribute, int) {
    enum { CAPABILITY_MAJOR = 75, CAPABILITY_MINOR = 76 };
    long capability = setting("CAPABILITY", 90);
    *value = attribute == CAPABILITY_MAJOR ? capability / 10 : attribute == CAPABILITY_MINOR ? capability % 10 : 0;
    return SUCCESS;
}
API cuDevicePrimaryCtxRetain(void** context, int) { *context = (void*)1; return SUCCESS; }
API cuDevicePrimaryCtxRelease_v2(int) { return SUCCESS; }
API cuDevicePrimaryCtxSetFlags_v2(int, unsigned) { return SUCCESS; }
API cuCtxSetCurrent(void* context) { has_context = context; return SUCCESS; }
API cuGetErrorString(int error, const char** text) {
    *text = error == OUT_OF_MEMORY ? "out of memory" : error == LAUNCH_FAILED ? "unspecified launch failure" : "an error";
    return SUCCESS;
}

// ---- memory

struct Block { char* base; size_t whole; };
using Blocks = std::map<Address, Block>;
static Blocks on_device, pinned;
static size_t allocated;

// An allocation filled with 0xff (NaN) that ends, up to alignment, at a guard page.
static bool block(Blocks& blocks, Address* address, size_t size) {
    size_t whole = (size + 4095) & ~size_t(4095);
    char* base = (char*)mmap(nullptr, whole + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED) return false;
    mprotect(base + whole, 4096, PROT_NONE);
    memset(base, 0xff, whole);
    *address = (Address)(base + whole - ((size + 15) & ~size_t(15)));
    blocks[*address] = {base, whole};
    return true;
}
static bool is_pinned(const void* from, size_t size) {
    auto after = pinned.upper_bound((Address)from);
    if (after == pinned.begin()) return false;
    auto& block = std::prev(after)->second;
    return (char*)from + size <= block.base + block.whole;
}

API cuMemGetInfo_v2(size_t* free, size_t* total) {
    Guard held(lock);
    *total = setting("MEMORY", 4l << 30);
    *free = *total > allocated ? *total - allocated : 0;
    return SUCCESS;
}
API cuMemAlloc_v2(Address* address, size_t size) {
    static long calls;
    Guard held(lock);
    if (int no = unsafe_call_error()) return no;
    if (fails("alloc", ++calls)) return OUT_OF_MEMORY;
    if (!size) return INVALID_VALUE;
    if (!block(on_device, address, size)) return OUT_OF_MEMORY;
    allocated += on_device[*address].whole;
    return SUCCESS;
}
API cuMemFree_v2(Address address) {
    Guard held(lock);
    if (unsafe_call_error() == CAPTURE_UNSUPPORTED) return CAPTURE_UNSUPPORTED;
    auto found = on_device.find(address);
    if (found == on_device.end()) return INVALID_VALUE;
    // The driver synchronizes first. Here the memory is unmapped later instead, so that no queued work runs early.
    deferred.push_back({issued, [block = found->second] { munmap(block.base, block.whole + 4096); }});
    allocated -= found->second.whole;
    on_device.erase(found);
    run_deferred();
    return SUCCESS;
}
API cuMemAllocHost_v2(void** memory, size_t size) {
    static long calls;
    static bool none;
    Guard held(lock);
    if (int no = unsafe_call_error()) return no;
    if ((none |= fails("pinned", ++calls))) return OUT_OF_MEMORY;
    if (!size) return INVALID_VALUE;
    return block(pinned, (Address*)memory, size) ? SUCCESS : OUT_OF_MEMORY;
}
// It is not documented to synchronize: a queued copy finds the memory unmapped.
API cuMemFreeHost(void* memory) {
    Guard held(lock);
    if (unsafe_call_error() == CAPTURE_UNSUPPORTED) return CAPTURE_UNSUPPORTED;
    auto found = pinned.find((Address)memory);
    if (found == pinned.end()) return INVALID_VALUE;
    munmap(found->second.base, found->second.whole + 4096);
    pinned.erase(found);
    return SUCCESS;
}

// Copies of pageable memory, too, may be pending until the stream is synchronized.
static int copy(void* to, const void* from, size_t size, const void* host, void* stream) {
    static long pageable;
    Guard held(lock);
    if (!is_pinned(host, size) && fails("pageable", ++pageable)) return INVALID_VALUE;
    return enqueue(stream, [=] { memcpy(to, from, size); });
}
API cuMemcpyHtoDAsync_v2(Address to, const void* from, size_t size, void* stream) {
    return copy((void*)to, from, size, from, stream);
}
API cuMemcpyDtoHAsync_v2(void* to, Address from, size_t size, void* stream) {
    return copy(to, (void*)from, size, to, stream);
}
API cuMemsetD8Async(Address to, unsigned char value, size_t size, void* stream) {
    Guard held(lock);
    return enqueue(stream, [=] { memset((void*)to, value, size); });
}

// ---- modules: a kernel is found if the PTX has an entry of its name

API cuModuleLoadDataEx(void** module, const void* image, unsigned, void*, void*) {
    *module = new std::string((const char*)image);
    return SUCCESS;
}
API cuModuleUnload(void* module) { delete (std::string*)module; return SUCCESS; }
API cuModuleGetFunction(void** function, void* module, const char* name) {
    auto kernel = emulator::kernels().find(name);
    bool there = ((std::string*)module)->find(std::string(".entry ") + name + "(") != std::string::npos;
    if (!there || kernel == emulator::kernels().end()) return NOT_FOUND;
    *function = &kernel->second;
    return SUCCESS;
}

API cuFuncGetAttribute(int* value, int, void*) { *value = 0; return SUCCESS; }

// ---- launches, streams and graphs: a capture copies kernel arguments, and a graph launches in order

API cuLaunchKernel(void* f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned dynamic,
                   void* handle, void** arguments, void**) {
    if (bx * by * bz > 1024 || bx * by * bz == 0 || gx * gy * gz == 0 || gy > 65535 || gz > 65535 || dynamic) return INVALID_VALUE;
    Launch launch{(emulator::Kernel*)f, {gx, gy, gz}, {bx, by, bz}, {}};
    for (size_t i = 0; i < launch.kernel->sizes.size(); i++) {
        const char* from = (const char*)arguments[i];
        launch.arguments.emplace_back(from, from + launch.kernel->sizes[i]);
    }
    Guard held(lock);
    Stream* stream = find(handle);
    if (!stream) return INVALID_HANDLE;
    if (!stream->capture) return enqueue(handle, [launch]() mutable { launch.run(); });
    stream->capture->graph->push_back(launch);
    return SUCCESS;
}
// Non-blocking streams only: synchronizing with the legacy default stream would hide missing synchronization.
API cuStreamCreate(void** stream, unsigned flags) {
    enum { NON_BLOCKING = 1 };
    Guard held(lock);
    if (lost) return LAUNCH_FAILED;
    if (flags != NON_BLOCKING) return INVALID_VALUE;
    *stream = &streams.emplace_back();
    return SUCCESS;
}
// Queued work still runs.
API cuStreamDestroy_v2(void* handle) {
    Guard held(lock);
    Stream* stream = find(handle);
    if (!stream) return INVALID_HANDLE;
    stream->destroyed = true;
    stream->capture.reset();
    return SUCCESS;
}
API cuStreamSynchronize(void* handle) {
    Guard held(lock);
    Stream* stream = find(handle);
    if (!stream) return INVALID_HANDLE;
    return stream->capture ? CAPTURE_UNSUPPORTED : drain(*stream);
}
API cuStreamBeginCapture_v2(void* handle, int mode) {
    Guard held(lock);
    Stream* stream = find(handle);
    if (!stream || stream->capture) return INVALID_HANDLE;
    if (lost) return LAUNCH_FAILED;
    stream->capture.reset(new Capture{mode, std::this_thread::get_id(), std::make_unique<Graph>()});
    return SUCCESS;
}
API cuStreamEndCapture(void* handle, void** graph) {
    Guard held(lock);
    Stream* stream = find(handle);
    if (!stream || !stream->capture) return INVALID_VALUE;
    if (stream->capture->mode != Capture::RELAXED && stream->capture->thread != std::this_thread::get_id())
        return CAPTURE_WRONG_THREAD;
    *graph = stream->capture->graph.release();
    stream->capture.reset();
    return SUCCESS;
}
API cuGraphInstantiateWithFlags(void** ready, void* graph, unsigned long long) {
    *ready = new std::shared_ptr<Graph>(new Graph(*(Graph*)graph));
    return SUCCESS;
}
API cuGraphLaunch(void* ready, void* stream) {
    Guard held(lock);
    return enqueue(stream, [graph = *(std::shared_ptr<Graph>*)ready] {
        for (Launch& launch : *graph)
            if (!lost) launch.run();
    });
}
API cuGraphDestroy(void* graph) { delete (Graph*)graph; return SUCCESS; }
API cuGraphExecDestroy(void* ready) { delete (std::shared_ptr<Graph>*)ready; return SUCCESS; }
