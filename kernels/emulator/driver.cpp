// A libcuda.so.1 whose one device runs the kernels on the host: what a program does with a GPU can be tested without one.
//
// It does not execute PTX. Copies and launches happen when somebody waits for them (streams.h). Device memory ends at a page
// that nobody may touch, so that a kernel or a copy that runs over its buffer stops the program; so does page-locked memory.
// What EMULATOR_... changes:
//   DRIVER=11040, CAPABILITY=75, MEMORY=bytes   what the device says of itself
//   SEED=N                                      another order in which threads take turns (emulator.h)
//   FAIL=alloc:N                                the N-th allocation fails
//   FAIL=launch:N | pinned:N                    the N-th launch, or page-locked allocation, and all after it fail
//   FAIL=pageable:N                             the N-th asynchronous copy from or to memory that is not page-locked fails
#include "../each.cu"
#include "../products.cu"
#include "../tensor.cu"
#include "streams.h"
#include <sys/mman.h>

KERNEL(each) KERNEL(advance) KERNEL(settle)
KERNEL(linear_thin) KERNEL(linear_wide) KERNEL(linear_large)
KERNEL(linear_back_thin) KERNEL(linear_back_wide) KERNEL(linear_back_large)
KERNEL(learn_wide) KERNEL(learn_large)
KERNEL(linear_thin_tf32) KERNEL(linear_wide_tf32) KERNEL(linear_large_tf32)
KERNEL(linear_back_thin_tf32) KERNEL(linear_back_wide_tf32) KERNEL(linear_back_large_tf32)
KERNEL(learn_wide_tf32) KERNEL(learn_large_tf32)
KERNEL(linear_thin_bf16) KERNEL(linear_wide_bf16) KERNEL(linear_large_bf16)
KERNEL(linear_back_thin_bf16) KERNEL(linear_back_wide_bf16) KERNEL(linear_back_large_bf16)
KERNEL(learn_wide_bf16) KERNEL(learn_large_bf16)

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
API cuCtxSetCurrent(void* context) { entered = context; return SUCCESS; }
API cuGetErrorString(int error, const char** text) {
    *text = error == OUT_OF_MEMORY ? "out of memory" : error == LAUNCH_FAILED ? "unspecified launch failure" : "an error";
    return SUCCESS;
}

// ---- memory

struct Block { char* base; size_t whole; };
using Blocks = std::map<Address, Block>;
static Blocks on_device, pinned;
static size_t allocated;

// Memory of 0xff that ends, but for 15 bytes, where nobody may touch it.
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
    if (int no = unsafe_now()) return no;
    if (fails("alloc", ++calls)) return OUT_OF_MEMORY;
    if (!size) return INVALID_VALUE;
    if (!block(on_device, address, size)) return OUT_OF_MEMORY;
    allocated += on_device[*address].whole;
    return SUCCESS;
}
API cuMemFree_v2(Address address) {
    Guard held(lock);
    if (unsafe_now() == CAPTURE_UNSUPPORTED) return CAPTURE_UNSUPPORTED;
    auto found = on_device.find(address);
    if (found == on_device.end()) return INVALID_VALUE;
    // The driver waits for all that may use it. Here it lives on instead, lest something be done early.
    afterwards.push_back({asked, [block = found->second] { munmap(block.base, block.whole + 4096); }});
    allocated -= found->second.whole;
    on_device.erase(found);
    do_afterwards();
    return SUCCESS;
}
API cuMemAllocHost_v2(void** memory, size_t size) {
    static long calls;
    static bool none;
    Guard held(lock);
    if (int no = unsafe_now()) return no;
    if ((none |= fails("pinned", ++calls))) return OUT_OF_MEMORY;
    if (!size) return INVALID_VALUE;
    return block(pinned, (Address*)memory, size) ? SUCCESS : OUT_OF_MEMORY;
}
// Nothing says that it waits: a copy that is still to be made meets memory that is no more.
API cuMemFreeHost(void* memory) {
    Guard held(lock);
    if (unsafe_now() == CAPTURE_UNSUPPORTED) return CAPTURE_UNSUPPORTED;
    auto found = pinned.find((Address)memory);
    if (found == pinned.end()) return INVALID_VALUE;
    munmap(found->second.base, found->second.whole + 4096);
    pinned.erase(found);
    return SUCCESS;
}

// Pageable memory, too, may be read or written until the stream is waited for.
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

// ---- modules: a kernel is there if the PTX has an entry of its name

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

// ---- launches, streams and graphs: a capture copies what each kernel is told, and a graph launches them in turn

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
// Only one that waits for nothing of others: one that waits for the legacy default stream would give right bytes, later.
API cuStreamCreate(void** stream, unsigned flags) {
    enum { NON_BLOCKING = 1 };
    Guard held(lock);
    if (lost) return LAUNCH_FAILED;
    if (flags != NON_BLOCKING) return INVALID_VALUE;
    *stream = &streams.emplace_back();
    return SUCCESS;
}
// What it has still to do will be done.
API cuStreamDestroy_v2(void* handle) {
    Guard held(lock);
    Stream* stream = find(handle);
    if (!stream) return INVALID_HANDLE;
    stream->gone = true;
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
